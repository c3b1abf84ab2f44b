#!/usr/bin/env bats
load ../lib/host.bash
setup() {
  start_host
  lay_ready
}
teardown() { stop_host; }

@test "history: nothing yet" {
  verb history dev
  assert_success
  assert_output ""
  assert_errors_whole ""
}

@test "history: the last deploys of the environment, oldest first" {
  for number in 1 2 3; do deployed dev "$number"; done
  deployed prod 1
  in_registry 4 migrate
  ACTOR=ann verb deploy-dev "$(image 4)"
  verb rollback-dev
  verb history dev
  assert_success
  told() { jq -r '[.actor, .verb, .commit, .digest, .result] | join(" ")' <<<"$output"; }
  run told
  assert_output "unknown deploy $(revision 1) sha256:$(hex 1) ok
unknown deploy $(revision 2) sha256:$(hex 2) ok
unknown deploy $(revision 3) sha256:$(hex 3) ok
ann deploy $(revision 4) sha256:$(hex 4) failed
unknown rollback $(revision 2) sha256:$(hex 2) ok"
  verb history dev 2
  assert_equal "$(jq -r .verb <<<"$output")" $'deploy\nrollback'
  verb history prod
  assert_equal "$(jq -r .digest <<<"$output")" "sha256:$(hex 1)"
}

@test "history: asks, and changes nothing" {
  deployed dev 1
  before=$(tree "$HOST_ROOT" "$WORLD")
  verb history dev
  assert_equal "$(tree "$HOST_ROOT" "$WORLD")" "$before"
  assert_log ""
}

@test "history: wrong calls" { assert_wrong_calls_on_host history "" stage "dev 0" "dev 100000" "dev 1 1" ";reboot" "--dev"; }
