#!/usr/bin/env bats
load ../lib/shop.bash
setup_file() { start_registry; }
teardown_file() { stop_registry; }
setup() { start_shop; }
teardown() { stop_shop; }

snapshot() { # [COMMIT]: its snapshot is in the registry; prints the digest
  # shellcheck disable=SC2046 # a list of words
  in_registry "$(snapshot_of "$@")" $(labels_of "${1:-HEAD}")
}
since() { asked | sed "1,$1d"; } # what the registry was asked after the first N requests
assert_promoted() {              # DIGEST
  assert_success
  assert_output "$DELIVERY_REPOSITORY@$1"
  assert_equal "$(digest_in_registry 1.0.0)" "$1"
}

@test "promote: one manifest is read and written, no layer moves, the digest stays" {
  digest=$(snapshot)
  before=$(asked | grep -c '')
  verb promote
  assert_equal "$(since "$before")" "HEAD manifests/1.0.0
HEAD manifests/$(snapshot_of)
GET manifests/$digest
PUT manifests/1.0.0
HEAD manifests/1.0.0"
  assert_promoted "$digest"
  assert_errors_whole "==> promoting $(snapshot_of) to 1.0.0"
  assert_log "" # no engine is needed
}

@test "promote: the second time nothing is written and the same digest is printed" {
  digest=$(snapshot)
  verb promote
  before=$(asked | grep -c '')
  verb promote
  assert_equal "$(since "$before")" "HEAD manifests/1.0.0
HEAD manifests/$(snapshot_of)"
  assert_promoted "$digest"
  assert_errors "is $(snapshot_of) already"
}

@test "promote: a release tag never moves to another image" {
  digest=$(snapshot)
  verb promote
  change book-shop/x new
  snapshot
  verb promote
  assert_failed 1 "$DELIVERY_REPOSITORY:1.0.0 is released already, as another image" "$digest" "$(snapshot_of)" "remedy: bump the version in book-shop/pyproject.toml"
  assert_equal "$(digest_in_registry 1.0.0)" "$digest"
}

@test "promote: after a bump of the version the new snapshot is released and the old release stays" {
  digest=$(snapshot)
  verb promote
  printf '[project]\nversion = "1.1.0"\n' >book-shop/pyproject.toml
  commit bump
  new=$(snapshot HEAD 1.1.0)
  verb promote
  assert_success
  assert_output "$DELIVERY_REPOSITORY@$new"
  assert_equal "$(digest_in_registry 1.1.0)" "$new"
  assert_equal "$(digest_in_registry 1.0.0)" "$digest"
}

@test "promote: without a snapshot of this source it fails closed and names what it looked for" {
  snapshot
  change book-shop/x new
  verb promote
  assert_failed 1 "$DELIVERY_REPOSITORY has no snapshot of commit $(head_of)" "no tag 1.0.0-SNAPSHOT-<commit>" "$(source_of)" "or dev" "remedy: make image push"
  verb promote main
  assert_failed 1 "remedy: make image push promote COMMIT=$(head_of)"
  run asked
  refute_output --partial "PUT manifests/1.0.0"$'\n'
}

@test "promote: the snapshot of another version is not this one's" {
  in_registry "2.0.0-SNAPSHOT-$(head_of)" a=b
  verb promote
  assert_failed 1 "has no snapshot"
}

@test "promote: a fast-forward of main to dev" {
  git switch -q -c dev
  change book-shop/x new
  digest=$(snapshot)
  git switch -q main
  git merge -q --ff-only dev
  verb promote
  assert_promoted "$digest"
}

@test "promote: a merge commit, whose parent on dev was pushed" {
  git switch -q -c dev
  change book-shop/x new
  digest=$(snapshot)
  git switch -q main
  change docs/notes.md meanwhile
  git merge -q --no-ff -m merge dev
  verb promote
  assert_promoted "$digest"
}

