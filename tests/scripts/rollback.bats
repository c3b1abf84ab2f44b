#!/usr/bin/env bats
load ../lib/shop.bash
setup_file() { start_registry; }
teardown_file() { stop_registry; }
setup() {
  start_shop
  real rollback
  host_runs
}
teardown() { stop_shop; }

@test "rollback: the host's verb of the environment is run, with nothing to remember" {
  for environment in dev prod; do
    : >"$LOG"
    host_does 'echo "==> done" >&2'
    verb rollback "$environment"
    assert_success
    assert_output ""
    assert_errors_whole "==> done"
    assert_log "docker container inspect --format {{.State.Running}} test-host
docker exec --env DELIVERY_ACTOR=tester test-host /opt/book-shop/bin/rollback $environment"
  done
}

@test "rollback: to a version, a snapshot's tag or a digest that is named" {
  digest=$(in_registry 0.9.0)
  for name in 0.9.0 "$DELIVERY_REPOSITORY@$digest"; do
    : >"$LOG"
    verb rollback prod "$name"
    assert_success
    assert_log "docker container inspect --format {{.State.Running}} test-host
docker exec --env DELIVERY_ACTOR=tester test-host /opt/book-shop/bin/rollback prod $DELIVERY_REPOSITORY@$digest"
  done
  verb rollback prod 0.8.0
  assert_failed 1 "$DELIVERY_REPOSITORY has no tag 0.8.0" "remedy: make history-dev history-prod"
  for name in "a b" "-x" "localhost:1/other@$digest"; do
    : >"$LOG"
    verb rollback prod "$name"
    assert_equal "$status" 2
    assert_log ""
  done
}

@test "rollback: DELIVERY_PLAN=1 asks for the plan of what it would bring back, and runs nothing else" {
  digest=$(in_registry 0.9.0)
  host_does 'case $* in *status*) echo "{\"environments\": [{\"environment\": \"prod\", \"previous\": \"'"$digest"'\"}, {\"environment\": \"dev\", \"previous\": null}]}" ;; *) echo "the plan" ;; esac'
  DELIVERY_PLAN=1 verb rollback prod
  assert_success
  assert_output "the plan"
  assert_equal "$(tail -n 1 "$LOG")" "docker exec --env DELIVERY_ACTOR=tester test-host /opt/book-shop/bin/plan prod $DELIVERY_REPOSITORY@$digest"
  refute grep -q bin/rollback "$LOG"
  DELIVERY_PLAN=1 verb rollback dev
  assert_failed 1 "nothing to roll back to" "remedy: make history-dev"
  DELIVERY_PLAN=yes verb rollback prod
  assert_failed 2 "invalid DELIVERY_PLAN 'yes'"
}

@test "rollback: the actor is GitHub's in CI" {
  GITHUB_ACTOR='dependabot[bot]' verb rollback dev
  assert_success
  assert grep -F 'ACTOR=dependabot[bot] test-host' "$LOG"
}

@test "rollback: the host's failure is passed on" {
  host_does 'echo "nothing to roll back to" >&2; exit 3'
  verb rollback prod
  assert_failed 3 "nothing to roll back to"
}

@test "rollback: without a host it names make demo" {
  rm "$ENGINE/containers/test-host"
  verb rollback dev
  assert_failed 1 "there is no local host to reach" "remedy: make demo"
  assert_log "docker container inspect --format {{.State.Running}} test-host"
}

@test "rollback: -h and wrong calls" {
  verb rollback stage
  assert_failed 2 "invalid environment 'stage'"
  verb rollback
  assert_failed 2 "the following arguments are required: environment"
  assert_wrong_calls rollback "dev 1.0.0 2.0.0"
}
