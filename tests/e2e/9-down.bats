#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
load e2e.bash

@test "make demo-down removes everything that make demo created, and nothing else" {
  others() {
    docker ps --all --format '{{.Names}}' | sed "/^$DELIVERY_DEMO-/d"
    docker images --format '{{.Repository}}:{{.Tag}}' | sed "/^$DELIVERY_DEMO-/d; /^localhost:$DELIVERY_REGISTRY_PORT\//d; /<none>/d"
  }
  others | sort >"$BATS_TEST_TMPDIR/before"
  run shop demo-down
  assert_success
  # shellcheck disable=SC2086 # lists of words
  for kind in "ps --all" "volume ls" "network ls" "images"; do
    run docker $kind
    refute_output --partial "$DELIVERY_DEMO"
    refute_output --partial "localhost:$DELIVERY_REGISTRY_PORT/"
  done
  run comm -23 "$BATS_TEST_TMPDIR/before" <(others | sort)
  assert_output "" # nothing else is missing
}
