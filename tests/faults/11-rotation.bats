#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Secrets are replaced while readers who are signed in and guests with carts visit both environments.
load ../e2e/e2e.bash

VISITS_API=127.0.0.1:16571
PASSWORD=kept-through-a-rotation
# Creates the readers and the book of visits.js, unless they exist, and prints the book's key.
VISITORS="from books.models import Book
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
password = make_password('$PASSWORD')
for number in range(1, 5):
    User.objects.update_or_create(username=f'reader-{number}', defaults={'password': password})
print(Book.objects.get_or_create(title='visited', author='k6', publishing_year=2026, rating=5, reviewer='k6', price=1250, currency='EUR',
    defaults={'stock': 1000000})[0].pk)"

setup_file() { start_demo; }
teardown() {
  [ -z "${VERB:-}" ] || kill "$VERB" 2>/dev/null || true # it has ended
  [ -z "${VISITS:-}" ] || kill "$VISITS"
}

# start_visits: returns after each visitor has come back.
start_visits() {
  local books
  books="{\"dev\": $(django dev "$VISITORS"), \"prod\": $(django prod "$VISITORS")}"
  start_k6 visits "$VISITS_API" --env DURATION=1500s --env BOOKS="$books" --env PASSWORD="$PASSWORD" \
    "$BATS_TEST_DIRNAME/visits.js"
  VISITS=$!
  until [ "$(curl -fs "$VISITS_API/v1/metrics/http_reqs" | jq '.data.attributes.sample.count')" -ge 300 ]; do
    kill -0 "$VISITS" || fail "$(cat "$BATS_TEST_TMPDIR/visits")"
  done
}
# end_visits: fails if a request failed, a reader was signed out or a cart was lost.
end_visits() {
  local status=0 visits=$VISITS
  VISITS=
  stop_k6 "$VISITS_API" "$visits" || status=$?
  if [ "$status" -ne 103 ] || grep -q '✗' "$BATS_TEST_TMPDIR/visits"; then
    fail "k6 ended with status $status: $(cat "$BATS_TEST_TMPDIR/visits")"
  fi
  grep -E 'http_reqs\.|http_req_failed\.|checks_(total|failed)\.' "$BATS_TEST_TMPDIR/visits" | sed 's/^/# /' >&3
}

# logs_in URL: whether PostgreSQL accepts its role and password. Status 1 is its refusal, 2 any other
# failure. Python reads the URL from stdin.
logs_in() {
  into_host docker exec -i "$(live_slot)" \
    python3 -c 'import sys, psycopg; psycopg.connect(sys.stdin.readline().strip(), connect_timeout=5)' <<<"$1" 2>"$BATS_TEST_TMPDIR/login" \
    && return
  cat "$BATS_TEST_TMPDIR/login"
  grep -qE 'password authentication failed|not permitted to log in' "$BATS_TEST_TMPDIR/login" && return 1
  return 2
}
# rotate_both ENVIRONMENT TIMES
rotate_both() {
  local number what
  for ((number = 0; number < $2; number++)); do
    for what in database secret-key; do shop "rotate-$1" WHAT=$what || return; done
  done
}

@test "both secrets of both environments are replaced twice under load, and nothing is lost" {
  declare -A url key
  for environment in dev prod; do
    url[$environment]=$(stored_setting $environment DATABASE_URL) key[$environment]=$(stored_setting $environment SECRET_KEY)
    logs_in "${url[$environment]}"
  done
  start_visits
  rotate_both dev 2 >"$BATS_TEST_TMPDIR/dev" 2>&1 3>&- &
  VERB=$!
  rotate_both prod 2 >"$BATS_TEST_TMPDIR/prod" 2>&1 3>&- || fail "$(cat "$BATS_TEST_TMPDIR/prod")"
  wait "$VERB" || fail "$(cat "$BATS_TEST_TMPDIR/dev")"
  end_visits

  for environment in dev prod; do
    logs_in "$(stored_setting $environment DATABASE_URL)"
    run -1 logs_in "${url[$environment]}"
    assert_equal "$(live_setting $environment DATABASE_URL)" "$(stored_setting $environment DATABASE_URL)"
    assert_equal "$(live_setting $environment SECRET_KEY)" "$(stored_setting $environment SECRET_KEY)"
    assert_equal "$(stored_setting $environment SECRET_KEY_FALLBACKS | tr , '\n' | sed -n 3p)" "${key[$environment]}"
    run shop history-$environment
    assert_output --regexp "rotate database .* ok "
    refute_output --partial "${key[$environment]}"
  done
}

@test "a database password edited by hand takes effect with the next deploy, and nothing is lost" {
  for environment in dev prod; do
    old=$(stored_setting $environment DATABASE_URL)
    on_host sed -i -E 's,^(DATABASE_URL=postgresql://[^:]*:)[^@]*,\1by%20hand%40'$environment, "/etc/book-shop/$environment.env"
    [ -n "${VISITS:-}" ] || start_visits
    on_host /opt/book-shop/bin/bootstrap
    assert_equal "$(live_setting $environment DATABASE_URL)" "$old"
    run shop status
    assert_output --partial "$environment: the stored settings are not the live ones"
    shop deploy-$environment
    new=$(stored_setting $environment DATABASE_URL)
    [[ $new == *:by%20hand%40$environment@* ]]
    assert_equal "$(live_setting $environment DATABASE_URL)" "$new"
    logs_in "$new"
    run -1 logs_in "$old"
  done
  end_visits
}

@test "a rotation that is killed at any step is completed by the next one, and nothing is lost" {
  start_visits
  for environment in dev prod; do
    case $environment in dev) steps=("start slot" "drain") ;; prod) steps=("roll out" "drain") ;; esac
    for step in "${steps[@]}"; do
      old=$(stored_setting $environment DATABASE_URL)
      : >"$BATS_TEST_TMPDIR/verb"
      on_host /opt/book-shop/bin/rotate $environment database >"$BATS_TEST_TMPDIR/verb" 2>&1 3>&- &
      VERB=$!
      until grep -q "^==> $step" "$BATS_TEST_TMPDIR/verb"; do kill -0 "$VERB" || fail "$(cat "$BATS_TEST_TMPDIR/verb")"; done
      on_host pkill -9 -f "bin/rotate $environment"
      if wait "$VERB"; then fail "the rotation was not killed: $(cat "$BATS_TEST_TMPDIR/verb")"; fi
      VERB=
      assert_equal "$(stored_setting $environment DATABASE_URL)" "$old"
      run shop rotate-$environment WHAT=database
      assert_success
      assert_equal "$(live_setting $environment DATABASE_URL)" "$(stored_setting $environment DATABASE_URL)"
      run -1 logs_in "$old"
    done
  done
  end_visits
}

@test "no password or key is in the logs of PostgreSQL and of the journal, and in no list of processes" {
  secrets=$(on_host sed -nE 's/^SECRET_KEY(_FALLBACKS)?=//p; s,^DATABASE_URL=[^:]*://[^:]*:([^@]*)@.*,\1,p' /etc/book-shop/dev.env /etc/book-shop/prod.env | tr , '\n')
  [ "$(wc -l <<<"$secrets")" -ge 4 ]
  run -1 into_host sh -c 'grep -rqFf - /var/log/postgresql' <<<"$secrets"
  run -1 into_host sh -c 'cat >/run/secrets-of-test; journalctl --no-pager | grep -qFf /run/secrets-of-test' <<<"$secrets"
  run -1 on_host sh -c 'ps -eo args | grep -v grep | grep -qFf /run/secrets-of-test'
  on_host rm /run/secrets-of-test
}
