#!/usr/bin/env bats
load ../lib/host.bash
setup() {
  start_host
  lay_ready
}
teardown() { stop_host; }

@test "rollback-dev: nothing was served before: says so and does nothing" {
  verb rollback-dev
  assert_refused 1 "rollback-dev: nothing to roll back to: dev has served no other image yet"
  deployed dev 1
  verb rollback-dev
  assert_refused 1 "nothing to roll back to"
}

@test "rollback-dev: brings back what served before; run twice, it goes back and forth" {
  deployed dev 1
  deployed dev 2
  ACTOR=ann verb rollback-dev
  assert_success
  assert_output ""
  assert_equal "$(served_in dev)" "1 book-shop-b"
  assert_equal "$(remembered dev)" "1 2"
  assert_deploy_log "ann dev rollback $(image 1) ok"
  assert_last_words "==> dev serves $(image 1)"
  refute grep -q "docker pull" "$LOG"
  verb rollback-dev
  assert_success
  assert_equal "$(served_in dev)" "2 book-shop-a"
  assert_equal "$(remembered dev)" "2 1"
}

@test "rollback-dev: a failed deploy is nothing to roll back to" {
  deployed dev 1
  deployed dev 2
  in_registry 3 crash
  verb deploy-dev "$(image 3)"
  assert_equal "$status" 1
  verb rollback-dev
  assert_success
  assert_equal "$(served_in dev)" "1 book-shop-b"
}

@test "rollback-dev: a previous image that fails: the current one serves on" {
  deployed dev 1
  deployed dev 2
  in_registry 1 crash
  verb rollback-dev
  assert_failed 1 "Still serving: $(image 2)"
  assert_equal "$(served_in dev)" "2 book-shop-a"
  assert_equal "$(remembered dev)" "2 1"
  assert_deploy_log "unknown dev rollback $(image 1) failed"
}

@test "rollback-dev: after a wait for another deploy, what that one replaced is brought back" {
  deployed dev 1
  deployed dev 2
  # The other deploy ends while this one waits for the lock.
  rm "$TEST_DIR/bin/flock"
  fake flock <<FLOCK
#!/bin/bash
if [ ! -e "$WORLD/waited" ]; then
  : >"$WORLD/waited"
  echo "$(image 2)" >"$STATE/dev/previous"
  echo "$(image 3)" >"$STATE/dev/current"
  echo "$(image 3)" >"$WORLD/containers/book-shop-a"
elif $(command -v flock) -n "$HOST_ROOT/run/lock/book-shop-dev" bash -c :; then
  : >"$WORLD/let-go" # between the rollback's lock and that of the deploy that it becomes
fi
exec $(command -v flock) "\$@"
FLOCK
  in_registry 3
  verb rollback-dev
  assert_success
  refute [ -e "$WORLD/let-go" ]
  assert_equal "$(served_in dev)" "2 book-shop-b"
  assert_equal "$(remembered dev)" "2 3"
}

@test "rollback-dev: to an image that has served here once, although it has gone from the host since" {
  for number in 1 2 3; do deployed dev "$number"; done
  refute [ -e "$WORLD/here/$(hex 1)" ]
  ACTOR=ann verb rollback-dev "$(image 1)"
  assert_success
  assert grep -q "^docker pull -q $(image 1)" "$LOG"
  assert_equal "$(remembered dev)" "1 3"
  assert_deploy_log "ann dev rollback $(image 1) ok"
}

@test "rollback-dev: never to an image that failed here, nor to one that has never served here" {
  deployed dev 1
  in_registry 2 migrate
  verb deploy-dev "$(image 2)"
  assert_equal "$status" 1
  : >"$LOG"
  verb rollback-dev "$(image 2)"
  assert_refused 1 "rollback-dev: $(image 2) failed when it was last deployed to dev" "make history"
  verb rollback-dev "$(image 3)"
  assert_refused 1 "rollback-dev: dev has never served $(image 3)" "make deploy-dev"
  in_registry 2
  deployed dev 2
  deployed dev 3
  verb rollback-dev "$(image 2)" # it was mended: what it did last counts
  assert_success
}

@test "rollback-dev: wrong calls" { assert_wrong_calls_on_host rollback-dev "-x" "$(image 1) $(image 1)"; }

@test "rollback-dev: hostile images" { assert_hostile_images_refused rollback-dev; }
