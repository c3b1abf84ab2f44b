#!/usr/bin/env bats
# shellcheck disable=SC2016 # the fakes themselves expand what is quoted
load ../../lib/shop.bash
STEPS=("scripts/demo/up" "scripts/image" "scripts/push" "scripts/deploy dev" "scripts/promote" "scripts/deploy prod" "scripts/demo/sample-books")

setup() {
  start_shop demo/run
  local step
  for step in "${STEPS[@]}" scripts/status; do fake_in_shop "${step% *}" 'echo "answer of ${0##*/}"; call=${0#"$SHOP/"}${*:+ $*}; [ "$call" != "${FAILS:-}" ]'; done
  tools cut grep sort
  fake_in_shop scripts/demo/up '[ "${FAILS:-}" != scripts/demo/up ]'
  fake_in_shop scripts/demo/sample-books
  export SHOP
}

@test "demo: the path step by step, each with the seconds so far; the answer is the table" {
  verb demo/run
  assert_answer "answer of status"
  assert_equal "$(sort "$LOG")" "$(printf '%s\n' "${STEPS[@]}" scripts/status | sort)"
  assert_equal "$(sed -n 's/^==> \[ *[0-9]* s\] //p' "$TEST_DIR/stderr")" "\
local host and image
push
deploy dev and prod
sample books
done"
}

@test "demo: nothing is pushed before host and image are there, nothing is promoted before the push" {
  verb demo/run
  before() { [ "$(grep -nxF "$1" "$LOG" | cut -d: -f1)" -lt "$(grep -nxF "$2" "$LOG" | cut -d: -f1)" ]; }
  for first in scripts/demo/up scripts/image; do before "$first" scripts/push; done
  before scripts/push "scripts/deploy dev"
  before scripts/push scripts/promote
  before scripts/promote "scripts/deploy prod"
  for first in "scripts/deploy dev" "scripts/deploy prod"; do before "$first" scripts/demo/sample-books; done
}

@test "demo: what a deploy reports is labelled with its environment" {
  fake_in_shop scripts/deploy 'echo "==> migrate" >&2'
  succeeds demo/run
  assert_errors "dev: ==> migrate" "prod: ==> migrate"
}

@test "demo: a step that fails ends it, and there is no table" {
  for failing in "scripts/demo/up" "scripts/image" "scripts/push" "scripts/deploy dev" "scripts/promote" "scripts/deploy prod"; do
    FAILS=$failing next_verb demo/run
    assert_failed 1 "==> "
    refute grep -E 'sample-books|status' "$LOG"
  done
}
