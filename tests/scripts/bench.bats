#!/usr/bin/env bats
load ../lib/shop.bash
setup() {
  start_shop bench
  tools ln
  fake_in_shop scripts/local/down
  mkdir -p tests/bench
  fake_in_shop tests/bench/peers
  # shellcheck disable=SC2016 # the fake itself expands it
  logged python3 'echo "in $(git -C "$SHOP" rev-parse HEAD), on $DELIVERY_DEMO $DELIVERY_REPOSITORY" >>"$LOG"; [ -z "${FAILS:-}" ]'
}

# assert_measured PART...: the parts ran after peers, on a separate host that was removed before and after.
assert_measured() {
  assert_log "tests/bench/peers
scripts/local/down
python3 tests/bench/road.py docs/bench $*
in $(head_of), on book-shop-bench localhost:15100/book-shop
scripts/local/down"
}

@test "bench: measures all parts on a separate local host and removes it afterwards" {
  parts=$("$PYTHON" -c 'import sys; sys.path[1:1] = sys.argv[1:]; from parts import PARTS; print(*PARTS)' \
    "$ROOT/tests/bench" "$ROOT/tests/lib" "$ROOT/scripts")
  verb bench
  assert_answer "" "==> docs/bench/road.md"
  assert_measured "$parts"
  rmdir "$TMPDIR"
}

@test "bench: measures only the named parts, and refuses an unknown part" {
  succeeds bench build promotion
  assert_measured build promotion
  next_verb bench promotion pushing
  assert_failed 2 "invalid part 'pushing': expected promotion swap"
  assert_log ""
}

@test "bench: fails if a part fails, and removes the host nevertheless" {
  FAILS=yes fails bench build
  assert_measured build
}
