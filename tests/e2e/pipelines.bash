# shellcheck shell=bash
# Loaded by the tests of the pipelines: the workflow files, run by act on this machine. A push starts
# the workflows whose `on:` matches. The jobs use the local host, its registry and a small GitHub.
#
# Differences from GitHub: the runner is this machine, where setup has nothing to do; the commit
# decides whether `make check` and `make test-e2e` (which runs this) pass. Stand-ins for other
# actions: one prints the role and exports credentials, one restores a cache if the test has made it,
# and one prints the name of an artifact. act knows no environments: ACT_VARIABLES are the variables
# of the repository and of the environment together. Not shown here, and checked elsewhere:
#   concurrency, permissions, time limits, secrets per environment   tests/workflows
#   two deploys at the same time                                     7-pipelines.bats, tests/delivery/test_locks.py
#   variables, branches and secrets of an environment                tests/delivery/test_github_setup.py
#   who may assume a role                                            terraform/tests
#   EKS's check of a token, access entries                           tests/lib/fake_eks.py computes the signature
#   when GitHub saves and deletes a cache                            not tested
load ../lib/github.bash

# A test adds its own to them.
ACT_VARIABLES=(--var HOST=local --var NAME=book-shop --var AWS_REGION=eu-central-1 --var "REPOSITORY=$DELIVERY_REPOSITORY" --var AWS_ROLE=the-role --var URL=http://shop)

# stub_checks: the scripts that the runner has done already. The commit decides whether make check and
# make test-e2e pass.
stub_checks() {
  local verb
  for verb in setup check test; do
    printf '#!/usr/bin/env bash\n# Usage: scripts/%s\n! grep -q "%s fails" broken\n' "$verb" "$verb" >"$SHOP/scripts/$verb"
  done
  touch "$SHOP/broken"
}

# event "NAME JSON" WORKFLOW...: runs the workflows one after another. $status is 0 if all succeed;
# $output is act's output.
event() {
  local name=${1%% *} workflow credentials artifact cache
  echo "${1#* }" >"$BATS_TEST_TMPDIR/event.json"
  mkdir -p "$BATS_TEST_TMPDIR"/{credentials,artifact,cache}
  cat >"$BATS_TEST_TMPDIR/credentials/action.yml" <<'YAML'
name: credentials
inputs: {role-to-assume: {required: true}, aws-region: {required: true}}
runs:
  using: composite
  steps:
    - run: |
        echo "credentials of $ROLE in $REGION"
        printf '%s\n' AWS_ACCESS_KEY_ID=AKIAOFTHEDEPLOYER AWS_SECRET_ACCESS_KEY=the-secret-key >>"$GITHUB_ENV"
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
  cat >"$BATS_TEST_TMPDIR/cache/action.yml" <<'YAML'
name: cache
inputs: {path: {required: true}, key: {required: true}}
runs:
  using: composite
  steps:
    - run: if [ -n "${CACHE:-}" ] && [ -e "$CACHE/$KEY.tar" ]; then tar -xf "$CACHE/$KEY.tar"; else echo "no cache $KEY"; fi
      shell: bash
      env: {KEY: "${{ inputs.key }}"}
YAML
  status=0
  : >"$BATS_TEST_TMPDIR/act"
  for workflow in "${@:2}"; do
    # act knows neither `queue:` nor queues.
    sed '/^  queue: max$/d' "$SHOP/.github/workflows/$workflow" >"$BATS_TEST_TMPDIR/$workflow"
    credentials=$(sed -n 's/.*uses: \(aws-actions[^ ]*\).*/\1/p' "$BATS_TEST_TMPDIR/$workflow" | sort -u)
    cache=$(sed -n 's/.*uses: \(actions\/cache[^ ]*\).*/\1/p' "$BATS_TEST_TMPDIR/$workflow" | sort -u)
    artifact=$(sed -n 's/.*uses: \(actions\/upload-artifact[^ ]*\).*/\1/p' "$BATS_TEST_TMPDIR/$workflow" | sort -u)
    (cd "$SHOP" && act "$name" -W "$BATS_TEST_TMPDIR/$workflow" -e "$BATS_TEST_TMPDIR/event.json" -P ubuntu-24.04=-self-hosted --no-cache-server \
      --action-cache-path "$BATS_TEST_TMPDIR/runner" \
      --env GITHUB_REPOSITORY="$GITHUB_REPOSITORY" -s GITHUB_TOKEN="$GH_TOKEN" --actor somebody "${ACT_VARIABLES[@]}" \
      ${credentials:+--local-repository="$credentials=$BATS_TEST_TMPDIR/credentials"} \
      ${cache:+--local-repository="$cache=$BATS_TEST_TMPDIR/cache"} \
      ${artifact:+--local-repository="$artifact=$BATS_TEST_TMPDIR/artifact"}) >>"$BATS_TEST_TMPDIR/act" 2>&1 3>&- || status=1
  done
  # shellcheck disable=SC2034 # bats-assert reads it
  output=$(cat "$BATS_TEST_TMPDIR/act")
}
# push BRANCH: runs what GitHub runs after a push of the clone's HEAD as this branch.
push() {
  local sha started
  sha=$(head_of_shop)
  mapfile -t started < <(python3 "$SHOP/tests/lib/workflows.py" push "$1")
  event "push {\"ref\": \"refs/heads/$1\", \"after\": \"$sha\", \"head_commit\": {\"id\": \"$sha\"}}" "${started[@]}"
}
# by_hand VERB [VERSION]: starts operate.yml.
by_hand() { event "workflow_dispatch {\"inputs\": {\"verb\": \"$1\", \"version\": \"${2:-}\"}, \"ref\": \"refs/heads/main\"}" operate.yml; }

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
