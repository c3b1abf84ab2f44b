#!/usr/bin/env bats
load ../lib/shop.bash

# A machine that has everything but what setup itself makes.
setup() {
  start_shop
  real setup
  called_by root
  fake_in_shop scripts/demo/engine
  tools chmod install sha256sum
  local tool
  for tool in curl ss sysctl bats prove xgettext jq openssl chromium kubectl terraform; do logged "$tool"; done
  # shellcheck disable=SC2016 # the fakes themselves expand them
  {
    logged apt-get 'if [ "${!#}" = docker-registry ]; then : >docker-registry_1_amd64.deb; else for package in "$@"; do : >"$TEST_DIR/installed-$package"; done; fi'
    logged dpkg-deb 'mkdir -p "$3/usr/bin" && echo "the registry" >"$3/usr/bin/docker-registry"'
    fake python3 <<<'#!/bin/bash
case "$*" in
  "-m venv "*)
    echo "python3 $*" >>"$LOG"
    mkdir -p "$3/bin"
    cp "$TEST_DIR/bin/pip" "$3/bin/pip"
    ;;
  "-c import ensurepip") [ ! -f "$TEST_DIR/no-ensurepip" ] || [ -f "$TEST_DIR/installed-python3-venv" ] ;;
  *) exec "$PYTHON" "$@" ;;
esac'
    logged pip '[ ! -f "$TEST_DIR/pip-fails" ]'
  }
  tools cp
  export PYTHON TEST_DIR
  mkdir tests
  echo 'django==5.2 --hash=sha256:aa' >book-shop/requirements.lock
  echo 'pytest==9 --hash=sha256:bb' >tests/requirements.lock
}
teardown() { stop_shop; }

locked_packages() { printf 'python3 -m venv .venv\npip --quiet --disable-pip-version-check install --no-deps --require-hashes --requirement=book-shop/requirements.lock --requirement=tests/requirements.lock'; }
registry() { printf '%s\n' "$(apt_get update)" "apt-get -qq -o APT::Sandbox::User=root download docker-registry" "dpkg-deb -x docker-registry_1_amd64.deb ."; }

@test "setup: makes the virtual environment and the tests' registry, then sees to the engine" {
  verb setup
  assert_success
  assert_output ""
  assert_errors_whole $'==> installing the locked Python packages\n==> fetching a registry for the tests'
  assert_log "$(locked_packages)
$(registry)
scripts/demo/engine"
  assert_equal "$(cat .venv/bin/docker-registry)" "the registry"
  [ -x .venv/bin/docker-registry ]
  rmdir "$TMPDIR" # nothing is left behind
}

@test "setup: the second time it only sees to the engine" {
  verb setup
  : >"$LOG"
  verb setup
  assert_success
  assert_errors_whole ""
  assert_log "scripts/demo/engine"
}

@test "setup: a changed lock file is installed, and only that" {
  verb setup
  echo 'ruff==1 --hash=sha256:cc' >>tests/requirements.lock
  : >"$LOG"
  verb setup
  assert_success
  assert_log "$(locked_packages)
scripts/demo/engine"
}

@test "setup: tools that are missing come from the distribution, with one update" {
  rm "$TEST_DIR/bin/bats" "$TEST_DIR/bin/prove"
  touch "$TEST_DIR/no-ensurepip"
  verb setup
  assert_success
  assert_errors "==> installing bats perl python3-venv"
  assert_log "$(apt_get update)
$(apt_get install -y --no-install-recommends bats perl python3-venv)
$(locked_packages)
$(registry | sed 1d)
scripts/demo/engine"
}

@test "setup: the browser of the tests is the distribution's, or Playwright's where that is a snap" {
  verb setup
  rm "$TEST_DIR/bin/chromium"
  : >"$LOG"
  verb setup
  assert_success
  assert_errors_whole "==> installing Chromium"
  assert_log "$(apt_get update)
$(apt_get install -y --no-install-recommends chromium fonts-noto-core)
scripts/demo/engine"
  logged snap
  # shellcheck disable=SC2016 # the fake itself expands it
  logged playwright 'mkdir "$PLAYWRIGHT_BROWSERS_PATH"'
  mv "$TEST_DIR/bin/playwright" .venv/bin/
  : >"$LOG"
  verb setup
  verb setup
  assert_success
  assert_log "playwright install --with-deps chromium
scripts/demo/engine
scripts/demo/engine"
}

@test "setup: kubectl is the distribution's, or the snap where there are snaps" {
  verb setup
  rm "$TEST_DIR/bin/kubectl"
  : >"$LOG"
  verb setup
  assert_success
  assert_errors_whole "==> installing kubectl"
  assert_log "$(apt_get update)
$(apt_get install -y --no-install-recommends kubernetes-client)
scripts/demo/engine"
  logged snap
  : >"$LOG"
  verb setup
  assert_success
  assert_log "snap install kubectl --classic
scripts/demo/engine"
}

@test "setup: root is asked for by sudo, and only for what needs it" {
  rm "$TEST_DIR/bin/bats"
  called_by someone
  verb setup
  assert_success
  assert_equal "$(grep '^sudo ' "$LOG")" "\
sudo env DEBIAN_FRONTEND=noninteractive $(apt_get update)
sudo env DEBIAN_FRONTEND=noninteractive $(apt_get install -y --no-install-recommends bats)"
}

@test "setup: packages that could not be installed are tried again" {
  touch "$TEST_DIR/pip-fails"
  verb setup
  assert_failure 1
  assert_log "$(locked_packages)"
  rm "$TEST_DIR/pip-fails"
  : >"$LOG"
  verb setup
  assert_success
  assert_equal "$(sed 2q "$LOG")" "$(locked_packages)"
}

@test "setup: an engine that can't be had is a failure" {
  fake_in_shop scripts/demo/engine 'echo "no engine" >&2; exit 1'
  verb setup
  assert_failed 1 "no engine"
}

@test "setup: a Python that is too old is named before anything is done" {
  # shellcheck disable=SC2016 # the fake itself expands it
  logged python3 'case $1 in -c) exit 1 ;; esac; echo Python 3.9.2'
  verb setup
  assert_failed 1 "Python 3.10 or newer is needed, this is Python 3.9.2"
  refute [ -e .venv ]
  refute grep -v python3 "$LOG"
}

@test "setup: -h and wrong calls" { assert_wrong_calls setup; }

@test "setup: Terraform is fetched where there is none, and only the archive that was pinned is unpacked" {
  rm "$TEST_DIR/bin/terraform"
  # shellcheck disable=SC2016 # the fake itself expands it
  logged curl '[[ "$*" =~ -o\ ([^ ]+) ]] && echo "not Terraform" >"${BASH_REMATCH[1]}"'
  verb setup
  assert_failed 1 "the Terraform archive is not the one that was pinned"
  [ ! -e .venv/bin/terraform ]
  logged curl 'exit 6'
  verb setup
  assert_failed 1 "Terraform can't be downloaded"
}
