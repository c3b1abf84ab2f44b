#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# The workflows with prod on the host (pipelines.bash). Images are slow to build and deploy, so the
# cases share those of versions 7.1.0 and 7.4.0.
load e2e.bash
load pipelines.bash

setup_file() {
  start_demo
  git -C "$SHOP" switch -q -C main
  stub_checks
  bump 7.0.0
  commit "checks for the tests"
  git -C "$SHOP" branch -f dev
  export DEV_BEFORE PROD_BEFORE
  DEV_BEFORE=$(revision_of dev) PROD_BEFORE=$(revision_of prod)
}
setup() {
  start_github "$BATS_FILE_TMPDIR/github"
  git -C "$SHOP" switch -q dev
}
teardown() {
  stop_github
  [ -n "${BATS_TEST_COMPLETED:-}" ] || tail -n 60 "$BATS_TEST_TMPDIR/act"
}

# Everything that a pipeline could have changed.
everything() {
  # The previous pods are still terminating.
  until [ "$(kubectl get pods -l "$WEB" -o name | grep -c '')" -eq 2 ]; do sleep 0.5; done
  identities
  tags
  releases
}

@test "a push to dev builds and pushes the snapshot, serves it on :8080 and leaves :80 as it is" {
  prod=$(revision_of prod)
  on_dev 7.1.0
  assert_steps 0 "make check" "make image" "make push" "make deploy-dev" "make smoke-dev" "make summary"
  assert_output --partial "credentials of the-role in eu-central-1"
  assert_revision "$(head_of_shop)" dev
  assert_revision "$prod" prod
  digest=$(digest_of "7.1.0-SNAPSHOT-$(head_of_shop)")
  assert_regex "$digest" '^sha256:'
  # The summary of the job.
  assert_output --partial "## 7.1.0, commit $(head_of_shop)"
  assert_output --partial "| dev | http://localhost:$DELIVERY_DEV_PORT | 7.1.0 | $(head_of_shop) | $digest | yes | - |"
  for step in image push "deploy dev" "smoke dev"; do assert_output --regexp "\\| scripts/$step \\| [0-9]+\\.[0-9] s \\| ok \\|"; done
  assert_equal "$(releases)" "[]"
  assert_equal "$(on_host tail -n 1 /var/lib/book-shop/deploys.jsonl | python3 -c 'import json, sys; print(json.load(sys.stdin)["actor"])')" somebody
}

@test "a push to main promotes the digest of dev, serves it on :80 and releases it, once" {
  snapshot=$(digest_of "7.1.0-SNAPSHOT-$(head_of_shop)") built=$(head_of_shop)
  assert_regex "$snapshot" '^sha256:'
  merge_to_main main dev
  assert_steps 0 "make check" "make release-check" "make promote" "make deploy-prod" "make smoke-prod" \
    "make summary" "make release" "make summary"
  assert_equal "$(digest_of 7.1.0)" "$snapshot"
  assert_revision "$built" dev prod
  assert_equal "$(releases)" "[[\"v7.1.0\", \"$(head_of_shop)\"]]"
  body=$(github 's["releases"][-1]["body"]')
  assert_regex "$body" "Image: .$DELIVERY_REPOSITORY@$snapshot"
  assert_regex "$body" "- version 7.1.0 "
  assert_output --regexp "\\| prod \\| http://localhost:$DELIVERY_HTTP_PORT \\| 7.1.0 \\| $built \\| $snapshot \\| yes \\|"

  # A second run changes nothing.
  before=$(everything)
  push main
  assert_equal "$status" 0
  assert_equal "$(everything)" "$before"
}

@test "a push to another branch starts nothing, and its pull request runs the checks and deploys nothing" {
  before=$(everything)
  git -C "$SHOP" switch -q -C feature/dev
  bump 7.2.0
  commit "not yet"
  push feature/dev
  assert_steps 0
  event 'pull_request {"number": 1, "pull_request": {"head": {"ref": "feature/dev"}, "base": {"ref": "dev"}}}' check.yml
  assert_steps 0 "make check" "make test-e2e" "make test-e2e"
  assert_equal "$(everything)" "$before"
}

@test "a push whose make check fails deploys nothing, on either branch" {
  before=$(everything)
  git -C "$SHOP" switch -q -C dev-broken
  echo "check fails" >"$SHOP/broken"
  on_dev 7.3.0
  assert_steps 1 "make check"
  merge_to_main main-broken dev-broken
  assert_steps 1 "make check"
  assert_equal "$(everything)" "$before"
}

@test "a push to main with a released version changes nothing" {
  before=$(everything)
  git -C "$SHOP" switch -q -C forgotten main
  echo "# more" >>"$SHOP/book-shop/manage.py"
  commit "forgot to bump the version"
  push main
  assert_steps 1 "make check" "make release-check" "make summary"
  assert_output --partial "7.1.0 is released already"
  assert_output --partial "bump the version in book-shop/pyproject.toml"
  assert_equal "$(everything)" "$before"
}

