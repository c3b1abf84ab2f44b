#!/usr/bin/env bats
# -h and wrong usage of every shell script that runs on the laptop.
load ../lib/shop.bash
setup() {
  mapfile -t SCRIPTS < <(wrong_calls | cut -d'|' -f1)
  start_shop "${SCRIPTS[@]}"
}

# wrong_calls: SCRIPT|ARGUMENTS,ARGUMENTS...
wrong_calls() {
  printf '%s|one\n' check doctor format lock test \
    local/{down,engine,go,kubernetes-build,machines-up,run,sample-books,up}
  cat <<'TABLE'
bench|promote,-n
bench-shop|/tmp/shop.md ten,/tmp/shop.md 10 0
local/base-image|,db,app host
local/certificate|,relative,/tmp/one /tmp/two
local/check-port|,HTTP_PORT 80,HTTP_PORT 80 test-host more
local/debian-packages|,trixie,../trixie docker.io,Trixie docker.io
local/https|on,-x,off off
local/network|,one two
local/user-data|one two
image|one two
infra|,-y,plan -y,destroy -y,apply -y -y,apply yes,import,plan;id,cluster
run|0,080,123456,port,1;id,8000 8001
setup|nothing,run nothing
TABLE
}

@test "usage: -h prints the header, wrong usage prints it on stderr, and neither changes anything" {
  while IFS='|' read -r script calls; do
    IFS=, read -ra calls <<<"$calls"
    assert_wrong_calls "$script" "${calls[@]}"
  done < <(wrong_calls)
  verb setup ""
  assert_failed 2 "Usage: scripts/setup"
  for call in 'infra|apply -y' 'test|upgrade HEAD' 'run|80 80' 'local/network|a b'; do
    verb "${call%|*}" "${call#*|}" # one argument
    assert_failed 2 "Usage: scripts/${call%|*}"
  done
}

@test "usage: the list contains every shell script" {
  cd "$ROOT/scripts"
  assert_equal "$(grep -lsE '^#!/usr/bin/env bash' -- * local/* | sort)" "$(printf '%s\n' "${SCRIPTS[@]}" | sort)"
}
