#!/usr/bin/env bats
load ../lib/shop.bash
setup() {
  start_shop bench-shop
  # shellcheck disable=SC2016 # the fake itself expands it
  logged python3 '[ -z "${FAILS:-}" ]'
}

@test "bench-shop: passes the default file and sizes, or the given ones" {
  verb bench-shop
  assert_answer "" "==> docs/bench/shop.md"
  assert_log "python3 tests/bench/shop.py docs/bench/shop.md 500 1000 100000 1000000"
  FAILS=yes fails bench-shop
  succeeds bench-shop /tmp/shop.md 10 500
  assert_log "python3 tests/bench/shop.py /tmp/shop.md 10 500"
}
