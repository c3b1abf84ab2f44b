#!/usr/bin/env bats
# Refusals and running machines. `make test-machines` tests the cluster that the script creates.
load ../../lib/shop.bash
setup() {
  start_shop local/machines-up
  export DELIVERY_API_PORT=6443
  # shellcheck disable=SC2016 # the fake itself expands it
  fake_in_shop scripts/local/check-port '[[ "$*" != "${TAKEN:-nothing} "* ]] || { echo "port taken" >&2; exit 1; }'
  seed=$XDG_CACHE_HOME/book-shop/demo/test
}

@test "machines-up: leaves running machines alone" {
  mkdir "$ENGINE/containers"
  echo true >"$ENGINE/containers/test-front"
  verb local/machines-up
  assert_answer "$seed/kubeconfig" "==> test is running"
  assert_log 'scripts/local/check-port HTTP_PORT 80 test-front
scripts/local/check-port REGISTRY_PORT 5000 test-registry
scripts/local/check-port API_PORT 6443 test-host
docker container inspect test-front'
}

@test "machines-up: refuses a port in use, an invalid name and an unset variable before any change" {
  for name in HTTP_PORT REGISTRY_PORT API_PORT; do
    TAKEN=$name verb local/machines-up
    assert_failed 1 "port taken"
  done
  refute grep docker "$LOG"
  for name in Test 1st "a b" -x; do
    DELIVERY_DEMO=$name next_verb local/machines-up
    assert_failed 2 "invalid demo name '$name'"
    assert_log ""
  done
  assert_demands local/machines-up DEMO HTTP_PORT REGISTRY_PORT API_PORT
  [ ! -e "$seed" ]
}
