#!/usr/bin/env bats
load ../lib/shop.bash
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
docker exec --env ACTOR=tester test-host /opt/book-shop/bin/rollback-$environment"
  done
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
  assert_failed 2 "'stage' is no environment"
  verb rollback
  assert_failed 2 "'' is no environment"
  assert_wrong_calls rollback "dev 1.0.0"
}
