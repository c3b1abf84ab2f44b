#!/usr/bin/env bats
load ../lib/shop.bash
setup() {
  start_shop
  real bench
  tools ln
  fake_in_shop scripts/demo/down
  mkdir -p tests/bench
  fake_in_shop tests/bench/peers
  # shellcheck disable=SC2016 # the fake itself expands it
  logged python3 'echo "in $(git -C "$SHOP" rev-parse HEAD), on $DELIVERY_DEMO $DELIVERY_REPOSITORY" >>"$LOG"; [ -z "${FAILS:-}" ]'
}
teardown() { stop_shop; }

# bench_log PART...: the peers, then the parts on a host of its own, which is gone before and after.
bench_log() {
  printf '%s\n' "tests/bench/peers" "scripts/demo/down" "python3 tests/bench/road.py docs/bench $*" \
    "in $(head_of), on book-shop-bench localhost:15100/book-shop" "scripts/demo/down"
}

@test "bench: all parts, on a local host of its own that is gone afterwards" {
  verb bench
  assert_success
  assert_output ""
  assert_errors_whole "==> docs/bench/road.md"
  assert_log "$(bench_log promotion swap rollout build commit serving)"
  run ls -A "$TMPDIR"
  assert_output ""
}

@test "bench: the parts that are named" {
  verb bench build promotion
  assert_success
  assert_log "$(bench_log build promotion)"
}

@test "bench: it knows each part that there is, and no other" {
  parts=$("$PYTHON" -c 'import sys; sys.path[1:1] = sys.argv[1:]; from parts import PARTS; print(*PARTS)' "$ROOT/tests/bench" "$ROOT/tests/lib" "$ROOT/scripts")
  verb bench
  assert_log "$(bench_log "$parts")"
  : >"$LOG"
  verb bench promotion pushing
  assert_failed 2 "there is no part 'pushing'; there are: $parts"
  assert_log ""
}

@test "bench: a part that fails is a failure, and its host is gone too" {
  FAILS=yes verb bench build
  assert_failure 1
  assert_log "$(bench_log build)"
}

@test "bench: -h and wrong calls" { assert_wrong_calls bench "promote" "-n"; }
