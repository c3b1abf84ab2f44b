#!/usr/bin/env bats
load ../lib/shop.bash
setup() {
  start_shop
  real summary
  host_runs
  unset GITHUB_STEP_SUMMARY DELIVERY_STEPS
  host_does 'cat <<JSON
{"environments": [
  {"environment": "dev", "version": "1.1.0", "revision": "abcdef", "digest": "sha256:1", "healthy": true, "previous": null},
  {"environment": "prod", "version": null, "revision": null, "digest": null, "healthy": false, "previous": null}
], "host_files": "aaa"}
JSON'
  served="\
## 1.0.0, commit $(head_of)

|  | URL | version | revision | digest | healthy | last backup |
| --- | --- | --- | --- | --- | --- | --- |
| dev | http://localhost:8080 | 1.1.0 | abcdef | sha256:1 | yes | - |
| prod | http://localhost:80 | - | - | - | **no** | - |"
}
teardown() { stop_shop; }

timed="
| step | time | result |
| --- | --- | --- |
| scripts/setup deploy | 1.0 s | ok |
| scripts/setup infra | 0.2 s | **failed (1)** |
| scripts/deploy dev | 12.3 s | **failed (1)** |
| echo a \\| b | 0.0 s | ok |"
steps() { printf '%s\n' "1.0 0 scripts/setup deploy" "0.9 0 scripts/setup image" "0.2 1 scripts/setup infra" "12.3 1 scripts/deploy dev" "0.0 0 echo a | b" >"$TEST_DIR/steps"; }

@test "summary: on a terminal, what is served" {
  verb summary
  assert_success
  assert_output "$served"
  assert_errors_whole ""
  DELIVERY_STEPS=$TEST_DIR/none verb summary
  assert_success
  assert_output "$served"
}

@test "summary: with the steps that make has run" {
  steps
  DELIVERY_STEPS=$TEST_DIR/steps verb summary
  assert_success
  assert_output "$served
$timed"
}

@test "summary: in a job it is added to the job's page, and stdout says only that" {
  steps
  echo "of an earlier step" >"$TEST_DIR/page"
  GITHUB_STEP_SUMMARY=$TEST_DIR/page DELIVERY_STEPS=$TEST_DIR/steps verb summary
  assert_success
  assert_output "written to $TEST_DIR/page"
  assert_equal "$(cat "$TEST_DIR/page")" "of an earlier step
$served
$timed"
}

@test "summary: without an answer from the host the steps are told all the same, and it fails" {
  steps
  host_does 'echo "no kubectl" >&2; exit 4'
  DELIVERY_STEPS=$TEST_DIR/steps verb summary
  assert_failure 1
  assert_output "## 1.0.0, commit $(head_of)

What is served is not known: the live images are not known.
$timed"
  assert_errors "no kubectl" "the live images are not known"
  host_runs false
  DELIVERY_STEPS=$TEST_DIR/steps GITHUB_STEP_SUMMARY=$TEST_DIR/page verb summary
  assert_failure 1
  assert_equal "$(sed -n 3p "$TEST_DIR/page")" "What is served is not known: there is no local host to reach."
}

@test "summary: make leaves a line for each recipe, its seconds and its exit status, and changes neither output nor status" {
  cp "$ROOT/Makefile" .
  tools make sleep
  fake_in_shop scripts/setup 'echo "said $#"; sleep 0.25'
  fake_in_shop scripts/push 'echo "refused" >&2; exit 3'
  export DELIVERY_STEPS=$TEST_DIR/steps
  for target in setup push; do PATH=$TEST_DIR/bin:$PATH run make "$target"; done
  assert_failure 2
  assert_output --partial refused
  assert_output --partial "Error 3"
  awk 'NR == 1 {exit !($1 >= 0.2)}' "$DELIVERY_STEPS" # at least what it slept
  assert_equal "$(sed -E 's/^[0-9]+\.[0-9] /SECONDS /' "$DELIVERY_STEPS")" "SECONDS 0 scripts/setup
SECONDS 0 scripts/setup deploy
SECONDS 3 scripts/push"
  run make setup
  assert_success
  assert_output "said 0"
  DELIVERY_STEPS='' run make setup
  assert_output "said 0"
  assert_equal "$(grep -c '' "$TEST_DIR/steps")" 4
}

@test "summary: -h and wrong calls" { assert_wrong_calls summary dev; }
