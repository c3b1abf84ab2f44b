#!/usr/bin/env bats
load ../../lib/shop.bash
setup() {
  start_shop
  real demo/down
  called_by root
  tools xargs
  logged sysctl
  seed=$XDG_CACHE_HOME/book-shop/demo/test
  mkdir -p "$seed" "$XDG_CACHE_HOME/book-shop/demo/other"
  touch "$XDG_CACHE_HOME/book-shop/trixie.tar"
  echo 'kernel.panic = 0' >"$seed/sysctl"
}
teardown() { stop_shop; }

# is_up NAME REGISTRY_PORT: what a demo of that name leaves in the engine.
is_up() {
  mkdir -p "$ENGINE"/{containers,networks,volumes,images}
  touch "$ENGINE/networks/$1" "$ENGINE"/{containers,volumes,images}/"$1"-{host,registry} "$ENGINE/images/localhost:${2}_book-shop"
}
in_engine_now() { (cd "$ENGINE" && find . -type f -printf '%P\n' | sort); }

@test "down: removes what up made, of this name alone, and gives the kernel its settings back; the caches stay" {
  is_up other 5001
  others=$(in_engine_now)
  is_up test 5000
  verb demo/down
  assert_success
  assert_output ""
  assert_errors_whole "==> test is gone"
  assert_equal "$(in_engine_now)" "$others"
  assert_equal "$(grep -v ^docker "$LOG")" "sysctl -q --load $seed/sysctl"
  assert_equal "$(ls "$XDG_CACHE_HOME/book-shop" "$XDG_CACHE_HOME/book-shop/demo")" "$(printf '%s:\ndemo\ntrixie.tar\n\n%s:\nother' "$XDG_CACHE_HOME/book-shop" "$XDG_CACHE_HOME/book-shop/demo")"
}

@test "down: removes an image that has lost its tag by its digest" {
  is_up test 5000
  touch "$ENGINE/images/localhost:5000_book-shop@digest"
  verb demo/down
  assert_success
  assert_equal "$(ls "$ENGINE/images")" ""
}

@test "down: the second time there is nothing to remove" {
  is_up test 5000
  verb demo/down
  : >"$LOG"
  verb demo/down
  assert_success
  assert_errors_whole "==> test is gone"
  refute grep -E ' (rm|remove|prune)|sysctl' "$LOG"
}

@test "down: a host without its registry is removed as well" {
  is_up test 5000
  rm "$ENGINE"/{containers,images,volumes}/test-registry "$ENGINE/networks/test"
  verb demo/down
  assert_success
  assert_equal "$(in_engine_now)" ""
}

@test "down: the kernel's settings need root" {
  called_by someone
  verb demo/down
  assert_success
  assert_equal "$(grep ^sudo "$LOG")" "sudo sysctl -q --load $seed/sysctl"
}

@test "down: what can't be removed is a failure, and what it takes to try again stays" {
  is_up test 5000
  touch "$ENGINE/fails-rm"
  verb demo/down
  assert_failure
  assert_errors "the engine fails to rm"
  [ -f "$seed/sysctl" ]
  rm -r "$ENGINE"
  verb demo/down
  assert_failure
  assert_errors "Cannot connect to the Docker daemon"
  [ -f "$seed/sysctl" ]
}

@test "down: -h and wrong calls" {
  mkdir -p "$TEST_DIR/precious"
  for name in ../../../precious . A -f 'a b'; do
    DELIVERY_DEMO=$name verb demo/down
    assert_failed 2 "invalid demo name '$name'"
  done
  for name in DEMO REGISTRY_PORT; do
    declare -x "DELIVERY_$name="
    verb demo/down
    assert_failed 1 "DELIVERY_$name: call it by make"
    declare -x "DELIVERY_$name=x"
  done
  [ -d "$TEST_DIR/precious" ]
  assert_wrong_calls demo/down
}
