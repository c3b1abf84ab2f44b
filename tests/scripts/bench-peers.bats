#!/usr/bin/env bats
load ../lib/shop.bash
setup() {
  start_shop
  mkdir -p tests/bench
  ln -s "$ROOT/tests/bench/peers" tests/bench/peers
  export VERBS=$SHOP/tests/bench
  tools id
  called_by root
  fake_in_shop scripts/demo/debian-packages
  logged apt-get
  packages oras skopeo docker-compose-v2
  release trixie
}

# packages NAME...: what the distribution has.
# shellcheck disable=SC2016 # the fake itself expands it
packages() { printf '#!/bin/bash\n[[ " %s " == *" $2 "* ]]\n' "$*" | fake apt-cache; }
# release NAME: of the distribution.
release() { printf '#!/bin/bash\n[ "$*" = "-q ^VERSION_CODENAME=bookworm /etc/os-release" ] && [ %s = bookworm ]\n' "$1" | fake grep; }
has() {
  local tool
  for tool in "$@"; do fake "$tool" <<<'#!/bin/bash'; done
}
installs() { apt_get install -y --no-install-recommends "$@"; }

@test "bench's peers: what the distribution has is installed" {
  fake docker <<<$'#!/bin/bash\nexit 1'
  verb peers
  assert_success
  assert_log "$(apt_get update && installs skopeo && installs oras && installs docker-compose-v2)"
}

@test "bench's peers: Debian calls compose otherwise, and for Debian 12 both come from its successor" {
  fake docker <<<$'#!/bin/bash\nexit 1'
  packages skopeo docker-compose
  release bookworm
  verb peers
  assert_success
  assert_log "$(apt_get update && installs skopeo)
scripts/demo/debian-packages trixie oras
scripts/demo/debian-packages trixie docker-compose"
}

@test "bench's peers: what is there stays, and nothing is asked of the archive" {
  has oras skopeo docker
  verb peers
  assert_success
  assert_log ""
}

@test "bench's peers: what no package brings is said, and no failure" {
  has skopeo docker
  packages
  verb peers
  assert_success
  assert_errors_whole "==> no package of this distribution is oras"
}
