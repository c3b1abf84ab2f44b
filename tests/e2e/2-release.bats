#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
load e2e.bash

setup_file() { start_demo; }
teardown() { stop_load; } # after a failed test

@test "make image push deploy-dev serves a changed template on :8080 and leaves :80 as it is" {
  prod=$(revision_of prod)
  pods=$(kubectl get pods -o name)
  sed -i 's/<body>/<body><p>changed by a test<\/p>/' "$SHOP"/book-shop/book_shop/templates/base.html
  echo '/* changed by a test */' >>"$SHOP"/book-shop/book_shop/static/book_shop/style.css
  bump 1.1.0
  commit "change the template and the stylesheet, bump the version"
  run shop image push deploy-dev
  assert_success
  assert_revision "$(head_of_shop)" dev
  get dev / | grep -q 'changed by a test'
  assert_revision "$prod" prod
  assert_equal "$(kubectl get pods -o name)" "$pods"
}

@test "make promote reads a manifest and its labels, writes one, moves no layer, and keeps the digest" {
  snapshot=$(shop push 2>/dev/null)
  since=$(date -u +%FT%T.%NZ)
  run --separate-stderr shop promote
  assert_success
  assert_output "$snapshot"
  docker logs --since "$since" "$DELIVERY_DEMO-registry" 2>&1 | grep -oE '"(GET|PUT|POST|PATCH) [^ ]+' >"$BATS_TEST_TMPDIR/asked"
  assert_equal "$(sed 's|blobs/.*|blobs/CONFIG|' "$BATS_TEST_TMPDIR/asked")" "\"GET /v2/book-shop/manifests/${snapshot#*@}
\"GET /v2/book-shop/blobs/CONFIG
\"PUT /v2/book-shop/manifests/1.1.0"
}

# Kubernetes and kustomize print a warning for each field that a later version removes.
refute_deprecated() { refute_output --regexp '[Dd]eprecat'; }

@test "make deploy-prod PLAN=1 prints what would change, and changes nothing" {
  shop promote
  before=$(identities)
  run shop deploy-prod PLAN=1
  assert_success
  assert_output --partial "$(head_of_shop)"
  refute_deprecated
  assert_equal "$(identities)" "$before"
}

@test "make promote deploy-prod under load serves the release on :80 with no failed request" {
  start_load
  run shop promote deploy-prod
  assert_success
  refute_deprecated
  end_load
  assert_revision "$(head_of_shop)" prod
}

@test "rollback-dev and rollback-prod return to the previous and to a named version with no failed request" {
  start_load
  run shop --jobs 2 rollback-dev rollback-prod
  assert_success
  refute_deprecated
  assert_revision "$(head_of_shop ^)" dev prod
  # A second rollback must name a version: without one, the faulty image would return.
  for environment in dev prod; do
    run shop "rollback-$environment"
    assert_failure
    assert_output --partial "name the version to return to: make rollback-$environment TO="
  done
  version=$("$SHOP/scripts/version")
  run shop rollback-dev TO="$version-SNAPSHOT-$(head_of_shop)"
  assert_success
  run shop rollback-prod TO="$version"
  assert_success
  end_load
  assert_revision "$(head_of_shop)" dev prod
}
