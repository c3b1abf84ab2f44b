#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# The workflow files, run by act on this machine: a push starts the workflows whose `on:` matches.
# The jobs use the local host, its registry and a small GitHub. Differences from GitHub: the runner
# is this machine, where setup has nothing to do; a stand-in for AWS credentials prints its inputs;
# the commit decides whether `make check` and `make test-e2e` (which runs this) pass. Images are slow
# to build and deploy, so the cases share those of versions 7.1.0 and 7.4.0.
load e2e.bash
load ../lib/github.bash

# The variables of the repository and of its environments.
ACT_VARIABLES=(--var HOST=local --var NAME=book-shop --var AWS_REGION=eu-central-1 --var "REPOSITORY=$DELIVERY_REPOSITORY" --var AWS_ROLE=the-role --var URL=http://shop)

setup_file() {
  start_demo
  git -C "$SHOP" switch -q -C main
  for verb in setup check test; do
    printf '#!/usr/bin/env bash\n# Usage: scripts/%s\n! grep -q "%s fails" broken\n' "$verb" "$verb" >"$SHOP/scripts/$verb"
  done
  touch "$SHOP/broken"
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

# event "NAME JSON" WORKFLOW...: runs the workflows one after another. $status is 0 if all succeed;
# $output is act's output.
event() {
  local name=${1%% *} workflow
  echo "${1#* }" >"$BATS_TEST_TMPDIR/event.json"
  mkdir -p "$BATS_TEST_TMPDIR/credentials" "$BATS_TEST_TMPDIR/artifact"
  cat >"$BATS_TEST_TMPDIR/credentials/action.yml" <<'YAML'
name: credentials
inputs: {role-to-assume: {required: true}, aws-region: {required: true}}
runs:
  using: composite
  steps:
    - run: echo "credentials of $ROLE in $REGION"
      shell: bash
      env: {ROLE: "${{ inputs.role-to-assume }}", REGION: "${{ inputs.aws-region }}"}
YAML
  cat >"$BATS_TEST_TMPDIR/artifact/action.yml" <<'YAML'
name: artifact
inputs: {name: {required: true}, path: {required: true}, include-hidden-files: {}}
runs:
  using: composite
  steps: [{run: echo "kept $WHAT", shell: bash, env: {WHAT: "${{ inputs.path }}"}}]
YAML
  status=0
  : >"$BATS_TEST_TMPDIR/act"
  for workflow in "${@:2}"; do
    # act knows neither `queue:` nor queues.
    sed '/^  queue: max$/d' "$SHOP/.github/workflows/$workflow" >"$BATS_TEST_TMPDIR/$workflow"
    credentials=$(sed -n 's/.*uses: \(aws-actions[^ ]*\).*/\1/p' "$BATS_TEST_TMPDIR/$workflow" | sort -u)
    artifact=$(sed -n 's/.*uses: \(actions\/upload-artifact[^ ]*\).*/\1/p' "$BATS_TEST_TMPDIR/$workflow" | sort -u)
    (cd "$SHOP" && act "$name" -W "$BATS_TEST_TMPDIR/$workflow" -e "$BATS_TEST_TMPDIR/event.json" -P ubuntu-24.04=-self-hosted --no-cache-server \
      --action-cache-path "$BATS_TEST_TMPDIR/runner" \
      --env GITHUB_REPOSITORY="$GITHUB_REPOSITORY" -s GITHUB_TOKEN="$GH_TOKEN" --actor somebody "${ACT_VARIABLES[@]}" \
      ${credentials:+--local-repository="$credentials=$BATS_TEST_TMPDIR/credentials"} \
      ${artifact:+--local-repository="$artifact=$BATS_TEST_TMPDIR/artifact"}) >>"$BATS_TEST_TMPDIR/act" 2>&1 3>&- || status=1
  done
  output=$(cat "$BATS_TEST_TMPDIR/act")
}
# push BRANCH: runs what GitHub runs after a push of the clone's HEAD as this branch.
push() {
  local sha started
  sha=$(head_of_shop)
  mapfile -t started < <(python3 "$SHOP/tests/lib/workflows.py" push "$1")
  event "push {\"ref\": \"refs/heads/$1\", \"after\": \"$sha\", \"head_commit\": {\"id\": \"$sha\"}}" "${started[@]}"
}
by_hand() { event "workflow_dispatch {\"inputs\": {\"verb\": \"$1\"}, \"ref\": \"refs/heads/main\"}" operate.yml; } # VERB

# on_dev VERSION: pushes a change to dev. HEAD is dev or a test's own branch from it.
on_dev() {
  echo "# $1" >>"$SHOP/book-shop/manage.py"
  bump "$1"
  commit "version $1"
  push dev
}
# merge_to_main BRANCH DEV: merges DEV into BRANCH, which begins at main, and pushes it to main.
merge_to_main() {
  git -C "$SHOP" switch -q -C "$1" main
  git -C "$SHOP" merge -q --no-ff -m "Merge dev" "$2"
  push main
}
steps_run() { sed -n 's/.*⭐ Run Main \(make .*\)/\1/p' "$BATS_TEST_TMPDIR/act"; }
# assert_steps STATUS STEP...: the status of the event, and all steps in their order.
assert_steps() { assert_equal "$(echo "$status" && steps_run)" "$(printf '%s\n' "$@")"; }
releases() { github '[(r["tag_name"], s["tags"][r["tag_name"]]) for r in s["releases"]]'; }
tags() { curl -fsS "http://${DELIVERY_REPOSITORY%%/*}/v2/book-shop/tags/list?n=1000" | python3 -c 'import json, sys; print(*sorted(json.load(sys.stdin)["tags"] or []), sep="\n")'; }
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
  by_hand status
  assert_equal "$status" 0
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
