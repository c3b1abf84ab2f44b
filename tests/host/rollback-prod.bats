#!/usr/bin/env bats
load ../lib/host.bash
setup() {
  start_host
  lay_ready
}
teardown() { stop_host; }

@test "rollback-prod: nothing was served before: says so and does nothing" {
  verb rollback-prod
  assert_refused 1 "rollback-prod: nothing to roll back to: prod has served no other image yet"
  deployed prod 1
  verb rollback-prod
  assert_refused 1 "nothing to roll back to"
}

@test "rollback-prod: brings back what served before; run twice, it goes back and forth" {
  deployed prod 1
  deployed prod 2
  ACTOR=ann verb rollback-prod
  assert_success
  assert_output ""
  assert_equal "$(served_in prod)" "1"
  assert_equal "$(remembered prod)" "1 2"
  assert_deploy_log "ann prod rollback $(image 1) ok"
  assert_last_words "==> prod serves $(image 1)"
  refute grep -q "docker pull" "$LOG"
  verb rollback-prod
  assert_success
  assert_equal "$(served_in prod)" "2"
  assert_equal "$(remembered prod)" "2 1"
}

@test "rollback-prod: a failed deploy is nothing to roll back to" {
  deployed prod 1
  deployed prod 2
  in_registry 3 rollout
  verb deploy-prod "$(image 3)"
  assert_equal "$status" 1
  verb rollback-prod
  assert_success
  assert_equal "$(served_in prod)" "1"
}

@test "rollback-prod: a previous image that fails: the current one serves on" {
  deployed prod 1
  deployed prod 2
  in_registry 1 rollout
  verb rollback-prod
  assert_failed 1 "Still serving: $(image 2)"
  assert_equal "$(served_in prod)" "2"
  assert_equal "$(remembered prod)" "2 1"
  assert_deploy_log "unknown prod rollback $(image 1) failed"
}

@test "rollback-prod: after a wait for another deploy, what that one replaced is brought back" {
  deployed prod 1
  deployed prod 2
  # The other deploy ends while this one waits for the lock.
  rm "$TEST_DIR/bin/flock"
  fake flock <<FLOCK
#!/bin/bash
if [ ! -e "$WORLD/waited" ]; then
  : >"$WORLD/waited"
  echo "$(image 2)" >"$STATE/prod/previous"
  echo "$(image 3)" >"$STATE/prod/current"
  echo "$(image 3)" >"$WORLD/deployment"
  echo "$(image 3)" >"$WORLD/pods"
elif $(command -v flock) -n "$HOST_ROOT/run/lock/book-shop-prod" bash -c :; then
  : >"$WORLD/let-go" # between the rollback's lock and that of the deploy that it becomes
fi
exec $(command -v flock) "\$@"
FLOCK
  in_registry 3
  verb rollback-prod
  assert_success
  refute [ -e "$WORLD/let-go" ]
  assert_equal "$(served_in prod)" "2"
  assert_equal "$(remembered prod)" "2 3"
}

@test "rollback-prod: to an image that has served here once, although it has gone from the host since" {
  for number in 1 2 3; do deployed prod "$number"; done
  refute [ -e "$WORLD/here/$(hex 1)" ]
  ACTOR=ann verb rollback-prod "$(image 1)"
  assert_success
  assert grep -q "^docker pull -q $(image 1)" "$LOG"
  assert_equal "$(remembered prod)" "1 3"
  assert_deploy_log "ann prod rollback $(image 1) ok"
}

@test "rollback-prod: never to an image that failed here, nor to one that has never served here" {
  deployed prod 1
  in_registry 2 migrate
  verb deploy-prod "$(image 2)"
  assert_equal "$status" 1
  : >"$LOG"
  verb rollback-prod "$(image 2)"
  assert_refused 1 "rollback-prod: $(image 2) failed when it was last deployed to prod" "make history"
  verb rollback-prod "$(image 3)"
  assert_refused 1 "rollback-prod: prod has never served $(image 3)" "make deploy-prod"
  in_registry 2
  deployed prod 2
  deployed prod 3
  verb rollback-prod "$(image 2)" # it was mended: what it did last counts
  assert_success
}

@test "rollback-prod: wrong calls" { assert_wrong_calls_on_host rollback-prod "-x" "$(image 1) $(image 1)"; }

@test "rollback-prod: hostile images" { assert_hostile_images_refused rollback-prod; }
