#!/usr/bin/env bats
load ../lib/shop.bash

# A machine that has every tool and no environment. Each lock file of the shop has one package.
setup() {
  start_shop
  real setup
  called_by root
  fake_in_shop scripts/demo/engine
  tools chmod cp find flock install sha256sum sort touch
  local tool
  for tool in curl update-ca-certificates nft ss sysctl bats prove xgettext jq openssl chromium terraform; do logged "$tool"; done
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
    : >"$3/bin/python3"
    chmod +x "$3/bin/python3"
    ;;
  "-c import ensurepip") [ ! -f "$TEST_DIR/no-ensurepip" ] || [ -f "$TEST_DIR/installed-python3-venv" ] ;;
  *) exec "$PYTHON" "$@" ;;
esac'
    logged pip 'echo "what pip says"; [ ! -f "$TEST_DIR/pip-fails" ] || { touch .venv/half-installed; exit 1; }'
  }
  export PYTHON TEST_DIR
  unset DELIVERY_PROD
  mkdir tests
  for directory in book-shop scripts tests; do
    rm -f "$directory/requirements.lock"
    echo "package==1 --hash=sha256:aa # of $directory" >"$directory/requirements.lock"
  done
}
teardown() { stop_shop; }

venv="python3 -m venv .venv"
pip() { # DIRECTORY...
  echo "pip --quiet --disable-pip-version-check install --no-compile --no-deps --require-hashes --only-binary :all: $(printf -- '--requirement=%s/requirements.lock\n' "$@" | paste -sd' ')"
}
registry() { printf '%s\n' "$(apt_get update)" "apt-get -qq -o APT::Sandbox::User=root download docker-registry" "dpkg-deb -x docker-registry_1_amd64.deb ."; }
# set_up PURPOSE...: with an empty log. Nothing may come to stdout.
set_up() {
  : >"$LOG"
  verb setup "$@"
  assert_output ""
}

@test "setup: installs for each purpose what it needs and nothing else, and the second time nothing" {
  local purpose
  for purpose in run deploy image demo infra tools check test; do
    rm -rf .venv
    set_up "$purpose"
    assert_success
    case $purpose in
      run) expected="$venv"$'\n'$(pip book-shop) ;;
      deploy | infra) expected="$venv"$'\n'$(pip scripts) ;;
      image | demo) expected="$venv"$'\n'$(pip scripts)$'\nscripts/demo/engine' ;;
      tools) expected="$venv"$'\n'$(pip tests) ;;
      check) expected="$venv"$'\n'$(pip book-shop scripts tests)$'\n'$(registry) ;;
      test) expected="$venv"$'\n'$(pip book-shop scripts tests)$'\n'$(registry)$'\nscripts/demo/engine' ;;
    esac
    assert_log "$expected"
    set_up "$purpose"
    assert_success
    assert_errors_whole ""
    refute grep -vx scripts/demo/engine "$LOG" # it finds its own engine running
  done
  rmdir "$TMPDIR" # nothing is left behind
}

@test "setup: without a purpose it installs everything" {
  set_up
  assert_success
  assert_errors_whole $'==> installing the Python packages of book-shop scripts tests\nwhat pip says\n==> fetching a registry for the tests'
  assert_log "$venv
$(pip book-shop scripts tests)
$(registry)
scripts/demo/engine"
  assert_equal "$(cat .venv/bin/docker-registry)" "the registry"
  [ -x .venv/bin/docker-registry ]
}

@test "setup: each tool that a purpose needs and the machine lacks comes from the distribution" {
  local purpose tool
  while read -r purpose tool package; do
    mv "$TEST_DIR/bin/$tool" "$TEST_DIR/away"
    set_up "$purpose"
    assert_success
    assert_errors "==> installing $package"
    assert_equal "$(sed 2q "$LOG")" "$(apt_get update)"$'\n'"$(apt_get install -y --no-install-recommends "$package")"
    mv "$TEST_DIR/away" "$TEST_DIR/bin/$tool"
  done <<'TOOLS'
image curl curl
image update-ca-certificates ca-certificates
demo ss iproute2
demo sysctl procps
infra curl curl
check bats bats
check prove perl
check xgettext gettext
check jq jq
check openssl openssl
check ss iproute2
check nft nftables
TOOLS
}

