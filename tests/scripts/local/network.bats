#!/usr/bin/env bats
load ../../lib/shop.bash
setup() { start_shop local/network; }

@test "network: creates a network with a free subnet once, and prints the subnet" {
  verb local/network test
  assert_answer 172.30.0.0/16
  assert grep -xF "docker network create --subnet 172.30.0.0/16 test" "$LOG"
  assert_equal "$(ls "$ENGINE/networks")" test # the network that found the subnet was removed

  next_verb local/network test
  assert_answer 172.30.0.0/16
  refute grep create "$LOG"
}
