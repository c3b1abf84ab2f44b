#!/usr/bin/env bats
# What main.yml's steps up to the promotion do with every way in which a commit comes to main: the targets as the workflow names them, real
# git repositories, a real registry. The runner's clone is made as actions/checkout makes it: main, and all branches at origin.
load ../lib/shop.bash
load ../lib/github.bash
setup_file() { start_registry; }
teardown_file() { stop_registry; }
setup() {
  start_shop
  start_github "$TEST_DIR/github"
  tools gh make
  real release
  fake_in_shop scripts/setup
  cp "$ROOT/Makefile" .
  commit "with a Makefile"
  main_deploys # the first release, 1.0.0
  git switch -q -c dev
}
teardown() {
  stop_github
  stop_shop
}

# dev_deploys: what dev.yml leaves in the registry: the snapshot of HEAD. Prints its digest.
dev_deploys() {
  # shellcheck disable=SC2046 # a list of words
  in_registry "$(snapshot_of HEAD "$(version)")" $(labels_of)
}
version() { sed -n 's/^version = "\(.*\)"/\1/p' book-shop/pyproject.toml; }
main_deploys() { # the first time
  dev_deploys >/dev/null
  verb promote
  assert_success
  github 's["tags"]["v1.0.0"] = "'"$(head_of)"'"; s["releases"].append({"tag_name": "v1.0.0"})'
}
# on_dev FILE TEXT: a commit on dev; bump VERSION: another one.
on_dev() { change "book-shop/$1" "$2"; }
bump() {
  printf '[project]\nname = "book-shop"\nversion = "%s"\n' "$1" >book-shop/pyproject.toml
  commit "bump"
}

# main_runs: the steps of main.yml's deploy job up to promote, in a clone of what is pushed. $status and $errors are the last one's.
main_runs() {
  local step steps
  rm -rf "$TEST_DIR/runner"
  git clone -q --branch main "$SHOP" "$TEST_DIR/runner"
  ln -sfn "$SHOP/scripts" "$TEST_DIR/runner/scripts"
  steps=$(sed -n '/^  deploy:/,/make promote/s/.*run: make //p' "$ROOT/.github/workflows/main.yml")
  assert_equal "$steps" $'release-check\npromote'
  : >"$GITHUB/requests"
  BEFORE=$(asked)
  for step in $steps; do
    status=0
    (cd "$TEST_DIR/runner" && PATH=$TEST_DIR/bin make --no-print-directory "$step") >"$TEST_DIR/stdout" 2>"$TEST_DIR/stderr" || status=$?
    output=$(cat "$TEST_DIR/stdout")
    # shellcheck disable=SC2034 # assert_errors reads it
    errors=$(cat "$TEST_DIR/stderr")
    [ "$status" -eq 0 ] || return 0
  done
}
assert_promoted() { # DIGEST VERSION
  assert_success
  assert_output "$DELIVERY_REPOSITORY@$1"
  assert_equal "$(digest_in_registry "$2")" "$1"
}
assert_nothing_promoted() {
  assert_equal "$(asked | grep -c PUT)" "$(grep -c PUT <<<"$BEFORE")"
  assert_equal "$(github_changed)" ""
}

@test "promotion: a merge commit, with a commit on main meanwhile" {
  on_dev x new
  bump 1.1.0
  digest=$(dev_deploys)
  git switch -q main
  change docs/notes.md "meanwhile"
  git merge -q --no-ff -m "Merge pull request #1" dev
  main_runs
  assert_promoted "$digest" 1.1.0
}

@test "promotion: a squash of several commits" {
  on_dev x one
  dev_deploys
  on_dev x two
  bump 1.1.0
  digest=$(dev_deploys)
  git switch -q main
  git merge -q --squash dev
  commit "dev, squashed (#1)"
  main_runs
  assert_promoted "$digest" 1.1.0
}

@test "promotion: a fast-forward" {
  on_dev x new
  bump 1.1.0
  digest=$(dev_deploys)
  git switch -q main
  git merge -q --ff-only dev
  main_runs
  assert_promoted "$digest" 1.1.0
}

@test "promotion: a rebase, which makes new commits of dev's" {
  on_dev x one
  dev_deploys
  bump 1.1.0
  digest=$(dev_deploys)
  git switch -q main
  change docs/notes.md "meanwhile"
  git switch -q -c rebased dev
  git rebase -q main
  git switch -q main
  git merge -q --ff-only rebased
  git branch -q -D rebased
  refute [ "$(head_of main)" = "$(head_of dev)" ]
  main_runs
  assert_promoted "$digest" 1.1.0
}

@test "promotion: dev that has gone on since is not what is released" {
  bump 1.1.0
  digest=$(dev_deploys)
  git switch -q main
  git merge -q --no-ff -m merge dev
  git switch -q dev
  on_dev x "not yet"
  dev_deploys
  git switch -q main
  main_runs
  assert_promoted "$digest" 1.1.0
}

@test "promotion: the run again promotes nothing new and prints the same" {
  bump 1.1.0
  digest=$(dev_deploys)
  git switch -q main
  git merge -q --ff-only dev
  main_runs
  main_runs
  assert_promoted "$digest" 1.1.0
  assert_nothing_promoted
}

@test "promotion: a hotfix straight on main is refused with the way out, and the way works" {
  git switch -q main
  on_dev x "a hotfix"
  bump 1.0.1
  main_runs
  assert_equal "$status" 2 # make's
  assert_errors "has no snapshot of commit $(head_of)" "push it to dev"
  assert_nothing_promoted
  git branch -q -f dev main
  digest=$(dev_deploys)
  main_runs
  assert_promoted "$digest" 1.0.1
}

@test "promotion: a merge that main's own changes made into something else is refused" {
  bump 1.1.0
  dev_deploys
  git switch -q main
  change book-shop/y "on main alone"
  git merge -q --no-ff -m merge dev
  main_runs
  assert_errors "has no snapshot of commit $(head_of)"
  assert_nothing_promoted
}

@test "promotion: a forgotten bump is refused before the registry is asked for anything" {
  on_dev x new
  dev_deploys
  git switch -q main
  git merge -q --no-ff -m merge dev
  main_runs
  assert_equal "$status" 2
  assert_errors "1.0.0 is released already" "v1.0.0 is on commit" "bump the version in book-shop/pyproject.toml"
  assert_equal "$(asked)" "$BEFORE"
  assert_equal "$(cat "$GITHUB/requests")" "GET /repos/acme/shop/git/ref/tags/v1.0.0"
}