@test "setup: a tool that the purpose does not need is not installed" {
  for tool in curl update-ca-certificates nft ss sysctl bats prove xgettext jq openssl chromium terraform; do rm "$TEST_DIR/bin/$tool"; done
  for purpose in run deploy tools; do
    set_up "$purpose"
    assert_success
    refute grep apt-get "$LOG"
  done
}

@test "setup: the verbs on a cluster need jq, those on a host do not" {
  rm "$TEST_DIR/bin/jq"
  DELIVERY_PROD=host set_up deploy
  refute grep apt-get "$LOG"
  DELIVERY_PROD=cluster set_up deploy
  assert_success
  assert_log "$(apt_get update)"$'\n'"$(apt_get install -y --no-install-recommends jq)"
}

@test "setup: several missing tools are one installation, with one update" {
  rm "$TEST_DIR/bin/bats" "$TEST_DIR/bin/prove" "$TEST_DIR/bin/ss"
  touch "$TEST_DIR/no-ensurepip"
  set_up test
  assert_success
  assert_errors "==> installing bats iproute2 perl python3-venv"
  assert_log "$(apt_get update)
$(apt_get install -y --no-install-recommends bats iproute2 perl python3-venv)
$venv
$(pip book-shop scripts tests)
$(registry | sed 1d)
scripts/demo/engine"
}

@test "setup: purposes add up in any order, and each lock file is installed once" {
  set_up tools
  set_up deploy
  assert_log "$(pip scripts)"
  set_up run tools
  assert_log "$(pip book-shop)"
  set_up check
  assert_log "$(registry)"
  rm -rf .venv
  set_up run deploy
  assert_log "$venv"$'\n'"$(pip book-shop scripts)"
  set_up tools
  assert_log "$(pip tests)"
}

@test "setup: a changed lock file is installed, and only that" {
  set_up check
  echo 'ruff==1 --hash=sha256:cc' >>tests/requirements.lock
  set_up check
  assert_success
  assert_log "$(pip tests)"
  set_up check
  assert_log ""
}

@test "setup: what another version's lock file replaced is installed again" {
  cp tests/requirements.lock "$TEST_DIR/tests.lock"
  cp scripts/requirements.lock "$TEST_DIR/scripts.lock"
  set_up deploy tools
  echo 'shared==2 --hash=sha256:cc' | tee -a tests/requirements.lock >>scripts/requirements.lock
  set_up deploy # brings version 2
  cp "$TEST_DIR/tests.lock" tests/requirements.lock
  cp "$TEST_DIR/scripts.lock" scripts/requirements.lock
  set_up tools
  assert_log "$(pip tests)"
}

@test "setup: an interrupted installation is begun again, in an empty environment" {
  set_up tools
  touch "$TEST_DIR/pip-fails"
  set_up run
  assert_failure 1
  assert_log "$(pip book-shop)"
  rm "$TEST_DIR/pip-fails"
  set_up run
  assert_success
  assert_log "$venv"$'\n'"$(pip book-shop)"
  [ ! -e .venv/half-installed ]
  set_up run
  assert_log ""
  set_up tools # was removed with the incomplete environment
  assert_log "$(pip tests)"
}

@test "setup: makes an environment without Python again" {
  set_up run
  rm .venv/bin/python3
  ln -s /nowhere/python3 .venv/bin/python3
  # shellcheck disable=SC2016 # the fake itself expands it
  sed -i 's|: >"$3/bin/python3"|rm "$3/bin/python3"; &|' "$TEST_DIR/bin/python3"
  set_up run
  assert_success
  assert_log "$venv"$'\n'"$(pip book-shop)"
}

