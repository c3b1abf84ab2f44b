#!/usr/bin/env bats
load ../lib/shop.bash
setup() {
  start_shop
  real run
  # shellcheck disable=SC2016 # the fake itself expands it
  logged python3 'echo "  in ${PWD##*/}, DEBUG=$DEBUG" >>"$LOG"; [[ "$*" != *"${FAILS:-nothing}"* ]]'
}
teardown() { stop_shop; }

commands() { # COMMAND...: the log of these
  printf 'python3 manage.py %s\n  in book-shop, DEBUG=1\n' "$@"
}

@test "run: migrates, loads the sample books and serves, in debug mode" {
  verb run
  assert_success
  assert_log "$(commands "migrate --verbosity 0" load_sample_books "runserver 8000")"
  : >"$LOG"
  verb run 9000
  assert_success
  assert_log "$(commands "migrate --verbosity 0" load_sample_books "runserver 9000")"
}

@test "run: nothing is served when the database can't be made" {
  FAILS=migrate verb run
  assert_failure 1
  assert_log "$(commands "migrate --verbosity 0")"
  : >"$LOG"
  FAILS=load_sample_books verb run
  assert_failure 1
  assert_log "$(commands "migrate --verbosity 0" load_sample_books)"
}

@test "run: -h and wrong calls" { assert_wrong_calls run 0 080 123456 port '1;id' "8000 8001"; }
