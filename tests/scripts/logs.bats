#!/usr/bin/env bats
load ../lib/shop.bash
setup() {
  start_shop
  real logs
  host_runs
}
teardown() { stop_shop; }

@test "logs: the last 100 lines, or as many as asked for, as the host gives them" {
  # shellcheck disable=SC2016 # the fake itself expands it
  host_does 'printf "{\"n\": %s}\n" 1 2; echo "from the host" >&2'
  verb logs dev
  assert_success
  assert_output $'{"n": 1}\n{"n": 2}'
  assert_errors_whole "from the host"
  verb logs prod 99999
  assert_success
  assert_log "docker container inspect --format {{.State.Running}} test-host
docker exec --env DELIVERY_ACTOR=tester test-host /opt/book-shop/bin/logs dev 100
docker container inspect --format {{.State.Running}} test-host
docker exec --env DELIVERY_ACTOR=tester test-host /opt/book-shop/bin/logs prod 99999"
}

@test "logs: the host's failure is passed on" {
  host_does 'echo "nothing runs" >&2; exit 5'
  verb logs prod
  assert_failed 5 "nothing runs"
}

@test "logs: without a host it names make demo" {
  rm "$ENGINE/containers/test-host"
  verb logs dev
  assert_failed 1 "there is no local host to reach" "remedy: make demo"
}

@test "logs: -h and wrong calls" {
  for lines in "" 0 100000 1.5 ten ٣ '1;id' $'1\n' "$(printf '9%.0s' {1..9999})"; do
    verb logs dev "$lines"
    assert_failed 2 "invalid number of lines" "expected 1 to 99999"
  done
  verb logs stage
  assert_failed 2 "invalid environment 'stage'" "expected dev or prod"
  verb logs
  assert_failed 2 "the following arguments are required: environment" "Usage: scripts/logs"
  assert_wrong_calls logs "dev 1 2"
}
