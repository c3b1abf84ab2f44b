#!/usr/bin/env bats
load ../lib/shop.bash
load ../lib/github.bash
setup_file() { start_registry; }
teardown_file() { stop_registry; }
setup() {
  start_shop
  start_github "$TEST_DIR/github"
  tools gh
  real release
  host_runs
  prod_serves sha256:none null false
}
teardown() {
  stop_github
  stop_shop
}

prod_serves() { # DIGEST VERSION HEALTHY
  host_does "echo '{\"environments\": [{\"environment\": \"dev\", \"digest\": \"sha256:other\", \"version\": \"9.9.9\", \"healthy\": true},
    {\"environment\": \"prod\", \"digest\": \"$1\", \"version\": $2, \"healthy\": $3}]}'"
}
# promoted: HEAD's snapshot is pushed and promoted, and prod serves it.
promoted() {
  # shellcheck disable=SC2046 # a list of words
  digest=$(in_registry 1.0.0 $(labels_of))
  prod_serves "$digest" '"1.0.0"' true
}
body() { github 's["releases"][-1]["body"]' | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin), end="")'; }

@test "release: prod is asked first, then the tag is put on HEAD and the release made, with digest and notes" {
  change book-shop/x "new"
  promoted
  verb release
  assert_success
  assert_output "https://github.com/acme/shop/releases/tag/v1.0.0"
  assert_errors_whole "==> tag $(head_of) as v1.0.0
==> release v1.0.0"
  assert_equal "$(cat "$GITHUB/requests")" "GET /repos/acme/shop/git/ref/tags/v1.0.0
GET /repos/acme/shop/releases/latest
POST /repos/acme/shop/git/refs
GET /repos/acme/shop/releases/tags/v1.0.0
POST /repos/acme/shop/releases"
  assert_log "docker container inspect --format {{.State.Running}} test-host
docker exec --env DELIVERY_ACTOR=tester test-host /opt/book-shop/bin/status"
  assert_equal "$(github 's["tags"]')" "{\"v1.0.0\": \"$(head_of)\"}"
  assert_equal "$(body)" "Image: \`$DELIVERY_REPOSITORY@$digest\`

Built from $(head_of).

## Changes

- book-shop/x ($(git rev-parse --short HEAD))
- first ($(git rev-parse --short HEAD~1))"
}

@test "release: the second time nothing is changed and the same address is printed" {
  promoted
  verb release
  first=$output
  : >"$GITHUB/requests"
  verb release
  assert_success
  assert_output "$first"
  assert_errors_whole ""
  assert_equal "$(github_changed)" ""
}

@test "release: the notes are the commits since the last release, however it was tagged, without the merges" {
  last=$(head_of)
  github 's["objects"]["a"*40] = "'"$last"'"; s["tags"]["v0.9.0"] = "a"*40; s["releases"].append({"tag_name": "v0.9.0"})'
  git switch -q -c dev
  change book-shop/x "more than one word"
  # shellcheck disable=SC2016 # text, not code
  change book-shop/y '$(reboot) `id`'
  git switch -q main
  git merge -q --no-ff -m "a merge" dev
  promoted
  verb release
  assert_success
  assert_equal "$(body | sed -n '/^## /,$p')" "## Changes since v0.9.0

- book-shop/y ($(git rev-parse --short dev))
- book-shop/x ($(git rev-parse --short dev~1))"
}

@test "release: a clone that lacks the commits since the last release is refused with the command that gets them" {
  change book-shop/x new
  promoted
  github 's["tags"]["v0.9.0"] = "b"*40; s["releases"].append({"tag_name": "v0.9.0"})'
  verb release
  assert_failed 1 "the commits since v0.9.0 are not all in this clone" "remedy: git fetch --all"
  git clone -q --depth 1 "file://$SHOP" "$TEST_DIR/shallow"
  ln -s "$SHOP/scripts" "$TEST_DIR/shallow/scripts"
  SHOP=$TEST_DIR/shallow verb release
  assert_failed 1 "git fetch --unshallow"
  assert_equal "$(github_changed)" ""
}

