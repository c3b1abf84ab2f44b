#!/usr/bin/env bats
load ../../lib/shop.bash
setup() {
  start_shop local/down
  called_by someone
  tools xargs
  logged sysctl
  seed=$XDG_CACHE_HOME/book-shop/demo/test
  mkdir -p "$seed" "$XDG_CACHE_HOME/book-shop/demo/other"
  touch "$XDG_CACHE_HOME/book-shop/trixie.tar"
  echo 'kernel.panic = 0' >"$seed/sysctl"
}

# is_up NAME REGISTRY_PORT: creates the objects of a running demo in the fake engine.
is_up() {
  mkdir -p "$ENGINE"/{containers,networks,volumes,images}
  touch "$ENGINE/networks/$1" "$ENGINE"/{containers,volumes,images}/"$1"-{host,registry} "$ENGINE"/{containers,images}/"$1-https" "$ENGINE/images/localhost:${2}_book-shop"
}
in_engine_now() { (cd "$ENGINE" && find . -type f -printf '%P\n' | sort); }

@test "down: removes only what up created under this name, restores kernel settings, and keeps the caches" {
  is_up other 5001
  others=$(in_engine_now)
  is_up test 5000
  touch "$ENGINE/images/localhost:5000_book-shop@digest" # an image that has lost its tag
  verb local/down
  assert_answer "" "==> removed test"
  assert_equal "$(in_engine_now)" "$others"
  assert_equal "$(grep -v ^docker "$LOG")" "sudo sysctl -q --load $seed/sysctl"$'\n'"sysctl -q --load $seed/sysctl"
  assert_equal "$(cd "$XDG_CACHE_HOME/book-shop" && echo * demo/*)" "demo trixie.tar demo/other"
}

@test "down: removes a host without a registry" {
  is_up test 5000
  rm "$ENGINE"/{containers,images,volumes}/test-registry "$ENGINE/networks/test"
  succeeds local/down
  assert_equal "$(in_engine_now)" ""
  next_verb local/down # there is nothing to remove
  assert_answer "" "==> removed test"
  refute grep -E ' (rm|remove|prune)|sysctl' "$LOG"
}

@test "down: fails if a removal fails, and can be run again" {
  is_up test 5000
  touch "$ENGINE/fails-rm"
  verb local/down
  assert_failure
  assert_errors "the engine fails to rm"
  rm -r "$ENGINE"
  verb local/down
  assert_failure
  assert_errors "Cannot connect to the Docker daemon"
  [ -f "$seed/sysctl" ]
}

@test "down: an invalid name or an unset variable removes nothing" {
  mkdir -p "$TEST_DIR/precious"
  for name in ../../../precious . A -f 'a b'; do
    DELIVERY_DEMO=$name verb local/down
    assert_failed 2 "invalid demo name '$name'"
  done
  [ -d "$TEST_DIR/precious" ]
  assert_demands local/down DEMO REGISTRY_PORT
}
