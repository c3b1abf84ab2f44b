#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Pipelines whose smoke test fails (tests/e2e/pipelines.bash): they are red, and the previous image
# serves again.
load faults.bash
load ../e2e/pipelines.bash

setup_file() {
  start_faults
  git -C "$SHOP" switch -q -C main
  stub_checks
  bump 9.0.0
  commit "checks for the tests"
  shop image push deploy-dev promote deploy-prod
  git -C "$SHOP" branch -f dev
}
setup() {
  start_github "$BATS_FILE_TMPDIR/github"
  git -C "$SHOP" switch -q dev
}
teardown() {
  [ -z "${WATCH:-}" ] || kill "$WATCH"
  stop_github
  install_host
  [ -n "${BATS_TEST_COMPLETED:-}" ] || tail -n 60 "$BATS_TEST_TMPDIR/act"
}

@test "a push to dev whose page fails outside of the host is red, and the previous image serves again" {
  before=$(revision_of dev)
  watch dev
  nginx_refuses dev "(?!127)"
  on_dev 9.1.0
  assert_steps 1 "make check" "make image" "make push" "make deploy-dev" "make smoke-dev" "make summary"
  assert_output --partial "/cart'"
  assert_output --partial "roll back the deploy of this run"
  assert_revision "$before" dev
  assert_served_throughout
}

@test "a push to main whose page fails outside of the host is red, and nothing is released" {
  before=$(revision_of prod)
  watch prod
  nginx_refuses prod "(?!127)"
  merge_to_main main dev # version 9.1.0, whose snapshot was pushed
  assert_steps 1 "make check" "make release-check" "make promote" "make deploy-prod" "make smoke-prod" "make summary"
  assert_output --partial "roll back the deploy of this run"
  assert_revision "$before" prod
  assert_equal "$(releases)" "[]"
  assert_served_throughout
}
