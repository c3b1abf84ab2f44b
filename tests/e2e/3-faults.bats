#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# An image that cannot serve never does: the deploy fails and prints the container's own error, and
# the old version stays live. tests/faults/1-images.bats has more of them.
load e2e.bash

setup_file() { start_demo; }
setup() {
  good=$(head_of_shop)
  dev=$(revision_of dev)
  prod=$(revision_of prod)
}
teardown() { git -C "$SHOP" reset -q --hard "$good"; }

# assert_both_fail VERSION: commits what the test has broken, promotes it, and deploys it to both
# environments at once.
assert_both_fail() {
  bump "$1"
  commit "broken: $1"
  run shop image push promote
  assert_success
  run --separate-stderr both
  assert_output "dev 1
prod 1"
  assert_revision "$dev" dev
  assert_revision "$prod" prod
  for environment in dev prod; do
    grep -q "broken on purpose" "$BATS_TEST_TMPDIR/$environment" || fail "$(cat "$BATS_TEST_TMPDIR/$environment")"
    assert_regex "$(tail -n 2 "$BATS_TEST_TMPDIR/$environment")" "Still live: $DELIVERY_REPOSITORY@sha256:"
  done
}
both() {
  local environment
  for environment in dev prod; do
    (
      status=0
      "$SHOP/scripts/deploy" "$environment" >"$BATS_TEST_TMPDIR/$environment" 2>&1 || status=$?
      echo "$environment $status"
    ) &
  done | sort
}

@test "an image that crashes at start never serves" {
  echo 'raise SystemExit("broken on purpose")' >>"$SHOP/book-shop/book_shop/wsgi.py"
  assert_both_fail 1.2.0
}

@test "an image whose migration fails never serves" {
  migration 9999_broken "migrations.RunSQL('SELECT \"broken on purpose\"')"
  assert_both_fail 1.3.0
}

@test "the next good deploy succeeds without a manual step" {
  bump 1.4.0
  commit "fixed"
  run shop image push deploy-dev promote deploy-prod
  assert_success
  assert_revision "$(head_of_shop)" dev prod
  good=$(head_of_shop)
}
