#!/usr/bin/env bats
load ../lib/shop.bash
setup_file() { start_registry; }
teardown_file() { stop_registry; }
setup() { start_shop; }
teardown() { stop_shop; }

looked_at() { printf 'docker image ls --quiet %s:%s\ndocker image inspect --format {{json .Config.Labels}} %s:%s' "$DELIVERY_REPOSITORY" "$1" "$DELIVERY_REPOSITORY" "$1"; }

@test "push: pushes the commit's image and prints the digest that the registry has" {
  # shellcheck disable=SC2046 # a list of words
  in_engine "$(snapshot_of)" $(labels_of)
  verb push
  assert_success
  assert_output "$DELIVERY_REPOSITORY@$(digest_in_registry "$(snapshot_of)")"
  assert_errors "==> pushing $(snapshot_of)" "pushed by the engine"
  assert_log "$(looked_at "$(snapshot_of)")
docker push $DELIVERY_REPOSITORY:$(snapshot_of)
docker image inspect --format {{json .RepoDigests}} $DELIVERY_REPOSITORY:$(snapshot_of)"
}

@test "push: the second time nothing is pushed and the same digest is printed" {
  # shellcheck disable=SC2046
  in_engine "$(snapshot_of)" $(labels_of)
  verb push
  first=$output
  : >"$LOG"
  verb push
  assert_success
  assert_output "$first"
  assert_errors "is in the registry already"
  assert_log "$(looked_at "$(snapshot_of)")"
  run asked
  assert_equal "$(grep -c '^PUT manifests/' <<<"$output" || true)" 1
}

@test "push: a commit in the registry needs no local image, and no engine either" {
  # shellcheck disable=SC2046
  digest=$(in_registry "$(snapshot_of)" $(labels_of))
  verb push
  assert_success
  assert_output "$DELIVERY_REPOSITORY@$digest"
  rm -r "$ENGINE"
  verb push
  assert_success
  assert_output "$DELIVERY_REPOSITORY@$digest"
  rm "$TEST_DIR/bin/docker"
  verb push
  assert_success
  assert_output "$DELIVERY_REPOSITORY@$digest"
}

@test "push: an older commit" {
  change book-shop/x later
  # shellcheck disable=SC2046
  in_engine "$(snapshot_of HEAD~1)" $(labels_of HEAD~1)
  verb push HEAD~1
  assert_success
  assert_output "$DELIVERY_REPOSITORY@$(digest_in_registry "$(snapshot_of HEAD~1)")"
}

@test "push: a local image of another commit, of another source or without labels is refused and nothing is pushed" {
  change book-shop/x later
  for labels in "$(labels_of HEAD~1)" "org.opencontainers.image.revision=$(head_of) book-shop.source=$(source_of HEAD~1)" ""; do
    # shellcheck disable=SC2086
    in_engine "$(snapshot_of)" $labels
    verb push
    assert_failed 1 "another image sits under $DELIVERY_REPOSITORY:$(snapshot_of) in the Docker engine" "why: its label" "remedy: make image"
  done
  run grep push "$LOG"
  assert_failure
  run asked
  assert_output "$(printf 'HEAD manifests/%s\n' "$(snapshot_of)" "$(snapshot_of)" "$(snapshot_of)")"
}

@test "push: another image under the tag in the registry is refused and stays" {
  digest=$(in_registry "$(snapshot_of)" org.opencontainers.image.revision=0000 "book-shop.source=$(source_of)")
  # shellcheck disable=SC2046
  in_engine "$(snapshot_of)" $(labels_of)
  verb push
  assert_failed 1 "another image sits under $DELIVERY_REPOSITORY:$(snapshot_of) in the registry" "'0000' instead of '$(head_of)'" "no tag ever moves" "remedy: "
  assert_log ""
  assert_equal "$(digest_in_registry "$(snapshot_of)")" "$digest"
}

@test "push: another local image is refused even when the commit is in the registry" {
  # shellcheck disable=SC2046
  in_registry "$(snapshot_of)" $(labels_of)
  in_engine "$(snapshot_of)" org.opencontainers.image.revision=0000
  verb push
  assert_failed 1 "another image sits under" "in the Docker engine"
}

@test "push: no image anywhere names make image" {
  verb push
  assert_failed 1 "there is no image $DELIVERY_REPOSITORY:$(snapshot_of)" "why: " "remedy: make image"
  assert_log "docker image ls --quiet $DELIVERY_REPOSITORY:$(snapshot_of)"
}

@test "push: no engine names make setup" {
  rm -r "$ENGINE"
  verb push
  assert_failed 1 "the Docker engine doesn't answer" "Cannot connect to the Docker daemon" "remedy: make setup"
  rm "$TEST_DIR/bin/docker"
  verb push
  assert_failed 1 "there is no Docker engine here" "remedy: make setup"
}

@test "push: an engine that fails, or that claims a push it didn't do, is a failure" {
  # shellcheck disable=SC2046
  in_engine "$(snapshot_of)" $(labels_of)
  touch "$ENGINE/pushes-nothing"
  verb push
  assert_failed 1 "is not in the registry" "claims"
  rm "$ENGINE/pushes-nothing"
  touch "$ENGINE/fails"
  verb push
  assert_failed 1 "docker push $DELIVERY_REPOSITORY:$(snapshot_of) failed"
}

@test "push: another push of the commit that writes the tag at the same time is a failure, and make push then prints its digest" {
  # shellcheck disable=SC2046
  in_engine "$(snapshot_of)" $(labels_of)
  PUSHED=sha256:$(printf '0%.0s' {1..64}) verb push
  theirs=$(digest_in_registry "$(snapshot_of)")
  assert_failed 1 "$DELIVERY_REPOSITORY:$(snapshot_of) is not the image that was written" "it is $theirs"
  verb push
  assert_success
  assert_output "$DELIVERY_REPOSITORY@$theirs"
}

@test "push: no registry names make demo, and a wrong repository is a wrong call; the engine isn't asked" {
  DELIVERY_REPOSITORY=127.0.0.1:1/book-shop verb push
  assert_failed 1 "no registry answers at 127.0.0.1:1" "remedy: make demo"
  DELIVERY_REPOSITORY=Book-Shop verb push
  assert_failed 2 "invalid repository 'Book-Shop'"
  DELIVERY_REPOSITORY='' verb push
  assert_failed 1 "REPOSITORY is not set"
  verb push nowhere
  assert_failed 2 "'nowhere' names no commit here"
  assert_log ""
}

@test "push: -h and wrong calls" { assert_wrong_calls push; }