@test "release: a tag on another commit is refused with the remedy, before registry and host are asked" {
  promoted
  github 's["tags"]["v1.0.0"] = "b"*40'
  before=$(asked)
  for word in check ""; do
    verb release $word
    assert_failed 1 "1.0.0 is released already" "v1.0.0 is on commit bbbbbbbb" "bump the version in book-shop/pyproject.toml"
  done
  assert_equal "$(asked)" "$before"
  assert_log ""
  assert_equal "$(github_changed)" ""
}

@test "release check: a version that is free, or HEAD's already, is printed, and nothing but its tag is asked for" {
  verb release check
  assert_success
  assert_output v1.0.0
  github 's["tags"]["v1.0.0"] = "'"$(head_of)"'"'
  verb release check
  assert_success
  assert_output v1.0.0
  assert_equal "$(sort -u "$GITHUB/requests")" "GET /repos/acme/shop/git/ref/tags/v1.0.0"
  assert_log ""
}

@test "release: what was cut off between tag and release is finished the next time" {
  promoted
  echo "POST /repos/acme/shop/releases 502" >"$GITHUB/faults"
  GH_TELEMETRY=log verb release
  assert_failed 1 "GitHub failed" "HTTP 502" "the same again"
  refute_errors "Telemetry"
  : >"$GITHUB/faults"
  verb release
  assert_success
  assert_equal "$(github 's["tags"]')" "{\"v1.0.0\": \"$(head_of)\"}"
  assert_equal "$(github 'len(s["releases"])')" 1
}

@test "release: nothing is released that prod doesn't serve: another digest, another version, not healthy, no answer" {
  promoted
  for wrong in digest version no-version health; do
    case $wrong in
      digest) prod_serves sha256:other '"1.0.0"' true ;;
      version) prod_serves "$digest" '"0.9.0"' true ;;
      no-version) prod_serves "$digest" null true ;;
      health) prod_serves "$digest" '"1.0.0"' false ;;
    esac
    verb release
    assert_failed 1 "prod does not serve 1.0.0: nothing was released" "$digest" "remedy: make deploy-prod"
  done
  host_does 'echo "no kubectl" >&2; exit 3'
  verb release
  assert_failed 1 "the live image of prod is not known" "no kubectl"
  host_runs false
  verb release
  assert_failed 1 "there is no local host to reach"
  assert_equal "$(github_changed)" ""
}

@test "release: nothing is released that was not promoted, or is of another source" {
  verb release
  assert_failed 1 "$DELIVERY_REPOSITORY has no tag 1.0.0" "make promote deploy-prod"
  promoted
  change book-shop/x "forgotten bump"
  verb release
  assert_failed 1 "1.0.0 is not the image of $(head_of)" "of commit $(head_of HEAD~1)" "bump the version"
  assert_equal "$(github_changed)" ""
}

@test "release: no gh, no login, a login that may not, no GitHub" {
  promoted
  rm "$TEST_DIR/bin/gh"
  verb release
  assert_failed 1 "GitHub's command line is missing" "make setup"
  tools gh
  GH_TOKEN='' verb release
  assert_failed 1 "there is no login for GitHub" "HTTP 401" "gh auth login"
  GH_TOKEN='' GH_HOST='' verb release
  assert_failed 1 "there is no login for GitHub" "gh auth login"
  echo "POST /repos/acme/shop/git/refs 403" >"$GITHUB/faults"
  verb release
  assert_failed 1 "GitHub doesn't let this login do that" "POST git/refs" "HTTP 403"
  HTTP_PROXY=http://127.0.0.1:1 verb release
  assert_failed 1 "GitHub doesn't answer" "connection refused"
  GITHUB_REPOSITORY='' verb release
  assert_failed 1 "GITHUB_REPOSITORY=owner/name"
  assert_equal "$(github 's["tags"]')" "{}"
}

@test "release: -h and wrong calls" {
  assert_wrong_calls release
  verb release now
  assert_failed 2 "invalid choice: 'now'"
}
