#!/usr/bin/env bats
load ../../lib/shop.bash

# Runs the script with the /var of an older host ($OLD) and of a new image ($NEW), without root.
setup() {
  start_shop
  tools cp find grep ls mv
  logged chown
  OLD=$TEST_DIR/old NEW=$TEST_DIR/new
  older_host
  file "$NEW/lib/dpkg/status" "new packages"
  file "$NEW/log/new" "new log"
  mkdir -p "$NEW/lib/local-host/book-shop"
}

file() { mkdir -p "${1%/*}" && echo "$2" >"$1"; } # PATH TEXT
older_host() {
  rm -rf "$OLD"
  file "$OLD/lib/postgresql/15/main/PG_VERSION" 15
  file "$OLD/lib/book-shop/deploys.jsonl" history
  file "$OLD/lib/local-host/book-shop/prod.env" secret
  file "$OLD/backups/book-shop/prod/1.dump" backup
  file "$OLD/lib/dpkg/status" "old packages"
  file "$OLD/lib/docker/image" "old image"
}
renew() { run env PATH="$TEST_DIR/bin" bash -s "$OLD" "$NEW" <"$ROOT/scripts/local/host/renew-var"; }
contents() { (cd "$OLD" && find . -type f -printf '%P ' -exec cat {} \; | sort); }
assert_renewed() {
  assert_success
  assert_equal "$(contents)" "backups/book-shop/prod/1.dump backup
lib/book-shop/deploys.jsonl history
lib/dpkg/status new packages
lib/local-host/book-shop/prod.env secret
lib/postgresql/15/main/PG_VERSION 15
log/new new log"
  refute [ -e "$OLD/kept" ]
  assert_equal "$(ls "$OLD/lib/local-host")" book-shop # the image's is empty
  assert grep -xF "chown -R postgres:postgres lib/postgresql" "$LOG"
}

@test "renew-var: keeps the data that an older host has" {
  rm -r "$OLD/lib/postgresql" "$OLD/backups"
  renew
  assert_success
  assert_equal "$(cat "$OLD/lib/local-host/book-shop/prod.env" "$OLD/lib/dpkg/status")" "secret
new packages"
  refute grep chown "$LOG"
}

@test "renew-var: leaves a volume of another program alone, and fills an empty one" {
  rm -r "$OLD"
  file "$OLD/mysql/ibdata1" "of another program"
  renew
  assert_failure 1
  assert_output --partial "nothing was changed"
  assert_equal "$(contents)" "mysql/ibdata1 of another program"
  rm -r "$OLD/mysql"
  renew
  assert_success
  assert_equal "$(cat "$OLD/lib/dpkg/status")" "new packages"
}

@test "renew-var: the next run completes an interrupted one, and nothing is lost" {
  for number in 1 2 3 4 5 6 7 8; do
    older_host
    : >"$LOG"
    # shellcheck disable=SC2016 # the fake itself expands it
    logged mv '[ "$(grep -c ^mv "$LOG")" -ne "$NUMBER" ] || exit 1
exec '"$(command -v mv)"' "$@"'
    NUMBER=$number renew
    assert_failure
    NUMBER=0 renew
    assert_renewed
  done
}
