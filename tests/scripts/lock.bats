#!/usr/bin/env bats
load ../lib/shop.bash
setup() {
  start_shop
  real lock
  # shellcheck disable=SC2016 # the fake itself expands it
  logged uv 'echo "what it resolved"; [[ ${FAILS:-} = "" || "$*" != *"$FAILS"* ]]'
}
teardown() { stop_shop; }

compiled() { echo "uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --python-version 3.10 --custom-compile-command make lock $*"; }

@test "lock: the application first, then the tests within the application's versions" {
  verb lock
  assert_success
  assert_output ""
  assert_log "$(compiled book-shop/pyproject.toml --output-file book-shop/requirements.lock)
$(compiled tests/requirements.in --constraints book-shop/requirements.lock --output-file tests/requirements.lock)"
}

@test "lock: what can't be resolved stops it" {
  FAILS=book-shop/pyproject.toml verb lock
  assert_failure 1
  assert_log "$(compiled book-shop/pyproject.toml --output-file book-shop/requirements.lock)"
}

@test "lock: -h and wrong calls" { assert_wrong_calls lock; }
