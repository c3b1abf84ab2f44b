#!/usr/bin/env bats
load ../lib/shop.bash
setup_file() { start_registry; }
teardown_file() { stop_registry; }
setup() {
  start_shop
  real deploy
  host_runs
}
teardown() { stop_shop; }

host_was_told() { # ENVIRONMENT DIGEST: the log of a deploy
  printf 'docker container inspect --format {{.State.Running}} test-host\n'
  printf 'docker exec --env DELIVERY_ACTOR=tester test-host /opt/book-shop/bin/deploy %s %s@%s' "$1" "$DELIVERY_REPOSITORY" "$2"
}

@test "deploy dev: HEAD's snapshot tag becomes a digest, which alone the host is told and stdout has" {
  digest=$(in_registry "$(snapshot_of)")
  host_does 'echo "host: says its answer"; echo "==> host: a step" >&2'
  verb deploy dev
  assert_success
  assert_output "$DELIVERY_REPOSITORY@$digest"
  assert_errors_whole $'host: says its answer\n==> host: a step'
  assert_log "$(host_was_told dev "$digest")"
}

@test "deploy prod: HEAD's release" {
  digest=$(in_registry 1.0.0)
  verb deploy prod
  assert_success
  assert_output "$DELIVERY_REPOSITORY@$digest"
  assert_log "$(host_was_told prod "$digest")"
}

@test "deploy: a tag or a digest may be named" {
  digest=$(in_registry 0.9.0)
  for name in 0.9.0 "$DELIVERY_REPOSITORY@$digest"; do
    for environment in dev prod; do
      : >"$LOG"
      verb deploy "$environment" "$name"
      assert_success
      assert_output "$DELIVERY_REPOSITORY@$digest"
      assert_log "$(host_was_told "$environment" "$digest")"
    done
  done
}

@test "deploy prod: a snapshot's tag is a wrong call, asked of nobody" {
  in_registry "$(snapshot_of)"
  before=$(asked)
  verb deploy prod "$(snapshot_of)"
  assert_failed 2 "'$(snapshot_of)' is not a release" "production runs releases only" "remedy: make promote"
  assert_log ""
  assert_equal "$(asked)" "$before"
}

@test "deploy: DELIVERY_PLAN=1 asks the host for the plan, which is the answer, and for nothing else" {
  digest=$(in_registry "$(snapshot_of)")
  host_does 'echo "image: none"'
  DELIVERY_PLAN=1 verb deploy dev
  assert_success
  assert_output "image: none"
  assert_log "docker container inspect --format {{.State.Running}} test-host
docker exec --env DELIVERY_ACTOR=tester test-host /opt/book-shop/bin/plan dev $DELIVERY_REPOSITORY@$digest"
  host_does 'echo "no kubectl" >&2; exit 3'
  DELIVERY_PLAN=1 verb deploy dev
  assert_failed 3 "no kubectl"
  DELIVERY_PLAN=0 verb deploy dev
  assert_failed 2 "invalid DELIVERY_PLAN '0'" "remedy: unset DELIVERY_PLAN"
}

@test "deploy: a tag that isn't there names what makes it, and the host isn't asked" {
  verb deploy dev
  assert_failed 1 "$DELIVERY_REPOSITORY has no tag $(snapshot_of)" "remedy: make image push"
  verb deploy prod
  assert_failed 1 "$DELIVERY_REPOSITORY has no tag 1.0.0" "remedy: make promote"
  assert_log ""
}

@test "deploy: without a host it names make demo and tells nobody anything" {
  in_registry "$(snapshot_of)"
  host_runs false
  verb deploy dev
  assert_failed 1 "there is no local host to reach" "container test-host is stopped" "remedy: make demo"
  rm "$ENGINE/containers/test-host"
  verb deploy dev
  assert_failed 1 "No such container: test-host" "remedy: make demo"
  rm -r "$ENGINE"
  verb deploy dev
  assert_failed 1 "Cannot connect to the Docker daemon" "remedy: make demo"
  refute grep exec "$LOG"
  rm "$TEST_DIR/bin/docker"
  verb deploy dev
  assert_failed 1 "there is no Docker engine here" "remedy: make setup"
}

@test "deploy: the host's failure is passed on, its words and its exit status, and there is no answer" {
  in_registry "$(snapshot_of)"
  host_does 'echo "deploy-dev: never ready" >&2; exit 7'
  verb deploy dev
  assert_failed 7 "deploy-dev: never ready"
}

@test "deploy: wrong names are wrong calls that reach neither registry nor host" {
  digest=sha256:$(printf 'a%.0s' {1..64})
  verb deploy
  assert_failed 2 "the following arguments are required: environment" "Usage: scripts/deploy"
  verb deploy stage
  assert_failed 2 "invalid environment 'stage'" "expected dev or prod"
  verb deploy dev "localhost:1/other@$digest"
  assert_failed 2 "is of another repository" "this shop's is $DELIVERY_REPOSITORY"
  for name in "" "a b" "\$(reboot)" "../1.0.0" $'1.0.0\n' "$DELIVERY_REPOSITORY@sha256:abc" "@$digest"; do
    for environment in dev prod; do
      verb deploy "$environment" "$name"
      assert_failed 2 "deploy: " "why: " "remedy: "
    done
  done
  DELIVERY_HOST=moon verb deploy dev "$DELIVERY_REPOSITORY@$digest"
  assert_failed 2 "invalid DELIVERY_HOST 'moon'" "expected local or aws"
  assert_log ""
  assert_equal "$(asked)" ""
}

@test "deploy: REPOSITORY and HOST are demanded" {
  in_registry "$(snapshot_of)"
  DELIVERY_REPOSITORY='' verb deploy dev
  assert_failed 1 "REPOSITORY is not set"
  DELIVERY_HOST='' verb deploy dev
  assert_failed 1 "HOST is not set"
  assert_log ""
}

@test "deploy: -h and wrong calls" { assert_wrong_calls deploy "dev 1.0.0 more"; }
