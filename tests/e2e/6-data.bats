#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# What the shop was told to keep: backed up, lost, brought back, in both environments.
load road.bash

setup_file() { start_demo; }

# books_of ENVIRONMENT PYTHON: runs it there, with Book.
books_of() { django "$1" "from books.models import Book; $2"; }
add() { books_of "$1" "Book.objects.create(title='Data: $2', author='A', publishing_year=2000, rating=5, reviewer='R')"; }
# only ENVIRONMENT BOOK: of the books of this file, that one is there.
only() {
  books_of "$1" "Book.objects.filter(title__startswith='Data: ').delete()"
  add "$1" "$2"
}
books() { books_of "$1" "print(*(book.title for book in Book.objects.filter(title__startswith='Data: ')), sep='\n')"; }
assert_serves() { # ENVIRONMENT BOOK
  assert_equal "$(books "$1")" "Data: $2"
  assert_equal "$(curl -fsS "http://localhost:$(port_of "$1")/readyz")" '{"ready": true}'
}

backups() { on_host /opt/book-shop/bin/backups; }
newest() { backups | awk -v environment="$1" -v replaced="${2:-}" '$1 == environment && $2 ~ "Z" replaced "$" {print $2; exit}'; } # ENVIRONMENT [-replaced]
databases() { on_host runuser -u postgres -- psql -Atc "select datname, oid from pg_database where datname like 'book_shop%' order by datname"; }
database_names() { databases | cut -d'|' -f1 | xargs; }
restore() { "$SHOP/scripts/restore" -y "$@"; }

@test "what was lost comes back with the latest backup, and what that replaced comes back after it" {
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

@test "asked, and not answered with the environment's name, nothing changes" {
  before=$(databases && backups)
  run shop restore-prod <<<yes
  assert_failure
  assert_output --partial "prod (http://localhost:$DELIVERY_HTTP_PORT) gets the data of "
  assert_output --partial "not confirmed: nothing was changed"
  assert_equal "$(databases && backups)" "$before"
}

@test "a backup of an older schema is brought up to the code that serves" {
  for environment in dev prod; do only $environment older; done
  run shop backup
  assert_success
  sed -i "s/^    reviewer = .*/&\n    added_by_a_test = models.CharField(max_length=9, null=True)/" "$SHOP/book-shop/books/models.py"
  migrations=("$SHOP"/book-shop/books/migrations/0*.py)
  cat >"$SHOP/book-shop/books/migrations/0900_added_by_a_test.py" <<PYTHON
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("books", "$(basename "${migrations[-1]}" .py)")]
    operations = [migrations.AddField("book", "added_by_a_test", models.CharField(max_length=9, null=True))]
PYTHON
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

@test "a damaged dump is refused, and nothing has changed" {
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

@test "a restore that was killed after the swap is healed by the next one" {
  only prod wanted
  run shop backup
  assert_success
  only prod lost
  on_host systemctl stop nginx # the swap can't be proven: the restore stays there
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
  # The older one of the two that this run kept is what the killed one had replaced.
  run restore prod "$(backups | awk '$1 == "prod" && $2 ~ "-replaced$" {print $2}' | sed -n 2p)"
  assert_success
  assert_serves prod lost
}

@test "each night, by systemd, and the newest of them stay" {
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
