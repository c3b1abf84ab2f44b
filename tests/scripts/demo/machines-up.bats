#!/usr/bin/env bats
# What it makes is seen to work by `make test-machines`; here, what it refuses and what it leaves alone.
load ../../lib/shop.bash
setup() {
  start_shop
  real demo/machines-up
  export DELIVERY_API_PORT=6443
  # shellcheck disable=SC2016 # the fake itself expands it
  fake_in_shop scripts/demo/check-port '[[ "$*" != "${TAKEN:-nothing} "* ]] || { echo "port taken" >&2; exit 1; }'
  seed=$XDG_CACHE_HOME/book-shop/demo/test
}
teardown() { stop_shop; }

@test "machines-up: what is up stays as it is" {
  mkdir "$ENGINE/containers"
  echo true >"$ENGINE/containers/test-front"
  verb demo/machines-up
  assert_success
  assert_output "$seed/kubeconfig"
  assert_errors_whole "==> test is up"
  assert_log 'scripts/demo/check-port HTTP_PORT 80 test-front
scripts/demo/check-port REGISTRY_PORT 5000 test-registry
scripts/demo/check-port API_PORT 6443 test-host
docker container inspect test-front'
}

@test "machines-up: a port that is taken, and nothing is made" {
  for name in HTTP_PORT REGISTRY_PORT API_PORT; do
    TAKEN=$name verb demo/machines-up
    assert_failed 1 "port taken"
  done
  refute grep docker "$LOG"
  [ ! -e "$seed" ]
}

@test "machines-up: a name that containers can't have" {
  for name in Test 1st "a b" -x; do
    DELIVERY_DEMO=$name verb demo/machines-up
    assert_failed 2 "invalid demo name '$name'"
  done
  assert_log ""
}

@test "machines-up: without its ports it says which one" {
  for name in DEMO HTTP_PORT REGISTRY_PORT API_PORT; do
    (unset "DELIVERY_$name" && verb demo/machines-up && [ "$status" -ne 0 ] && assert_errors "$name") || fail "$name"
  done
  assert_log ""
}

@test "machines-up: -h and wrong calls" { assert_wrong_calls demo/machines-up; }