@test "a push to main that changes neither source is green and changes nothing, and names files that infra installs" {
  before=$(everything)
  git -C "$SHOP" switch -q -C docs main
  echo "# changed" | tee -a "$SHOP/nginx/conf.d/book-shop.conf" >>"$SHOP/docs/README.md"
  commit "documentation and a file of the host"
  push main
  assert_steps 0 "make check" "make release-check" "make promote" "make deploy-prod" "make smoke-prod" \
    "make summary" "make release" "make summary"
  assert_output --partial "nothing to release: 7.1.0 was released"
  assert_output --partial "make infra\` is due, unless it ran since: nginx/conf.d/book-shop.conf changed"
  assert_equal "$(everything)" "$before"
}

@test "the run of an older release that is started again is refused and names the deploy that superseded it" {
  before=$(everything)
  git -C "$SHOP" switch -q -C older main
  git -C "$SHOP" rm -rq book-shop k8s
  git -C "$SHOP" checkout -q "$PROD_BEFORE" -- book-shop k8s
  commit "the sources of the older release"
  push main
  assert_steps 1 "make check" "make release-check" "make promote" "make deploy-prod" "make summary"
  assert_output --regexp "is older than 7.1.0 in prod: nothing was changed"
  assert_output --regexp "somebody made 7.1.0 live at 20"
  assert_output --partial "remedy: make rollback-prod TO="
  assert_equal "$(everything)" "$before"
}

@test "a failed deploy to prod creates no release and leaves the previous release live" {
  served=$(revision_of prod) released=$(releases)
  git -C "$SHOP" switch -q -C dev-failing
  echo 'raise SystemExit("broken on purpose")' >>"$SHOP/book-shop/book_shop/wsgi.py"
  on_dev 7.4.0
  assert_equal "$status" 1
  assert_equal "$(steps_run | tail -n 2)" $'make deploy-dev\nmake summary'
  assert_output --regexp '\| scripts/deploy dev \| [0-9.]+ s \| \*\*failed \(1\)\*\* \|'
  merge_to_main main-failing dev-failing
  assert_equal "$status" 1
  assert_equal "$(steps_run | tail -n 3)" $'make promote\nmake deploy-prod\nmake summary'
  assert_output --partial "broken on purpose"
  assert_revision "$served" prod
  assert_equal "$(releases)" "$released"
  assert_equal "$(github '"v7.4.0" in s["tags"]')" false
}

@test "operate.yml rolls both environments back, prints the status and prunes" {
  new=$(revision_of prod) before_release=$(git -C "$SHOP" show "$PROD_BEFORE:book-shop/pyproject.toml" | sed -n 's/^version = "\(.*\)"/\1/p')
  refute [ "$new" = "$PROD_BEFORE" ]
  git -C "$SHOP" switch -q main
  by_hand rollback-dev
  # shellcheck disable=SC2016 # the step expands it
  assert_steps 0 'make rollback-dev TO="$VERSION"' "make summary"
  assert_revision "$DEV_BEFORE" dev
  assert_revision "$new" prod
  by_hand rollback-prod
  # shellcheck disable=SC2016 # the step expands it
  assert_steps 0 'make rollback-prod TO="$VERSION"' "make summary"
  assert_revision "$DEV_BEFORE" dev
  assert_revision "$PROD_BEFORE" prod
  before=$(identities && tags | grep -v SNAPSHOT)
  by_hand status-prod
  assert_steps 0 "make status" "make summary"
  assert_output --regexp "prod +http://localhost:$DELIVERY_HTTP_PORT +$before_release"
  by_hand prune
  assert_steps 0 "make prune-now" "make summary"
  assert_equal "$(identities && tags | grep -v SNAPSHOT)" "$before"
  for version in 7.1.0 "$before_release"; do assert_regex "$(digest_of "$version")" '^sha256:'; done
}

@test "the second of two pushes in quick succession waits, and is live afterwards" {
  # Release 7.1.0 and the previous one, which is live in dev before and after this.
  first=$DELIVERY_REPOSITORY@$(digest_of 7.1.0) second=$(on_host cat /var/lib/book-shop/dev/current)
  assert_revision "$DEV_BEFORE" dev
  # The first one was rolled back, and the second one is older.
  export DELIVERY_FORCE=1 DELIVERY_REASON="the test deploys two images in turn"
  "$SHOP/scripts/deploy" dev "$first" >"$BATS_TEST_TMPDIR/first" 2>&1 3>&- &
  until on_host grep -q "deploy dev $first" /run/lock/book-shop-dev; do kill -0 $!; done
  run --separate-stderr "$SHOP/scripts/deploy" dev "$second"
  assert_success
  refute_output --partial "serves"
  wait $!
  assert_equal "$(on_host tail -n 2 /var/lib/book-shop/deploys.jsonl | python3 -c 'import json, sys; [print(entry["digest"], entry["result"]) for entry in map(json.loads, sys.stdin)]')" "${first#*@} ok
${second#*@} ok"
  assert_revision "$DEV_BEFORE" dev
}
