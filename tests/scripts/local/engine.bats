#!/usr/bin/env bats
load ../../lib/shop.bash

# A machine with an engine that is down, as files: up, buildx, root-only (the engine answers to root alone), broken (it never comes up).
# All that the script could do to the real one is a fake, rm and sh as well; what changes the machine needs root.
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

@test "engine: one that is down is started; one that answers is left alone" {
  verb local/engine
  assert_answer "" "==> starting the Docker engine"
  [ -d /run/systemd/system ] || grep -xF "rm -f /run/docker.pid /run/docker/containerd/containerd.pid" "$LOG"
  next_verb local/engine
  assert_answer "" ""
  refute grep -v '^docker ' "$LOG"
}

@test "engine: where there is none it is installed from the distribution and started" {
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

@test "engine: Debian 12's is too old, so Debian 13's is installed over it" {
  touch "$MACHINE/debian-12"
  rm "$MACHINE/buildx"
  succeeds local/engine
  assert grep -xF "scripts/local/debian-packages trixie docker.io docker-cli docker-buildx" "$LOG"
  refute grep ^apt-get "$LOG"
}

@test "engine: a user starts it by sudo and is let in, also into one that runs" {
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

@test "engine: one that doesn't start is a failure that names where to look" {
  touch "$MACHINE/broken"
  verb local/engine
  assert_failed 1 "no Docker engine with buildx answers" "docker info" "/var/log/dockerd.log"
}
