#!/usr/bin/env bats
# shellcheck disable=SC2016 # the fakes themselves expand what is quoted
load ../lib/shop.bash
setup() {
  start_shop test
  tools grep sleep sort tail tee touch mkfifo ln
  mkdir -p tests/e2e tests/load
  FILES=$(cd "$ROOT" && echo tests/e2e/*.bats)
  # shellcheck disable=SC2086 # a list of words
  touch $FILES tests/load/deploys.bats
  commit "tests"
  fake_in_shop scripts/local/down 'echo "down $DELIVERY_DEMO" >>"$LOG.hosts"'
  logged pytest 'echo "3 passed"'
  logged docker
  # Runs the commands that a test has set for a host.
  logged bats 'echo "$DELIVERY_DEMO $DELIVERY_HTTP_PORT $2" >>"$LOG.files"; [ ! -e "$LOG.does" ] || . "$LOG.does"'
}

# assert_removed NUMBER...: the first and the second host were removed this many times.
assert_removed() { assert_equal "$(for host in 1 2; do grep -c "^down book-shop-test-$host$" "$LOG.hosts"; done | xargs)" "$*"; }

@test "test: runs each file once, on one of two hosts, and removes both hosts" {
  succeeds test
  assert_output --partial "1: tests/e2e/1-demo.bats: "
  assert_output --partial "3 passed"
  assert_equal "$(cut -d' ' -f3 "$LOG.files" | sort | xargs)" "$FILES"
  assert_equal "$(cut -d' ' -f1,2 "$LOG.files" | sort -u)" $'book-shop-test-1 10080\nbook-shop-test-2 10280'
  assert_equal "$(tail -n 1 "$LOG.files")" "book-shop-test-1 10080 tests/e2e/9-down.bats"
  assert_removed 2 2 # before and after
}

@test "test: uses one host for a suite with one host" {
  succeeds test load
  assert_equal "$(cat "$LOG.files")" "book-shop-test-1 10080 tests/load/deploys.bats"
  assert_removed 2 0
  refute grep -q pytest "$LOG"
}

@test "test: the settings of the caller's own hosts reach no test" {
  export DELIVERY_PROD=cluster DELIVERY_CLUSTER=theirs DELIVERY_CLUSTER_URL=http://theirs DELIVERY_PLAN=1
  # As make exports what is on its command line; a make in a test would act on the caller's demo.
  export MAKEFLAGS=' -- HOST=aws DEMO=theirs' DELIVERY_HOST=aws DELIVERY_DEMO=theirs
  echo 'echo "${MAKEFLAGS-}${DELIVERY_PROD-}${DELIVERY_CLUSTER-}${DELIVERY_CLUSTER_URL-}${DELIVERY_PLAN-}$DELIVERY_HOST" >>"$LOG.settings"' \
    >"$LOG.does"
  succeeds test load
  assert_equal "$(cat "$LOG.settings")" local
}

@test "test: a failing case fails the run and is named at the end, and the other host's files still run" {
  for host in 1 2; do
    : >"$LOG.files"
    echo '[ "$DELIVERY_DEMO" != book-shop-test-'$host' ] || { echo "not ok 3 it broke" && exit 1; }' >"$LOG.does"
    fails test
    assert_output --partial "$host: not ok 3 it broke"
    assert_errors "$host: not ok 3 it broke"
    assert_equal "$(cut -d' ' -f3 "$LOG.files" | sort | xargs)" "$FILES"
  done
  assert_removed 4 4
}

@test "test: fails with the output of the infrastructure's tests if they fail" {
  logged pytest 'echo "the plan differs"; exit 1'
  fails test
  assert_errors "the plan differs"
}

@test "test: an interrupt ends the tests and removes both hosts" {
  mkfifo "$TEST_DIR/running"
  exec 7<>"$TEST_DIR/running"
  echo "echo \$\$ >'$TEST_DIR/running'; exec sleep 1000" >"$LOG.does"
  PATH=$TEST_DIR/bin "$SHOP/scripts/test" >"$TEST_DIR/stdout" 2>&1 3>&- 7>&- &
  test=$!
  read -r one <&7
  read -r two <&7
  kill -TERM "$test"
  wait "$test" || status=$?
  assert_equal "$status" 143
  for tests in "$one" "$two"; do
    for _ in {1..100}; do kill -0 "$tests" 2>/dev/null && sleep 0.1 || continue 2; done # until it is reaped
    fail "process $tests is still there"
  done
  assert_removed 2 2
}

@test "test: a kind and its commit are arguments of their own" {
  verb test ""
  for wrong in "e2e load" upgrade "upgrade HEAD" "upgrade --all" "upgrade HEAD more" "load -h"; do
    assert_failed 2 "Usage: scripts/test "
    # shellcheck disable=SC2086 # one word, and several
    if [ "$wrong" = "upgrade HEAD" ]; then next_verb test "$wrong"; else next_verb test $wrong; fi
  done
  assert_failed 2 "Usage: scripts/test "
  refute [ -e "$LOG.hosts" ]
}
