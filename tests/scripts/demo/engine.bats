#!/usr/bin/env bats
load ../../lib/shop.bash

# A machine with an engine that is down, as files: up, buildx, root-only (the engine answers to root alone), broken (it never comes up).
# All that the script could do to the real one is a fake, rm and sh as well.
setup() {
  start_shop demo/engine
  called_by root
  export MACHINE=$TEST_DIR/machine
  mkdir "$MACHINE"
  touch "$MACHINE/buildx"
  tools mv seq touch unlink
  logged rm
  logged dockerd
  # shellcheck disable=SC2016 # the fakes themselves expand them
  {
    logged apt-cache '[ ! -f "$MACHINE/debian-12" ]'
    fake_in_shop scripts/demo/debian-packages 'touch "$MACHINE/buildx"'
    logged docker 'case $1 in
  buildx) [ -f "$MACHINE/buildx" ] ;;
  info) [ -f "$MACHINE/up" ] && { [ ! -f "$MACHINE/root-only" ] || [ -n "${AS_ROOT:-}" ]; } ;;
esac'
    logged systemctl '[ -f "$MACHINE/broken" ] || touch "$MACHINE/up"'
    logged sh '[ -f "$MACHINE/broken" ] || touch "$MACHINE/up"'
    logged apt-get 'case "$*" in
  *" docker.io "*) mv "$MACHINE"/away/* "$MACHINE/../bin" ;;
  *" docker-buildx") touch "$MACHINE/buildx" ;;
esac'
    logged chown 'unlink "$MACHINE/root-only"'
  }
  logged usermod
  printf '#!/bin/bash\n' | fake sleep
}

did() { grep -vE '^(sudo )?docker (info|buildx version)$' "$LOG"; } # all but asking
started() {                                                         # [PREFIX]: depends on whether this machine has systemd
  if [ -d /run/systemd/system ]; then
    by "${1:-}" systemctl start docker
  else
    by "${1:-}" rm -f /run/docker.pid /run/docker/containerd/containerd.pid
    by "${1:-}" sh -c "setsid dockerd >>/var/log/dockerd.log 2>&1 </dev/null &"
  fi
}
by() { # PREFIX COMMAND...: a command in the log, by sudo if that is the prefix
  [ -z "$1" ] || echo "$1 ${*:2}"
  echo "${*:2}"
}

@test "engine: one that is down is started; one that answers is left alone" {
  verb demo/engine
  assert_answer "" "==> starting the Docker engine"
  assert_equal "$(did)" "$(started)"
  next_verb demo/engine
  assert_answer "" ""
  assert_equal "$(did)" ""
}

@test "engine: where there is none it is installed from the distribution and started" {
  mkdir "$MACHINE/away"
  mv "$TEST_DIR"/bin/{docker,dockerd} "$MACHINE/away"
  rm "$MACHINE/buildx"
  succeeds demo/engine
  assert_errors_whole "\
==> installing the Docker engine
==> installing BuildKit's client
==> starting the Docker engine"
  assert_equal "$(did)" "$(apt_get update)
$(apt_get install -y --no-install-recommends docker.io iptables)
apt-cache show docker-buildx
$(apt_get install -y --no-install-recommends docker-buildx)
$(started)"
}

@test "engine: Debian 12's is too old, so Debian 13's goes on top of it" {
  touch "$MACHINE/debian-12"
  rm "$MACHINE/buildx"
  succeeds demo/engine
  assert_equal "$(did)" "apt-cache show docker-buildx
scripts/demo/debian-packages trixie docker.io docker-cli docker-buildx
$(started)"
}

@test "engine: a user starts it by sudo and is let in, also into one that runs" {
  called_by someone
  let_in="$(by sudo usermod -aG docker someone)
$(by sudo chown someone /run/docker.sock)"
  touch "$MACHINE/root-only"
  succeeds demo/engine
  assert_errors "==> letting someone use the engine"
  assert_equal "$(did)" "$(started sudo)"$'\n'"$let_in"
  touch "$MACHINE/root-only" # it runs now
  succeeds demo/engine
  assert_equal "$(did)" "$let_in"
}

@test "engine: one that doesn't come up is a failure that says where to look" {
  touch "$MACHINE/broken"
  verb demo/engine
  assert_failed 1 "no Docker engine with buildx answers" "docker info" "/var/log/dockerd.log"
}
