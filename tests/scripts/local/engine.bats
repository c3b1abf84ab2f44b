#!/usr/bin/env bats
load ../../lib/shop.bash

# A machine whose engine is stopped. Its state is files: up, buildx, root-only (only root can connect), broken (does not start).
# Every program that could change the real machine is a fake, including rm and sh. Changes require root.
# shellcheck disable=SC2016 # the fakes themselves expand them
setup() {
  start_shop local/engine
  called_by root
  export AS_ROOT=yes MACHINE=$TEST_DIR/machine
  mkdir "$MACHINE"
  touch "$MACHINE/buildx"
  tools mv seq touch unlink
  logged dockerd
  logged apt-cache '[ ! -f "$MACHINE/debian-12" ]'
  fake_in_shop scripts/local/debian-packages 'touch "$MACHINE/buildx"'
  logged docker 'case $1 in
  buildx) [ -f "$MACHINE/buildx" ] ;;
  info) [ -f "$MACHINE/up" ] && { [ ! -f "$MACHINE/root-only" ] || [ -n "$AS_ROOT" ]; } ;;
esac'
  for tool in systemctl sh; do logged "$tool" '[ -n "$AS_ROOT" ] && { [ -f "$MACHINE/broken" ] || touch "$MACHINE/up"; }'; done
  for tool in rm usermod; do logged "$tool" '[ -n "$AS_ROOT" ]'; done
  logged chown '[ "$AS_ROOT $*" = "yes someone /run/docker.sock" ] && unlink "$MACHINE/root-only"'
  logged apt-get 'case "$*" in
  *" docker.io "*) mv "$MACHINE"/away/* "$MACHINE/../bin" ;;
  *" docker-buildx") touch "$MACHINE/buildx" ;;
esac'
  printf '#!/bin/bash\n' | fake sleep
}

@test "engine: starts a stopped engine, and leaves a running one alone" {
  verb local/engine
  assert_answer "" "==> starting the Docker engine"
  [ -d /run/systemd/system ] || grep -xF "rm -f /run/docker.pid /run/docker/containerd/containerd.pid" "$LOG"
  next_verb local/engine
  assert_answer "" ""
  refute grep -v '^docker ' "$LOG"
}

@test "engine: installs a missing engine from the distribution and starts it" {
  mkdir "$MACHINE/away"
  mv "$TEST_DIR"/bin/{docker,dockerd} "$MACHINE/away"
  rm "$MACHINE/buildx"
  verb local/engine
  assert_answer "" "\
==> installing the Docker engine
==> installing docker-buildx
==> starting the Docker engine"
  assert_equal "$(grep ^apt-get "$LOG")" "$(apt_get update)
$(apt_get install -y --no-install-recommends docker.io iptables)
$(apt_get install -y --no-install-recommends docker-buildx)"
}

@test "engine: on Debian 12, replaces the engine by that of Debian 13" {
  touch "$MACHINE/debian-12"
  rm "$MACHINE/buildx"
  succeeds local/engine
  assert grep -xF "scripts/local/debian-packages trixie docker.io docker-cli docker-buildx" "$LOG"
  refute grep ^apt-get "$LOG"
}

@test "engine: starts with sudo, and gives the user access, also to a running engine" {
  called_by someone
  AS_ROOT=
  for started in "==> starting the Docker engine"$'\n' ""; do
    touch "$MACHINE/root-only"
    next_verb local/engine
    assert_answer "" "$started==> adding someone to the group docker and giving\
 it the engine's socket until the next reboot"
    assert grep -xF "sudo usermod -aG docker someone" "$LOG"
  done
}

@test "engine: on a system without apt-get, names where to get Docker" {
  rm "$TEST_DIR/bin/apt-get"
  verb local/engine
  assert_failed 1 "no Docker engine with buildx answers. Start it, or install it: https://docs.docker.com/"
  touch "$MACHINE/up"
  succeeds local/engine
}

@test "engine: fails and names the log if the engine does not start" {
  touch "$MACHINE/broken"
  verb local/engine
  assert_failed 1 "no Docker engine with buildx answers" "docker info" "/var/log/dockerd.log"
}
