#!/usr/bin/env bats
load ../../lib/shop.bash
setup() {
  start_shop
  real demo/network
}
teardown() { stop_shop; }

@test "network: made by a free subnet's name, once; the subnet is the answer" {
  verb demo/network test
  assert_success
  assert_output 172.30.0.0/16
  assert_log "docker network inspect test
docker network create test-probe
docker network inspect -f {{(index .IPAM.Config 0).Subnet}} test-probe
docker network rm test-probe
docker network create --subnet 172.30.0.0/16 test
docker network inspect -f {{(index .IPAM.Config 0).Subnet}} test"

  : >"$LOG"
  verb demo/network test
  assert_success
  assert_output 172.30.0.0/16
  assert_log "docker network inspect test
docker network inspect -f {{(index .IPAM.Config 0).Subnet}} test"
}

@test "network: -h and wrong calls" { assert_wrong_calls demo/network "" "one two"; }
