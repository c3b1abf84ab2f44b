#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Data in both environments: backed up, lost, restored.
load e2e.bash

setup_file() { start_demo; }

# books_of ENVIRONMENT PYTHON: runs it there; it can use Book.
books_of() { django "$1" "from books.models import Book; $2"; }
add() { books_of "$1" "Book.objects.create(title='Data: $2', author='A', publishing_year=2000, rating=5, reviewer='R')"; }
# only ENVIRONMENT BOOK: asserts that no other book of this file exists.
only() {
  books_of "$1" "Book.objects.filter(title__startswith='Data: ').delete()"
  add "$1" "$2"
}
books() { books_of "$1" "print(*(book.title for book in Book.objects.filter(title__startswith='Data: ')), sep='\n')"; }
assert_serves() { # ENVIRONMENT BOOK
  assert_equal "$(books "$1")" "Data: $2"
  assert_equal "$(get "$1" /readyz)" '{"ready": true}'
}

backups() { on_host /opt/book-shop/bin/backups; }
newest() { backups | awk -v environment="$1" -v replaced="${2:-}" '$1 == environment && $2 ~ "Z" replaced "$" {print $2; exit}'; } # ENVIRONMENT [-replaced]
databases() { psql postgres -c "select datname, oid from pg_database where datname like 'book_shop%' order by datname"; }
database_names() { databases | cut -d'|' -f1 | xargs; }
restore() { "$SHOP/scripts/restore" -y "$@"; }

@test "restore brings back the latest backup, then the data that this replaced" {
  for environment in dev prod; do only $environment first; done
  run --separate-stderr shop backup
  assert_success
  assert_output "/var/backups/book-shop/dev/$(newest dev).dump
/var/backups/book-shop/prod/$(newest prod).dump"
  for environment in dev prod; do
    only $environment other
    run restore $environment
    assert_success
    assert_serves $environment first
    run restore $environment latest # the same again: the same outcome
    assert_success
    assert_serves $environment first
    replaced=$(backups | awk -v environment=$environment '$1 == environment && $2 ~ "-replaced$" {print $2}' | sed -n 2p)
    run restore $environment "$replaced"
    assert_success
    assert_serves $environment other
  done
  assert_equal "$(database_names)" "book_shop_dev book_shop_prod"
  assert_equal "$(on_host find /var/backups/book-shop -printf '%M %u\n' | sort -u)" $'-rw------- root\ndrwx------ root'
}

@test "restore changes nothing without the environment's name as confirmation" {
  before=$(databases && backups)
  run shop restore-prod <<<yes
  assert_failure
  assert_output --partial "prod (http://localhost:$DELIVERY_HTTP_PORT) gets the data of "
  assert_output --partial "not confirmed: nothing was changed"
  assert_equal "$(databases && backups)" "$before"
}

@test "restore migrates a backup of an older schema to that of the live image" {
  for environment in dev prod; do only $environment older; done
  run shop backup
  assert_success
  sed -i "s/^    reviewer = .*/&\n    added_by_a_test = models.CharField(max_length=9, null=True, blank=True)/" "$SHOP/book-shop/books/models.py"
  migration 0900_added_by_a_test \
    'migrations.AddField("book", "added_by_a_test", models.CharField(max_length=9, null=True, blank=True))'
  bump 6.0.0
  commit "a column more"
  run shop image push deploy-dev promote deploy-prod
  assert_success
  for environment in dev prod; do
    only $environment newer
    run restore $environment
    assert_success
    assert_output --partial "Applying books.0900_added_by_a_test... OK"
    assert_serves $environment older
    assert_equal "$(books_of $environment "print(Book.objects.get(title='Data: older').added_by_a_test)")" None
  done
}

@test "restore refuses a damaged dump and changes nothing" {
  dump=/var/backups/book-shop/prod/$(newest prod).dump
  on_host cp -p "$dump" /root/whole
  for cut in 1 1000 20000; do
    on_host truncate --size "-$cut" "$dump"
    before=$(databases && backups && books prod)
    run restore prod
    assert_failure 1
    assert_output --partial "is damaged"
    assert_equal "$(databases && backups && books prod)" "$before"
    on_host cp -p /root/whole "$dump"
  done
  on_host rm /root/whole
}

@test "the next restore completes one that was killed after the swap" {
  only prod wanted
  run shop backup
  assert_success
  only prod lost
  on_host systemctl stop nginx # the restore waits for the swapped database to be served
  docker exec --env DELIVERY_ANSWER_LIMIT=600 "$DELIVERY_DEMO-host" /opt/book-shop/bin/restore prod latest >"$BATS_TEST_TMPDIR/killed" 2>&1 3>&- &
  until [[ $(database_names) == *book_shop_prod_replaced* ]]; do kill -0 $!; done
  # shellcheck disable=SC2016 # the host's shell expands it
  on_host sh -c 'kill -9 "$(sed "s/.*process \([0-9]*\),.*/\1/" /run/lock/book-shop-prod)"'
  wait $! || true # killed
  on_host systemctl start nginx
  assert_equal "$(database_names)" "book_shop_dev book_shop_prod book_shop_prod_replaced"

  run restore prod
  assert_success
  assert_serves prod wanted
  assert_equal "$(database_names)" "book_shop_dev book_shop_prod"
  # Of the two backups of replaced data, the older one is the killed restore's.
  run restore prod "$(backups | awk '$1 == "prod" && $2 ~ "-replaced$" {print $2}' | sed -n 2p)"
  assert_success
  assert_serves prod lost
}

@test "systemd makes a backup each night, and only the newest backups are kept" {
  on_host systemctl is-enabled --quiet book-shop-backup.timer
  on_host systemctl is-active --quiet book-shop-backup.timer
  dev=$(newest dev) prod=$(newest prod)
  on_host systemctl start book-shop-backup.service
  [[ $(newest dev) > $dev ]]
  [[ $(newest prod) > $prod ]]
  run --separate-stderr shop backups
  assert_success
  assert_equal "$stderr" ""
  assert_line --partial "dev   $(newest dev) "

  replaced=$(backups | grep -c replaced)
  for _ in 1 2 3; do on_host env DELIVERY_KEEP=2 /opt/book-shop/bin/backup; done
  for environment in dev prod; do assert_equal "$(backups | grep -c "^$environment [0-9TZ]* ")" 2; done
  assert_equal "$(backups | grep -c replaced)" "$replaced"
}
