#!/usr/bin/env bats
load ../lib/shop.bash
setup_file() { start_registry; }
teardown_file() { stop_registry; }
setup() {
  start_shop
  real prune
  host_runs
  export NEEDED=$TEST_DIR/needed
  # shellcheck disable=SC2016 # the fake itself expands it
  host_does 'cat "$NEEDED"'
}
teardown() { stop_shop; }

# snapshots NUMBER: that many commits with a snapshot each; DIGESTS and TAGS hold them, the oldest first.
snapshots() {
  local number images=()
  for ((number = 0; number < $1; number++)); do
    change book-shop/x "$number"
    TAGS+=("$(snapshot_of)")
    images+=("$DELIVERY_REPOSITORY:${TAGS[-1]}" "number=$number")
  done
  mapfile -t -O "${#DIGESTS[@]}" DIGESTS < <("$PYTHON" "$OCI" push "${images[@]}")
}
# host_needs DEV PROD [PREVIOUS_DEV PREVIOUS_PROD]: digests.
host_needs() {
  local each values=()
  for each in "$1" "$2" "${3:-}" "${4:-}"; do if [ -n "$each" ]; then values+=("\"$each\""); else values+=(null); fi; done
  printf '{"environments": [{"environment": "dev", "digest": %s, "previous": %s}, {"environment": "prod", "digest": %s, "previous": %s}]}\n' \
    "${values[0]}" "${values[2]}" "${values[1]}" "${values[3]}" >"$NEEDED"
}
release() { # VERSION NUMBER: that snapshot gets the release tag
  in_registry "$1" "number=$2" >/dev/null
}
requests_that_write() { asked | grep -cvE '^(HEAD|GET) ' || true; }
left() { # how many of DIGESTS are still there
  local number=0 digest
  for digest in "${DIGESTS[@]}"; do
    curl -fs -o /dev/null -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://${DELIVERY_REPOSITORY/\///v2/}/manifests/$digest" && number=$((number + 1))
  done
  echo "$number"
}

@test "prune: by itself it says what can go and why the rest stays, and deletes nothing" {
  snapshots 6
  release 0.9.0 0
  host_needs "${DIGESTS[2]}" "${DIGESTS[0]}" "${DIGESTS[1]}"
  before=$(requests_that_write)
  verb prune 2
  assert_success
  assert_output "\
keep   ${DIGESTS[5]} ${TAGS[5]} (one of the newest 2)
keep   ${DIGESTS[4]} ${TAGS[4]} (one of the newest 2)
delete ${DIGESTS[3]} ${TAGS[3]}
keep   ${DIGESTS[2]} ${TAGS[2]} (dev serves it)
keep   ${DIGESTS[1]} ${TAGS[1]} (dev would roll back to it)
keep   ${DIGESTS[0]} 0.9.0,${TAGS[0]} (release 0.9.0)"
  assert_errors_whole "==> 1 of 6 images can be deleted: make prune-now KEEP=2"
  assert_equal "$(requests_that_write)" "$before"
  assert_equal "$(left)" 6
  assert_log "docker container inspect --format {{.State.Running}} test-host
docker exec --env DELIVERY_ACTOR=tester test-host /opt/book-shop/bin/status"
}

@test "prune -y: deletes those, and the second time there is nothing to do" {
  snapshots 6
  release 0.9.0 0
  host_needs "${DIGESTS[2]}" "${DIGESTS[0]}" "${DIGESTS[1]}"
  DELIVERY_PLAN=1 verb prune -y 2
  assert_errors_whole "==> 1 of 6 images can be deleted: make prune-now KEEP=2"
  assert_equal "$(left)" 6
  verb prune -y 2
  assert_success
  assert_output --partial "delete ${DIGESTS[3]} ${TAGS[3]}"
  assert_errors_whole "==> deleting 1 of 6 images"
  assert_equal "$(left)" 5
  for number in 0 1 2 4 5; do assert_equal "$(digest_in_registry "${TAGS[number]}")" "${DIGESTS[number]}"; done
  assert_equal "$(digest_in_registry 0.9.0)" "${DIGESTS[0]}"
  before=$(requests_that_write)
  verb prune -y 2
  assert_success
  refute_output --partial delete
  assert_errors_whole "==> 0 of 5 images can be deleted"
  assert_equal "$(requests_that_write)" "$before"
}

@test "prune: ten stay where nothing else is said" {
  snapshots 12
  host_needs "${DIGESTS[11]}" "${DIGESTS[11]}"
  verb prune -y
  assert_success
  assert_equal "$(left)" 10
  assert_equal "$(grep ^delete <<<"$output")" "delete ${DIGESTS[1]} ${TAGS[1]}
delete ${DIGESTS[0]} ${TAGS[0]}"
}

@test "prune: the snapshot of a commit that this clone lacks stays" {
  snapshots 2
  stranger=1.0.0-SNAPSHOT-$(printf '0%.0s' {1..40})
  in_registry "$stranger" stranger=yes >/dev/null
  host_needs "${DIGESTS[1]}" "${DIGESTS[1]}"
  verb prune -y 1
  assert_success
  assert_output --partial "$stranger (its commit is not in this clone, so its age is not known)"
  assert_equal "$(left)" 1
  digest_in_registry "$stranger"
}

@test "prune: a repository without images" {
  host_needs sha256:"$(printf '0%.0s' {1..64})" sha256:"$(printf '0%.0s' {1..64})"
  verb prune -y
  assert_success
  assert_output ""
  assert_errors_whole "==> 0 of 0 images can be deleted"
}

@test "prune -y: deletes nothing when the host can't be asked, fails, or doesn't say what both environments serve" {
  snapshots 3
  host_runs false
  verb prune -y 1
  assert_failed 1 "container test-host is stopped" "remedy: make demo"
  host_runs
  verb prune -y 1 # no status: cat fails
  assert_failed 1 "the images that the host needs are not known" "its status failed (1)" "remedy: make status"
  host_needs "${DIGESTS[2]}" ""
  verb prune -y 1
  assert_failed 1 "nothing is deleted" "prod has no live image, or does not report it" "remedy: make deploy-prod"
  host_needs "" "${DIGESTS[2]}" "${DIGESTS[1]}"
  verb prune -y 1
  assert_failed 1 "nothing is deleted" "dev has no live image"
  echo '{' >"$NEEDED"
  verb prune -y 1
  assert_failed 1 "what the host serves is not known" "its status can't be read"
  assert_equal "$(left)" 3
  run asked
  refute_output --partial DELETE
}

@test "prune: asks no host about a registry that another one's images are in" {
  DELIVERY_REPOSITORY=public.ecr.aws/a1b2c3d4/book-shop verb prune -y
  assert_failed 2 "HOST=local does not know which images are needed" "another host may need what is in public.ecr.aws/a1b2c3d4/book-shop"
  DELIVERY_HOST=aws verb prune -y
  assert_failed 2 "HOST=aws does not know which images are needed"
  assert_log ""
}

@test "prune: settings are demanded, and wrong calls" {
  DELIVERY_REPOSITORY='' verb prune
  assert_failed 1 "REPOSITORY is not set"
  DELIVERY_HOST='' verb prune
  assert_failed 1 "HOST is not set"
  for number in 0 -1 1.5 all 10000 $'1\n' ٣; do
    verb prune "$number"
    assert_equal "$status" 2
  done
  verb prune -y 0
  assert_failed 2 "invalid number of snapshots '0'" "expected 1 to 9999"
  assert_wrong_calls prune "-y 1 2" "--yes"
}
