#!/usr/bin/env bats
load ../lib/shop.bash
setup() {
  start_shop
  real doctor
  tools sha256sum
  local tool
  # shellcheck disable=SC2016 # the fake itself expands it
  for tool in bats terraform docker kubectl; do logged "$tool" 'echo "version 1 of ${0##*/}"; echo "more words"'; done
  internet_answers 401
  mkdir .venv
  for lock in book-shop scripts tests; do sha256sum k8s/shop.yaml >".venv/$lock.installed"; done
}
teardown() { stop_shop; }

internet_answers() { # STATUS: what curl gives
  # shellcheck disable=SC2016 # the fake itself expands it
  printf '#!/bin/bash\ncase $1 in --version) echo "curl 8" ;; *) printf %s && [ %s != 000 ] ;; esac\n' "$1" "$1" | fake curl
}
assert_row() { assert_output --regexp "(^|"$'\n'")$1 +$2"; }

@test "doctor: one line each for what is there" {
  verb doctor
  assert_success
  assert_row python3 'Python 3\.[0-9.]+'
  assert_row "packages: run" "k8s/shop.yaml: OK"
  assert_row "packages: deploy" "k8s/shop.yaml: OK"
  assert_row "packages: tools" "k8s/shop.yaml: OK"
  assert_row kubectl "version 1 of kubectl"
  assert_row bats "version 1 of bats"
  assert_row "docker engine" "version 1 of docker"
  assert_row "public registry" reachable
  assert_row k3s reachable
  refute_output --partial MISSING
  refute_output --partial "more words"
  assert_errors_whole ""
}

@test "doctor: each thing that lacks is named with its remedy, the rest is told as well, and it fails" {
  for tool in git curl bats docker kubectl; do
    mv "$TEST_DIR/bin/$tool" "$TEST_DIR/away"
    verb doctor
    assert_failure 1
    assert_row "$tool.*" "MISSING: (make setup-(image|check|deploy)|apt install git)"
    assert_row python3 Python
    mv "$TEST_DIR/away" "$TEST_DIR/bin/$tool"
  done
  rm .venv/tests.installed
  verb doctor
  assert_failure 1
  assert_row "packages: deploy" "k8s/shop.yaml: OK"
  assert_row "packages: tools" "MISSING: make setup-tools"
  echo changed >>k8s/shop.yaml # as if it were a lock file
  verb doctor
  assert_failure 1
  assert_row "packages: run" "MISSING: make setup-run"
  assert_row "packages: deploy" "MISSING: make setup-deploy"
}

@test "doctor: an engine that doesn't answer is missing" {
  logged docker 'echo "Cannot connect" >&2; exit 1'
  verb doctor
  assert_failure 1
  assert_row "docker engine" "MISSING: make setup-image"
}

@test "doctor: what can't be reached is told with what is done instead, and is no failure" {
  for code in 000 403; do # 403 is a proxy's word
    internet_answers "$code"
    verb doctor
    assert_success
    assert_row "public registry" "out of reach: base images are made from Debian's archive"
    assert_row k3s "out of reach: the local host builds Kubernetes from source"
  done
}

@test "doctor: without curl nothing is called reachable" {
  rm "$TEST_DIR/bin/curl"
  verb doctor
  assert_failure 1
  assert_row curl "MISSING: make setup"
  refute_output --partial " reachable"
}

@test "doctor: -h and wrong calls" { assert_wrong_calls doctor; }
