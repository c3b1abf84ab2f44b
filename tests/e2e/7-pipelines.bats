#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# The workflow files themselves, run by act on this machine: a push starts what GitHub would start, by each file's own `on:`, and the jobs
# meet the local host, its registry and a small GitHub. Not as on GitHub: the runner is this machine, where setup has nothing to do;
# AWS credentials are a stand-in that prints its inputs; `make check` and `make test-e2e` (which runs this) pass or fail as the
# commit says. An image takes time to build and to deploy: the cases share those of versions 7.1.0 and 7.4.0.
load road.bash
load ../lib/github.bash

# What the jobs get from the repository's and the environments' variables.
ACT_VARIABLES=(--var HOST=local --var NAME=book-shop --var AWS_REGION=eu-central-1 --var "REPOSITORY=$DELIVERY_REPOSITORY" --var AWS_ROLE=the-role --var URL=http://shop)

setup_file() {
  start_demo
  git -C "$SHOP" switch -q -C main
  for verb in setup check test; do
    printf '#!/usr/bin/env bash\n# Usage: scripts/%s\n! grep -q "%s fails" broken\n' "$verb" "$verb" >"$SHOP/scripts/$verb"
  done
  touch "$SHOP/broken"
  bump 7.0.0
  commit "checks as the tests want them"
  git -C "$SHOP" branch -f dev
  export DEV_BEFORE PROD_BEFORE
  DEV_BEFORE=$(revision_at "$DELIVERY_DEV_PORT") PROD_BEFORE=$(revision_at "$DELIVERY_HTTP_PORT")
}
setup() {
  start_github "$BATS_FILE_TMPDIR/github"
  git -C "$SHOP" switch -q dev
}
teardown() {
  stop_github
  [ -n "${BATS_TEST_COMPLETED:-}" ] || tail -n 60 "$BATS_TEST_TMPDIR/act"
}

# event JSON WORKFLOW...: what the event starts, one after the other. $status is 0 if all went well; $output is what act said.
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
    # act's schema of workflows is older than `queue:`, and it has no queues anyway.
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
# push BRANCH: what GitHub does when the branch, which is the clone's HEAD, has been pushed.
push() {
  local sha started
  sha=$(head_of_shop)
  mapfile -t started < <(python3 "$SHOP/tests/lib/workflows.py" push "$1")
  event "push {\"ref\": \"refs/heads/$1\", \"after\": \"$sha\", \"head_commit\": {\"id\": \"$sha\"}}" "${started[@]}"
}
by_hand() { event "workflow_dispatch {\"inputs\": {\"verb\": \"$1\"}, \"ref\": \"refs/heads/main\"}" operate.yml; } # VERB

# on_dev VERSION: a change, pushed to dev. HEAD is dev, or a branch that a test has made of it and leaves behind.
on_dev() {
  echo "# $1" >>"$SHOP/book-shop/manage.py"
  bump "$1"
  commit "version $1"
  push dev
}
# to_main: dev merged into main, pushed.
to_main() {
  git -C "$SHOP" switch -q main
  git -C "$SHOP" merge -q --no-ff -m "Merge dev" dev
  push main
}
steps_run() { sed -n 's/.*⭐ Run Main \(make .*\)/\1/p' "$BATS_TEST_TMPDIR/act"; }
releases() { github '[(r["tag_name"], s["tags"][r["tag_name"]]) for r in s["releases"]]'; }
digest_of() { PYTHONPATH=$SHOP/scripts python3 -c 'import sys; from delivery import registry; print(registry.Registry(sys.argv[1]).digest(sys.argv[2]))' "$DELIVERY_REPOSITORY" "$1"; }
tags() { curl -fsS "http://${DELIVERY_REPOSITORY%%/*}/v2/book-shop/tags/list?n=1000" | python3 -c 'import json, sys; print(*sorted(json.load(sys.stdin)["tags"] or []), sep="\n")'; }
# Everything that a pipeline could have changed.
everything() {
  until [ "$(kubectl get pods -l app.kubernetes.io/component=web -o name | grep -c '')" -eq 2 ]; do sleep 0.5; done # those of before are leaving
  identities
  tags
  releases
}

@test "a push to dev: the snapshot is built, pushed and served on :8080, :80 stays" {
  prod=$(revision_at "$DELIVERY_HTTP_PORT")
  on_dev 7.1.0
  assert_equal "$status" 0
  assert_equal "$(steps_run)" "make check
make image
make push
make deploy-dev
make smoke-dev
make summary"
  assert_output --partial "credentials of the-role in eu-central-1"
  assert_equal "$(revision_at "$DELIVERY_DEV_PORT")" "$(head_of_shop)"
  assert_equal "$(revision_at "$DELIVERY_HTTP_PORT")" "$prod"
  digest=$(digest_of "7.1.0-SNAPSHOT-$(head_of_shop)")
  assert_regex "$digest" '^sha256:'
  # The summary of the job.
  assert_output --partial "## 7.1.0, commit $(head_of_shop)"
  assert_output --partial "| dev | http://localhost:$DELIVERY_DEV_PORT | 7.1.0 | $(head_of_shop) | $digest | yes | - |"
  for step in image push "deploy dev" "smoke dev"; do assert_output --regexp "\\| scripts/$step \\| [0-9]+\\.[0-9] s \\| ok \\|"; done
  assert_equal "$(releases)" "[]"
  assert_equal "$(on_host tail -n 1 /var/lib/book-shop/deploys.jsonl | python3 -c 'import json, sys; print(json.load(sys.stdin)["actor"])')" somebody
}

@test "a push to main: the digest that dev serves is promoted, served on :80 and released, dev stays" {
  snapshot=$(digest_of "7.1.0-SNAPSHOT-$(head_of_shop)") built=$(head_of_shop)
  assert_regex "$snapshot" '^sha256:'
  to_main
  assert_equal "$status" 0
  assert_equal "$(steps_run)" "make check
make release-check
make promote
make deploy-prod
make smoke-prod
make summary
make release
make summary"
  assert_equal "$(digest_of 7.1.0)" "$snapshot"
  assert_equal "$(revision_at "$DELIVERY_HTTP_PORT")" "$built"
  assert_equal "$(revision_at "$DELIVERY_DEV_PORT")" "$built"
  assert_equal "$(releases)" "[[\"v7.1.0\", \"$(head_of_shop)\"]]"
  body=$(github 's["releases"][-1]["body"]')
  assert_regex "$body" "Image: .$DELIVERY_REPOSITORY@$snapshot"
  assert_regex "$body" "- version 7.1.0 "
  assert_output --regexp "\\| prod \\| http://localhost:$DELIVERY_HTTP_PORT \\| 7.1.0 \\| $built \\| $snapshot \\| yes \\|"

  # The same run once more changes nothing.
  before=$(everything)
  push main
  assert_equal "$status" 0
  assert_equal "$(everything)" "$before"
}

@test "a push to another branch starts nothing; its pull request is checked once and deploys nothing" {
  before=$(everything)
  git -C "$SHOP" switch -q -C feature/dev
  bump 7.2.0
  commit "not yet"
  push feature/dev
  assert_equal "$status" 0
  assert_equal "$(steps_run)" ""
  event 'pull_request {"number": 1, "pull_request": {"head": {"ref": "feature/dev"}, "base": {"ref": "dev"}}}' check.yml
  assert_equal "$status" 0
  assert_equal "$(steps_run)" $'make check\nmake test-e2e\nmake test-e2e'
  assert_equal "$(everything)" "$before"
}

@test "a failing make check deploys nothing, on either branch" {
  before=$(everything)
  git -C "$SHOP" switch -q -C dev-broken
  echo "check fails" >"$SHOP/broken"
  on_dev 7.3.0
  assert_equal "$status" 1
  assert_equal "$(steps_run)" "make check"
  git -C "$SHOP" switch -q -C main-broken main
  git -C "$SHOP" merge -q --no-ff -m "Merge dev" dev-broken
  push main
  assert_equal "$status" 1
  assert_equal "$(steps_run)" "make check"
  assert_equal "$(everything)" "$before"
}

@test "a version that is released already is refused before anything happened" {
  before=$(everything)
  git -C "$SHOP" switch -q -C forgotten main
  echo "# more" >>"$SHOP/book-shop/manage.py"
  commit "forgot to bump the version"
  push main
  assert_equal "$status" 1
  assert_equal "$(steps_run)" $'make check\nmake release-check\nmake summary'
  assert_output --partial "7.1.0 is released already"
  assert_output --partial "bump the version in book-shop/pyproject.toml"
  assert_equal "$(everything)" "$before"
}

@test "a deploy to prod that fails makes no release, and the old one serves on" {
  served=$(revision_at "$DELIVERY_HTTP_PORT") released=$(releases)
  git -C "$SHOP" switch -q -C dev-failing
  echo 'raise SystemExit("broken on purpose")' >>"$SHOP/book-shop/book_shop/wsgi.py"
  on_dev 7.4.0
  assert_equal "$status" 1
  assert_equal "$(steps_run | tail -n 2)" $'make deploy-dev\nmake summary'
  assert_output --regexp '\| scripts/deploy dev \| [0-9.]+ s \| \*\*failed \(1\)\*\* \|'
  git -C "$SHOP" switch -q -C main-failing main
  git -C "$SHOP" merge -q --no-ff -m "Merge dev" dev-failing
  push main
  assert_equal "$status" 1
  assert_equal "$(steps_run | tail -n 3)" $'make promote\nmake deploy-prod\nmake summary'
  assert_output --partial "broken on purpose"
  assert_equal "$(revision_at "$DELIVERY_HTTP_PORT")" "$served"
  assert_equal "$(releases)" "$released"
  assert_equal "$(github '"v7.4.0" in s["tags"]')" false
}

@test "by hand: back to what was served before, status, prune" {
  new=$(revision_at "$DELIVERY_HTTP_PORT") before_release=$(git -C "$SHOP" show "$PROD_BEFORE:book-shop/pyproject.toml" | sed -n 's/^version = "\(.*\)"/\1/p')
  refute [ "$new" = "$PROD_BEFORE" ]
  git -C "$SHOP" switch -q main
  by_hand rollback-dev
  assert_equal "$status" 0
  assert_equal "$(steps_run)" $'make rollback-dev TO="$VERSION"\nmake summary'
  assert_equal "$(revision_at "$DELIVERY_DEV_PORT") $(revision_at "$DELIVERY_HTTP_PORT")" "$DEV_BEFORE $new"
  by_hand rollback-prod
  assert_equal "$status" 0
  assert_equal "$(steps_run)" $'make rollback-prod TO="$VERSION"\nmake summary'
  assert_equal "$(revision_at "$DELIVERY_DEV_PORT") $(revision_at "$DELIVERY_HTTP_PORT")" "$DEV_BEFORE $PROD_BEFORE"
  before=$(identities && tags | grep -v SNAPSHOT)
  by_hand status
  assert_equal "$status" 0
  assert_output --regexp "prod +http://localhost:$DELIVERY_HTTP_PORT +$before_release"
  by_hand prune
  assert_equal "$status" 0
  assert_equal "$(steps_run)" $'make prune-now\nmake summary'
  assert_equal "$(identities && tags | grep -v SNAPSHOT)" "$before"
  for version in 7.1.0 "$before_release"; do assert_regex "$(digest_of "$version")" '^sha256:'; done
}

@test "two pushes in quick succession: the second waits, both are deployed in order, the last one wins" {
  # Release 7.1.0 and the previous one, which is live in dev before and after this.
  first=$DELIVERY_REPOSITORY@$(digest_of 7.1.0) second=$(on_host cat /var/lib/book-shop/dev/current)
  assert_equal "$(revision_at "$DELIVERY_DEV_PORT")" "$DEV_BEFORE"
  "$SHOP/scripts/deploy" dev "$first" >"$BATS_TEST_TMPDIR/first" 2>&1 3>&- &
  until on_host grep -q "deploy dev $first" /run/lock/book-shop-dev; do kill -0 $!; done
  run --separate-stderr "$SHOP/scripts/deploy" dev "$second"
  assert_success
  refute_output --partial "serves"
  wait $!
  assert_equal "$(on_host tail -n 2 /var/lib/book-shop/deploys.jsonl | python3 -c 'import json, sys; [print(told["digest"], told["result"]) for told in map(json.loads, sys.stdin)]')" "${first#*@} ok
${second#*@} ok"
  assert_equal "$(revision_at "$DELIVERY_DEV_PORT")" "$DEV_BEFORE"
}
