#!/usr/bin/env bats
load ../lib/shop.bash
setup() { start_shop; }
teardown() { stop_shop; }

@test "version: VERSION of HEAD, from the commit and not from the work tree" {
  echo 'version = "9.9.9"' >book-shop/pyproject.toml
  verb version
  assert_success
  assert_output 1.0.0
  assert_errors_whole ""
}

@test "version: snapshot tag, release tag, source and hash of HEAD and of a named commit" {
  first=$(head_of)
  printf '[project]\nversion = "1.1.0"\n' >book-shop/pyproject.toml
  commit second
  verb version snapshot && assert_output "1.1.0-SNAPSHOT-$(head_of)"
  verb version release && assert_output 1.1.0
  verb version source && assert_output "$(source_of)"
  verb version commit && assert_output "$(head_of)"
  verb version snapshot HEAD~1 && assert_output "1.0.0-SNAPSHOT-$first"
  verb version release "${first:0:10}" && assert_output 1.0.0
  verb version source "$first" && assert_output "$(source_of HEAD~1)"
}

@test "version changes: what differs from the commit in book-shop/ and k8s/, and nothing else" {
  verb version changes && assert_output ""
  echo x >README.md
  echo x >book-shop/new.py
  echo x >>k8s/shop.yaml
  verb version changes
  assert_success
  assert_output $'book-shop/new.py\nk8s/shop.yaml'
}

@test "version: an unknown commit, an unknown word and an empty name are wrong calls" {
  verb version snapshot nowhere
  assert_failed 2 "'nowhere' names no commit here" "why: " "remedy: git log"
  verb version snapshot ""
  assert_failed 2 "'' names no commit here"
  verb version latest
  assert_failed 2 "invalid choice: 'latest'" "Usage: scripts/version [snapshot|release"
}

@test "version: a commit without a usable VERSION fails and says which file mends it" {
  printf '[project]\nversion = "1.0"\n' >book-shop/pyproject.toml
  commit "two numbers"
  verb version
  assert_failed 1 "has no usable VERSION" "'1.0' in its book-shop/pyproject.toml is not N.N.N" "remedy: set version"
  git rm -q book-shop/pyproject.toml
  commit "none"
  verb version snapshot
  assert_failed 1 "has no VERSION" "it has no book-shop/pyproject.toml" "remedy: "
}

@test "version: -h and wrong calls" { assert_wrong_calls version; }
