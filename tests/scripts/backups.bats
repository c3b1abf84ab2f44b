#!/usr/bin/env bats
load ../lib/shop.bash
setup() {
  start_shop
  real backups
  host_runs
}
teardown() { stop_shop; }

ago() { date -u -d "$1 ago" +%Y%m%dT%H%M%SZ; }

@test "backups: as the host lists them, with size and age" {
  dev=$(ago "3 hours") prod=$(ago "5 minutes") replaced=$(ago "5 days")-replaced
  host_does "printf '%s\n' 'dev $dev 32568' 'prod $prod 1500000' 'prod $replaced 900'"
  verb backups
  assert_success
  assert_errors_whole ""
  assert_output "dev   $dev               33 kB  3 h ago
prod  $prod              1.5 MB  5 min ago
prod  $replaced       1 kB  5 days ago"
  assert_log "docker container inspect --format {{.State.Running}} test-host
docker exec --env DELIVERY_ACTOR=tester test-host /opt/book-shop/bin/backups"
}

@test "backups: says when one is overdue, or there is none; what a restore made is no backup of the night" {
  old=$(ago "27 hours")
  host_does "printf '%s\n' 'dev $old 32568' 'prod $(ago "1 hour")-replaced 900'"
  verb backups
  assert_success
  assert_errors "==> dev's newest backup is 27 h old, though there is one each night. Why is in the host's journal: journalctl -u book-shop-backup" \
    "==> prod has no backup. "
}

@test "backups: the host's failure is passed on" {
  host_does 'echo "no such directory" >&2; exit 5'
  verb backups
  assert_failed 5 "no such directory"
}

@test "backups: -h and wrong calls" { assert_wrong_calls backups dev; }
