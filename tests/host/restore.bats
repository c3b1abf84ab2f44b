#!/usr/bin/env bats
load ../lib/host.bash
setup() {
  start_host
  lay_ready
  for environment in dev prod; do
    with_data $environment "old books"
    deployed $environment 1
    verb backup $environment
    echo "new books" >"$WORLD/databases/book_shop_$environment"
  done
  : >"$LOG"
}
teardown() { stop_host; }

old=20261125T031500Z                                      # the dump of dev
brought_back=$'old books\nschema of '$(printf 'a%039d' 1) # what comes of it: migrated to image 1
psql() { echo "runuser -u postgres -- psql -XAtqc $1"; }
swap() { # IN OUT
  psql "set statement_timeout = 900; lock table pg_database; select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = 'book_shop_dev'; alter database book_shop_dev rename to $2; alter database $1 rename to book_shop_dev"
}
migrated() { # ENVIRONMENT
  printf 'docker run --rm --name book-shop-restore-%s %s %s python3 manage.py migrate --noinput' "$1" "${IN_DEV/\/etc\/book-shop\/dev.env//dev/fd/63}" "$(image 1)"
}
asked_for="$(psql "select pg_database_size('book_shop_dev')")
runuser -u postgres -- pg_restore -f /dev/null
df --output=avail --block-size=1 /var/backups/book-shop
docker ps --no-trunc --filter name=^book-shop-b$ --format {{.Image}}
docker image inspect $(REPOSITORY=localhost:5000/book-shop image 1)
docker version -f {{.Server.Os}}/{{.Server.Arch}}
docker image inspect -f {{.Os}}/{{.Architecture}} {{index .Config.Labels \"org.opencontainers.image.revision\"}} $(REPOSITORY=localhost:5000/book-shop image 1)"

# assert_brought_back ENVIRONMENT: it has the old books and serves; what it had is a dump; nothing lies about.
assert_brought_back() {
  assert_equal "$(data "$1")" "$brought_back"
  assert_equal "$(databases)" "book_shop_dev book_shop_prod"
  assert_equal "$(tail -qn 2 "$BACKUPS/$1"/*-replaced.dump)" $'new books\nend'
}
assert_still() { # ENVIRONMENT
  assert_equal "$(data "$1")" "new books"
  assert_equal "$(databases)" "book_shop_dev book_shop_prod"
  assert_equal "$(find "$BACKUPS" -name '*-replaced.dump')" ""
}

@test "restore: beside the live database, migrated to the code that serves, swapped, proven; what it replaced is a dump" {
  ACTOR=ann verb restore dev "$old"
  assert_success
  assert_output "$BACKUPS/dev/20261125T031502Z-replaced.dump"
  assert_log "$asked_for
$(psql "select 1 from pg_database where datname = 'book_shop_dev_replaced'")
docker ps -aq --filter name=^book-shop-restore-dev\$
$(psql "drop database if exists book_shop_dev_restored with (force)")
$(psql "create database book_shop_dev_restored owner book_shop_dev template template0")
runuser -u postgres -- pg_restore --exit-on-error --no-owner --role=book_shop_dev --dbname=book_shop_dev_restored
timeout -k 5 300 $(migrated dev)
$(migrated dev)
$(swap book_shop_dev_restored book_shop_dev_replaced)
curl -fsS -m 5 -o /dev/null http://localhost:8080/readyz
curl -fsS -m 5 http://localhost:8080/version
$(psql "select 1 from pg_database where datname = 'book_shop_dev_replaced'")
runuser -u postgres -- pg_dump -Fc book_shop_dev_replaced
runuser -u postgres -- pg_restore -f /dev/null
sync /var/backups/book-shop/dev/new
$(psql "drop database if exists book_shop_dev_replaced with (force)")"
  assert_brought_back dev
  assert_equal "$(data prod)" "new books"
  assert_deploy_log "ann dev restore $old $(image 1) ok"
  assert_last_words "==> dev has the data of $old; what it replaced is kept (above)"
}

@test "restore: prod, by the image in the Deployment" {
  verb restore prod 20261125T031501Z
  assert_success
  assert_brought_back prod
  assert grep -qF "$(migrated prod)" "$LOG"
  assert_equal "$(data dev)" "new books"
}

@test "restore: latest is the newest backup, none that a restore has made: the same again has the same outcome" {
  verb restore dev latest
  assert_success
  assert_brought_back dev
  verb restore dev latest
  assert_success
  assert_equal "$(data dev)" "$brought_back"
  # And back to what the first one replaced.
  verb restore dev 20261125T031502Z-replaced
  assert_success
  assert_equal "$(head -n 1 "$WORLD/databases/book_shop_dev")" "new books"
}

@test "restore: the password is in no argument, no file, no output" {
  verb restore dev latest
  assert_success
  refute grep -rqF the-password "$LOG" "$TEST_DIR/stdout" "$TEST_DIR/stderr" "$STATE" "$HOST_ROOT/tmp" "$BACKUPS"
}

@test "restore: a damaged dump is refused, and nothing is touched" {
  sed -i '$d' "$BACKUPS/dev/$old.dump"
  before=$(tree "$HOST_ROOT/var" "$WORLD")
  for name in "$old" latest; do
    verb restore dev $name
    assert_failed 1 "end of file" "restore: the dump $old is damaged, see above: nothing was touched. Take another one: $HOST_ROOT/opt/book-shop/bin/backups"
  done
  assert_equal "$(tree "$HOST_ROOT/var" "$WORLD")" "$before"
}

@test "restore: pre-flight: no such dump, no database, no room, nothing that serves" {
  verb restore dev 20261125T031501Z # that is prod's
  assert_failed 1 "restore: dev has no backup '20261125T031501Z'. See: $HOST_ROOT/opt/book-shop/bin/backups"
  echo 1999 >"$WORLD/free"
  verb restore dev latest
  assert_failed 1 "1999 bytes are free on the disk and 2000 are needed: nothing was touched"
  rm "$WORLD/free"
  head -c 200 /dev/zero >"$BACKUPS/dev/20261126T000000Z.dump"
  printf '\nend\n' >>"$BACKUPS/dev/20261126T000000Z.dump"
  echo 3049 >"$WORLD/free" # a dump unpacks to more than it has: 1000 + 10 * 205
  verb restore dev latest
  assert_failed 1 "3050 are needed"
  rm "$WORLD/free" "$BACKUPS/dev/20261126T000000Z.dump"
  mv "$WORLD/containers" "$WORLD/away"
  mkdir "$WORLD/containers"
  verb restore dev latest
  assert_failed 1 "restore: dev serves nothing: deploy an image first (make deploy-dev)"
  rm -r "$WORLD/containers"
  mv "$WORLD/away" "$WORLD/containers"
  assert_still dev
  rm "$WORLD/databases/book_shop_dev"
  verb restore dev latest
  assert_failed 1 "restore: can't ask PostgreSQL for book_shop_dev"
  rm "$BACKUPS"/prod/*
  verb restore prod latest
  assert_failed 1 "restore: prod has no backup 'latest'"
  refute grep -qE "pg_dump|alter|create|drop" "$LOG"
}

@test "restore: what fails before the swap leaves the live data where it is" {
  touch "$WORLD/fails-pg_restore"
  verb restore dev latest
  assert_failed 1 "no space left" "restore: $old can't be restored, see above. dev has the data that it had"
  assert_still dev
  assert_deploy_log "unknown dev restore $old $(image 1) failed"
  rm "$WORLD/fails-pg_restore"

  in_registry 1 migrate
  verb restore dev latest
  assert_failed 1 "column already exists" "restore: the migration failed. dev has the data that it had"
  assert_still dev
  in_registry 1 hang
  verb restore dev latest
  assert_failed 1 "the migration failed"
  assert_equal "$(served_in dev)" "1 book-shop-b"
  in_registry 1

  touch "$WORLD/fails-swap"
  verb restore dev latest
  assert_failed 1 "restore: the databases could not be swapped, see above. dev has the data that it had"
  assert_still dev
  assert_equal "$(grep -c 'lock table' "$LOG")" 5
  rm "$WORLD/fails-swap"

  verb restore dev latest
  assert_success
  assert_brought_back dev
}

@test "restore: a connection that came in between: the swap is tried again" {
  echo once >"$WORLD/fails-swap"
  verb restore dev latest
  assert_success
  assert_brought_back dev
  assert_equal "$(grep -c 'lock table' "$LOG")" 2
}

@test "restore: data with which the environment doesn't answer: the old data is put back" {
  printf 'poisoned\nend\n' >"$BACKUPS/dev/20261126T000000Z.dump"
  ANSWER_LIMIT=0 verb restore dev latest
  assert_failed 1 "restore: dev did not answer with the data of 20261126T000000Z. dev has the data that it had"
  assert_still dev
  assert grep -qF "$(swap book_shop_dev_replaced book_shop_dev_restored)" "$LOG"
  assert_deploy_log "unknown dev restore 20261126T000000Z $(image 1) failed"
}

@test "restore: what it replaced stays a database until its dump is good" {
  touch "$WORLD/fails-pg_dump"
  verb restore dev latest
  assert_failed 1 "restore: the dump of book_shop_dev_replaced failed, see above"
  assert_equal "$(data dev)" "$brought_back"
  assert_equal "$(data dev_replaced)" "new books"
  rm "$WORLD/fails-pg_dump"
  verb restore dev latest
  assert_success
  assert_equal "$(databases)" "book_shop_dev book_shop_prod"
  # Both: what the failed one had left, and what this one has replaced.
  assert_equal "$(head -qn 1 "$BACKUPS/dev"/*-replaced.dump)" $'new books\nold books'
}

@test "restore: not while something else is done there" {
  exec 8>"$HOST_ROOT/run/lock/book-shop-dev"
  echo "deploy-dev x, process 1, since then" >&8
  flock 8
  LOCK_WAIT=0 verb restore dev latest
  assert_refused 1 "restore: dev is locked by: deploy-dev x, process 1, since then. Try again when it has ended"
}

@test "restore: killed before any change, nothing is lost, and the same once more brings the old books back" {
  local change=1
  count_as_changes mv jq
  cp -r "$HOST_ROOT/var" "$TEST_DIR/var"
  cp -r "$WORLD" "$TEST_DIR/world-before"
  while killed_at "$change" restore dev latest 2>/dev/null; do
    assert_regex "$(data dev)" "^(new books|old books"$'\n'"schema of a0*1)$"
    run cat "$WORLD"/databases/book_shop_dev* "$BACKUPS"/dev/*.dump
    assert_line "new books"
    verb restore dev latest
    assert_success
    assert_equal "$(data dev)" "$brought_back"
    assert_equal "$(databases)" "book_shop_dev book_shop_prod"
    assert_equal "$(served_in dev)" "1 book-shop-b"
    assert grep -qx "new books" "$BACKUPS"/dev/*-replaced.dump
    rm -rf "${HOST_ROOT:?}/var" "$WORLD"
    cp -r "$TEST_DIR/var" "$HOST_ROOT/var"
    cp -r "$TEST_DIR/world-before" "$WORLD"
    : >"$LOG"
    change=$((change + 1))
  done
  assert_equal "$((change - 1))" 10
}

@test "restore: wrong calls" {
  assert_wrong_calls_on_host restore "" "dev" "stage latest" "dev latest x" "-x" "dev 2026" "dev $old.dump" "dev ../dev/$old" "dev /etc/passwd" "dev *" "latest dev"
  for hostile in "" " " "latest " $'latest\n' "$old-replaced " "$old;reboot" "\$(reboot)" "--help" "-f" "${old,,}" "٢٠٢٦١١٢٥T٠٣١٥٠٠Z"; do
    verb restore dev "$hostile"
    assert_refused 2 "Usage: restore"
  done
  verb restore "dev latest" ""
  assert_refused 2 "Usage: restore"
}