@test "promote: a squash, whose original is reachable from dev alone" {
  git switch -q -c dev
  change book-shop/x one
  change book-shop/x two
  digest=$(snapshot)
  git switch -q main
  git merge -q --squash dev
  commit squashed
  verb promote
  assert_promoted "$digest"
}

@test "promote: dev is looked for at origin when there is no such branch here" {
  git switch -q -c dev
  change book-shop/x one
  digest=$(snapshot)
  git switch -q main
  git merge -q --squash dev
  commit squashed
  git update-ref refs/remotes/origin/dev dev
  git branch -q -D dev
  verb promote
  assert_promoted "$digest"
  git update-ref -d refs/remotes/origin/dev
  git update-ref refs/remotes/origin/other main~1
  verb promote
  assert_failed 1 "has no snapshot"
}

@test "promote: a commit that touches neither tree has its parent's snapshot" {
  digest=$(snapshot)
  change docs/notes.md words
  verb promote
  assert_promoted "$digest"
}

@test "promote: of several snapshots of one source the newest commit's is taken" {
  snapshot
  change docs/notes.md one
  digest=$(snapshot)
  change docs/notes.md two
  verb promote
  assert_promoted "$digest"
}

@test "promote: a newer snapshot of the very source that is released is nothing to do" {
  digest=$(snapshot)
  verb promote
  change docs/notes.md one
  newer=$(snapshot)
  refute [ "$newer" = "$digest" ]
  verb promote
  assert_promoted "$digest"
}

@test "promote: a change that was taken back has the source of before, and the changed one between isn't taken" {
  digest=$(snapshot)
  change book-shop/x new
  snapshot
  git rm -q book-shop/x
  commit "taken back"
  verb promote
  assert_promoted "$digest"
}

@test "promote: a newer snapshot of another source is never taken, the latest included" {
  snapshot
  digest=$(digest_in_registry "$(snapshot_of)")
  git switch -q -c dev
  change book-shop/x new
  snapshot
  git switch -q main
  verb promote
  assert_promoted "$digest"
}

@test "promote: DELIVERY_PLAN=1 says what would be promoted, and writes nothing" {
  digest=$(snapshot)
  DELIVERY_PLAN=1 verb promote
  assert_success
  assert_output "$(snapshot_of) -> 1.0.0: $DELIVERY_REPOSITORY@$digest"
  assert_errors_whole ""
  assert_equal "$(digest_in_registry 1.0.0)" ""
  verb promote
  DELIVERY_PLAN=1 verb promote
  assert_output "$(snapshot_of) -> 1.0.0 (it is that already): $DELIVERY_REPOSITORY@$digest"
}

@test "promote: k8s/ belongs to the source" {
  snapshot
  change k8s/shop.yaml 'kind: Job'
  verb promote
  assert_failed 1 "has no snapshot"
}

@test "promote: a named commit" {
  digest=$(snapshot)
  change book-shop/x new
  verb promote HEAD~1
  assert_promoted "$digest"
}

@test "promote: a shallow clone is named when nothing is found" {
  change book-shop/x new
  git clone -q --depth 1 "file://$SHOP" "$TEST_DIR/shallow"
  ln -s "$SHOP/scripts" "$TEST_DIR/shallow/scripts"
  SHOP=$TEST_DIR/shallow verb promote
  assert_failed 1 "has no snapshot" "git fetch --unshallow"
}

@test "promote: no registry, a wrong repository and an unknown commit" {
  DELIVERY_REPOSITORY=127.0.0.1:1/book-shop verb promote
  assert_failed 1 "no registry answers at 127.0.0.1:1" "remedy: make demo"
  DELIVERY_REPOSITORY=localhost:5000/book-shop:tag verb promote
  assert_failed 2 "invalid repository 'localhost:5000/book-shop:tag'"
  DELIVERY_REPOSITORY='' verb promote
  assert_failed 1 "REPOSITORY is not set" "through make"
  verb promote nowhere
  assert_failed 2 "'nowhere' names no commit here"
}

@test "promote: -h and wrong calls" { assert_wrong_calls promote; }
