#!/usr/bin/env bats
# The calls that every shell script of the laptop refuses, and its help.
load ../lib/shop.bash

# The wrong arguments of each, with "," between the calls; besides them "-x" is wrong everywhere.
declare -gA WRONG=(
  [bench]="promote,-n"
  [bench-shop]="/tmp/shop.md ten,/tmp/shop.md 10 0"
  [check]="one"
  [demo/base-image]=",db,app host"
  [demo/check-port]=",HTTP_PORT 80,HTTP_PORT 80 test-host more"
  [demo/debian-packages]=",trixie,../trixie docker.io,Trixie docker.io"
  [demo/down]="one"
  [demo/engine]="one"
  [demo/go]="one"
  [demo/kubernetes-build]="one"
  [demo/machines-up]="one"
  [demo/network]=",one two"
  [demo/run]="one"
  [demo/sample-books]="one"
  [demo/up]="one"
  [demo/user-data]="one two"
  [doctor]="one"
  [format]="one"
  [host-archive]="one"
  [image]="one two"
  [infra]=",-y,plan -y,destroy -y,apply -y -y,apply yes,import,plan;id,cluster"
  [lock]="one"
  [run]="0,080,123456,port,1;id,8000 8001"
  [setup]="nothing,run nothing"
  [test]="one"
  [user-data]=",one,one two three,one two three four five"
)

setup() { start_shop "${!WRONG[@]}"; }

@test "usage: -h prints the header, a wrong call prints it on stderr, and neither does anything" {
  local script calls
  for script in "${!WRONG[@]}"; do
    IFS=, read -ra calls <<<"${WRONG[$script]}"
    assert_wrong_calls "$script" "${calls[@]}"
  done
  verb setup ""
  assert_failed 2 "Usage: scripts/setup"
}

@test "usage: every shell script is in the list" {
  cd "$ROOT/scripts"
  assert_equal "$(grep -lsE '^#!/usr/bin/env bash' -- * demo/* | sort)" "$(printf '%s\n' "${!WRONG[@]}" | sort)"
}