@test "setup: a second setup waits for the first" {
  mkfifo "$TEST_DIR/go-on"
  # shellcheck disable=SC2016 # the fake itself expands it
  logged pip ': >"$TEST_DIR/pip-runs"; read -r <"$TEST_DIR/go-on"'
  PATH=$TEST_DIR/bin scripts/setup run 3>&- &
  until [ -e "$TEST_DIR/pip-runs" ]; do kill -0 $!; done
  assert_equal "$(flock -n scripts/setup echo free || echo taken)" taken
  echo >"$TEST_DIR/go-on"
  wait $!
  assert_equal "$(flock -n scripts/setup echo free || echo taken)" free
}

@test "setup: the engine does not inherit the lock of the installation" {
  # shellcheck disable=SC2016 # the fake itself expands it
  fake_in_shop scripts/demo/engine '! { : >&9; } 2>/dev/null && [ ! -e /proc/$$/fd/9 ]'
  set_up image
  assert_success
}

@test "setup: leaves the target's stdin alone" {
  logged pip cat
  left=$({ PATH=$TEST_DIR/bin scripts/setup run 2>/dev/null && cat; } <<<"a dump")
  assert_equal "$left" "a dump"
}

@test "setup: the browser of the tests is the distribution's, or Playwright's where that is a snap" {
  set_up check
  rm "$TEST_DIR/bin/chromium"
  set_up check
  assert_success
  assert_errors_whole "==> installing Chromium"
  assert_log "$(apt_get update)
$(apt_get install -y --no-install-recommends chromium fonts-noto-core)"
  logged snap
  # shellcheck disable=SC2016 # the fake itself expands it
  logged playwright 'mkdir -p "$PLAYWRIGHT_BROWSERS_PATH"; [ ! -f "$TEST_DIR/playwright-fails" ]'
  mv "$TEST_DIR/bin/playwright" .venv/bin/
  touch "$TEST_DIR/playwright-fails"
  set_up check
  assert_failure 1
  rm "$TEST_DIR/playwright-fails"
  set_up check # what was left there is not a browser
  assert_success
  assert_log "playwright install --with-deps chromium"
  set_up check
  assert_log ""
}

@test "setup: root is asked for by sudo, and only for what needs it" {
  rm "$TEST_DIR/bin/bats"
  called_by someone
  set_up check
  assert_success
  assert_equal "$(grep '^sudo ' "$LOG")" "\
sudo env DEBIAN_FRONTEND=noninteractive $(apt_get update)
sudo env DEBIAN_FRONTEND=noninteractive $(apt_get install -y --no-install-recommends bats)"
}

@test "setup: an engine that can't be had is a failure" {
  fake_in_shop scripts/demo/engine 'echo "no engine" >&2; exit 1'
  verb setup image
  assert_failed 1 "no engine"
}

@test "setup: a Python that is too old is named before anything is done" {
  # shellcheck disable=SC2016 # the fake itself expands it
  logged python3 'case $1 in -c) exit 1 ;; esac; echo Python 3.9.2'
  verb setup run
  assert_failed 1 "Python 3.10 or newer is needed, this is Python 3.9.2"
  refute [ -e .venv ]
  refute grep -v python3 "$LOG"
}

@test "setup: -h and wrong calls" {
  assert_wrong_calls setup nothing "run nothing"
  verb setup ""
  assert_failed 2 "Usage: scripts/setup"
  assert_log ""
}

@test "setup: Terraform is fetched where there is none, and only the archive that was pinned is unpacked" {
  rm "$TEST_DIR/bin/terraform"
  # shellcheck disable=SC2016 # the fake itself expands it
  logged curl '[[ "$*" =~ -o\ ([^ ]+) ]] && echo "not Terraform" >"${BASH_REMATCH[1]}"'
  verb setup infra
  assert_failed 1 "the Terraform archive is not the one that was pinned"
  [ ! -e .venv/bin/terraform ]
  logged curl 'exit 6'
  verb setup infra
  assert_failed 1 "Terraform can't be downloaded"
  verb setup deploy
  assert_success
}
