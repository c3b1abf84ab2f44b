#!/usr/bin/env bats
# Of lib/lock.sh: a Lease.
load ../lib/cluster.bash
setup() {
  start_cluster
  in_registry 1
}
teardown() { stop_host; }

@test "lock of a cluster: held by another: waits, then names the owner and touches nothing" {
  held_by "deploy-prod of somebody, by ann, process 1 on a-laptop, since then"
  LOCK_WAIT=0 verb deploy-prod "$(image 1)"
  assert_failed 1 "deploy-prod: prod is locked by: deploy-prod of somebody, by ann, process 1 on a-laptop, since then. Try again when it has ended"
  refute grep -Eq ' (apply|delete|replace) ' "$LOG"
  LOCK_WAIT=0 verb rollback-prod
  assert_failed 1 "rollback-prod: prod is locked by: deploy-prod of somebody"
  assert_equal "$(holder)" "deploy-prod of somebody, by ann, process 1 on a-laptop, since then"
}

@test "lock of a cluster: one that nobody renews is taken from its dead owner; status named it" {
  held_by "deploy-prod of somebody who died"
  verb status --json
  assert_equal "$(jq -r '.environments[0].deploying' <<<"$output")" "deploy-prod of somebody who died"
  LEASE_LIMIT=1 verb deploy-prod "$(image 1)"
  assert_success
  assert_equal "$(holder)" ""
  verb status --json
  assert_equal "$(jq -r '.environments[0].deploying' <<<"$output")" null
}

@test "lock of a cluster: one that is renewed is nobody else's, however long it takes" {
  held_by "deploy-prod of somebody"
  # Whoever waits looks again: each time there is another version of it.
  mv "$TEST_DIR/bin/kubectl" "$TEST_DIR/bin/renewed"
  fake kubectl <<'FAKE'
#!/bin/bash
[[ "$*" != *"get lease"* ]] || /usr/bin/jq --arg version "$RANDOM$RANDOM" '.metadata.resourceVersion = $version' "$WORLD/lease.json" >"$WORLD/new"
[ ! -f "$WORLD/new" ] || /usr/bin/env mv "$WORLD/new" "$WORLD/lease.json"
exec "${0%/*}/renewed" "$@"
FAKE
  LEASE_LIMIT=1 LOCK_WAIT=3 verb deploy-prod "$(image 1)"
  assert_failed 1 "prod is locked by: deploy-prod of somebody"
}

@test "lock of a cluster: of two who find it free only one gets it" {
  # Somebody takes it between this one's look and its hand.
  mv "$TEST_DIR/bin/kubectl" "$TEST_DIR/bin/kubectl-of-one"
  fake kubectl <<'FAKE'
#!/bin/bash
if [[ "$*" == *"replace -f -" ]] && [ ! -e "$WORLD/taken" ]; then
  : >"$WORLD/taken"
  /usr/bin/jq '.metadata.resourceVersion = "9" | .spec.holderIdentity = "somebody quicker"' "$WORLD/lease.json" >"$WORLD/new"
  /usr/bin/env mv "$WORLD/new" "$WORLD/lease.json"
fi
exec "${0%/*}/kubectl-of-one" "$@"
FAKE
  LOCK_WAIT=0 verb deploy-prod "$(image 1)"
  assert_equal "$status" 1
  assert_errors "the object has been modified" "prod is locked by"
  assert_equal "$(holder)" "somebody quicker"
}

@test "lock of a cluster: a rollback hands it on to the deploy that it becomes" {
  deployed prod 1
  in_registry 2
  deployed prod 2
  ACTOR=ann verb rollback-prod
  assert_success
  assert_equal "$(grep -c "replace Lease" "$LOG")" 1
  assert_equal "$(holder)" ""
  assert_equal "$(remembered prod)" "1 2"
  assert_deploy_log "ann prod rollback $(image 1) ok"
}

@test "lock of a cluster: one that was lost meanwhile is not freed" {
  mv "$TEST_DIR/bin/kubectl" "$TEST_DIR/bin/kubectl-then"
  fake kubectl <<'FAKE'
#!/bin/bash
if [[ "$*" == *"rollout status"* ]]; then
  /usr/bin/jq '.spec.holderIdentity = "somebody later"' "$WORLD/lease.json" >"$WORLD/new"
  /usr/bin/env mv "$WORLD/new" "$WORLD/lease.json"
fi
exec "${0%/*}/kubectl-then" "$@"
FAKE
  verb deploy-prod "$(image 1)"
  assert_errors "the lock is free in 30 s"
  assert_equal "$(holder)" "somebody later"
}

@test "lock of a cluster: after a wait for another deploy, what that one replaced is brought back" {
  deployed prod 1
  in_registry 2
  deployed prod 2
  in_registry 3
  # The other deploy ends while this one waits for the lock.
  held_by "deploy-prod of somebody"
  mv "$TEST_DIR/bin/kubectl" "$TEST_DIR/bin/kubectl-after"
  fake kubectl <<FAKE
#!/bin/bash
if [[ "\$*" == *"get lease"* ]] && [ ! -e "$WORLD/waited" ]; then
  : >"$WORLD/waited"
  "\${0%/*}/kubectl-after" "\$@"
  status=\$?
  /usr/bin/jq '.spec.holderIdentity = ""' "$WORLD/lease.json" >"$WORLD/new" && /usr/bin/env mv "$WORLD/new" "$WORLD/lease.json"
  /usr/bin/jq '.data.previous = "$(image 2)\n" | .data.current = "$(image 3)\n"' "$WORLD/memory.json" >"$WORLD/new" && /usr/bin/env mv "$WORLD/new" "$WORLD/memory.json"
  exit \$status
fi
exec "\${0%/*}/kubectl-after" "\$@"
FAKE
  verb rollback-prod
  assert_success
  assert_equal "$(remembered prod)" "2 3"
}
