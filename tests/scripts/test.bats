#!/usr/bin/env bats
load ../lib/shop.bash
setup() {
  start_shop
  real test
}
teardown() { stop_shop; }

@test "test: -h prints the header, another option is a wrong call, and neither touches anything" {
  verb test -h
  assert_success
  assert_output --partial "Usage: scripts/test"
  assert_output --partial "Runs on: laptop"
  assert_errors_whole ""
  verb test -x
  assert_failed 2 "Usage: scripts/test"
  assert_log ""
}
