#!/usr/bin/env bats
load ../lib/shop.bash
setup() {
  start_shop
  real backup
  host_runs
}
teardown() { stop_shop; }

on_host="docker exec --env DELIVERY_ACTOR=tester test-host /opt/book-shop/bin/backup"

@test "backup: of both, or of the one that is named; where it lies is the answer" {
  host_does 'echo "==> back up dev" >&2; echo /var/backups/book-shop/dev/1.dump'
  verb backup
  assert_success
  assert_output /var/backups/book-shop/dev/1.dump
  assert_errors_whole "==> back up dev"
  verb backup dev
  assert_success
  verb backup prod
  assert_success
  run grep exec "$LOG"
  assert_output "$on_host
$on_host dev
$on_host prod"
}

@test "backup: the host's failure is passed on; what went well is no answer then" {
  host_does 'echo "backup: no room" >&2; echo /var/backups/book-shop/prod/1.dump; exit 1'
  verb backup
  assert_failed 1 "backup: no room" /var/backups/book-shop/prod/1.dump
}

@test "backup: without a host it names make demo" {
  rm "$ENGINE/containers/test-host"
  verb backup
  assert_failed 1 "there is no local host to reach" "remedy: make demo"
}

@test "backup: prod's data is not here when PROD says that it runs on a cluster" {
  for environment in "" prod; do
    # shellcheck disable=SC2086 # none or one
    DELIVERY_PROD=cluster verb backup $environment
    assert_failed 2 "prod's data is not on the host" "PROD=cluster" "make cluster-data-dump"
  done
  assert_log ""
  DELIVERY_PROD=cluster verb backup dev
  assert_success
}

@test "backup: -h and wrong calls" {
  for environment in stage "" "dev;id"; do
    verb backup "$environment"
    assert_failed 2 "invalid environment '$environment'"
    refute grep exec "$LOG"
  done
  : >"$LOG"
  assert_wrong_calls backup "dev prod"
}
