#!/usr/bin/env bats
load ../../lib/shop.bash
STEPS=("scripts/demo/up" "scripts/image" "scripts/push" "scripts/deploy dev" "scripts/promote" "scripts/deploy prod" "scripts/demo/sample-books")

setup() {
  start_shop
  real demo/run
  local step
  # shellcheck disable=SC2016 # the fake itself expands it
  for step in "${STEPS[@]}" scripts/status; do fake_in_shop "${step% *}" 'echo "answer of ${0##*/}"; call=${0#"$SHOP/"}${*:+ $*}; [ "$call" != "${FAILS:-}" ]'; done
  fake_in_shop scripts/demo/up
  fake_in_shop scripts/demo/sample-books
  export SHOP
}
teardown() { stop_shop; }

@test "demo: the road step by step, each with the seconds so far; the answer is the table" {
  verb demo/run
  assert_success
  assert_output "answer of status"
  assert_log "$(printf '%s\n' "${STEPS[@]}" scripts/status)"
  assert_equal "$(sed 's/\[ *[0-9]* s\]/[N s]/' "$TEST_DIR/stderr")" "\
==> [N s] local host
==> [N s] image
==> [N s] push
==> [N s] deploy dev
==> [N s] promote
==> [N s] deploy prod
==> [N s] sample books
==> [N s] done"
}

@test "demo: a step that fails is the last one, and there is no table" {
  for failing in "scripts/image" "scripts/push" "scripts/deploy dev" "scripts/promote" "scripts/deploy prod"; do
    : >"$LOG"
    FAILS=$failing verb demo/run
    assert_failed 1 "==> "
    assert_equal "$(sed -n '$p' "$LOG")" "$failing"
  done
}

@test "demo: -h and wrong calls" { assert_wrong_calls demo/run; }
