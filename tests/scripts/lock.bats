#!/usr/bin/env bats
load ../lib/shop.bash
setup() {
  start_shop
  real lock
  # shellcheck disable=SC2016 # the fake itself expands it
  logged uv 'echo "what it resolved"; [[ ${FAILS:-} = "" || "$*" != *"$FAILS"* ]]'
}
teardown() { stop_shop; }

compiled() { echo "uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --python-version 3.10 --custom-compile-command make lock $*"; }

OF_SHOP=(book-shop/pyproject.toml --output-file book-shop/requirements.lock)
OF_VERBS=(scripts/requirements.in --constraints book-shop/requirements.lock --output-file scripts/requirements.lock)
OF_GO=(scripts/demo/kubernetes/go.in --output-file scripts/demo/kubernetes/go.lock)
OF_TESTS=(tests/requirements.in --constraints book-shop/requirements.lock --constraints scripts/requirements.lock --output-file tests/requirements.lock)

@test "lock: the application first, then the verbs, then the tests, each within the versions before it; Go by itself" {
  verb lock
  assert_success
  assert_output ""
  assert_log "$(compiled "${OF_SHOP[@]}")
$(compiled "${OF_VERBS[@]}")
$(compiled "${OF_TESTS[@]}")
$(compiled "${OF_GO[@]}")"
}

@test "lock: what can't be resolved stops it" {
  FAILS=scripts/requirements.in verb lock
  assert_failure 1
  assert_log "$(compiled "${OF_SHOP[@]}")
$(compiled "${OF_VERBS[@]}")"
}

pins() { grep -oE '^[a-z0-9.-]+==[^ ]+' "$ROOT/$1/requirements.lock" | sort; } # LOCK
patterns() { pins "$1" | sed "s/==.*/==/; s/^/^/"; }
@test "the lock files can be installed into one environment: a package has the same version in each" {
  local one other
  for one in book-shop scripts tests; do
    [ "$(pins "$one" | grep -c '')" -gt 5 ]
    for other in book-shop scripts tests; do
      run comm -3 <(pins "$one" | grep -f <(patterns "$other")) <(pins "$other" | grep -f <(patterns "$one"))
      assert_output ""
    done
  done
}

@test "the lock files name no package index" {
  run grep -E '://|^ *--?(i|index-url|extra-index-url|find-links)\b' "$ROOT"/{book-shop,scripts,tests}/requirements.lock \
    "$ROOT/scripts/demo/kubernetes/go.lock"
  assert_failure 1
}

@test "lock: -h and wrong calls" { assert_wrong_calls lock; }
