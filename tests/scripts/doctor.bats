#!/usr/bin/env bats
# shellcheck disable=SC2016 # the fakes themselves expand what is quoted
load ../lib/shop.bash
setup() {
  start_shop doctor
  tools cmp
  for tool in bats terraform docker kubectl; do logged "$tool" 'echo "version 1 of ${0##*/}"; echo "more words"'; done
  internet_answers 401
  mkdir .venv
  for lock in book-shop scripts tests; do
    mkdir -p "$lock"
    echo "of $lock" | tee "$lock/requirements.lock" >".venv/$lock.installed"
  done
}

internet_answers() { # STATUS: the HTTP status that curl prints
  printf '#!/bin/bash\ncase $1 in --version) echo "curl 8" ;; *) printf %s && [ %s != 000 ] ;; esac\n' "$1" "$1" | fake curl
}
assert_row() { assert_output --regexp "(^|"$'\n'")$1 +$2"; }

@test "doctor: prints one line for each tool and service" {
  succeeds doctor
  assert_errors_whole ""
  while IFS='|' read -r name state; do assert_row "$name" "$state"; done <<'TABLE'
python3|Python 3\.[0-9.]+
packages: run|book-shop/requirements.lock
packages: deploy|scripts/requirements.lock
packages: tools|tests/requirements.lock
kubectl|version 1 of kubectl
bats|version 1 of bats
docker engine|version 1 of docker
terraform|version 1 of terraform
public registry|reachable
k3s|reachable
TABLE
  refute_output --partial MISSING
  refute_output --partial "more words"
}

@test "doctor: lists each missing tool with its remedy, and fails" {
  for tool in git curl bats docker kubectl; do
    mv "$TEST_DIR/bin/$tool" "$TEST_DIR/away"
    fails doctor
    assert_row "$tool.*" "MISSING: (make setup-(image|check|deploy)|the package manager of this system)"
    assert_row python3 Python
    [ "$tool" != curl ] || refute_output --partial " reachable"
    mv "$TEST_DIR/away" "$TEST_DIR/bin/$tool"
  done
  rm .venv/tests.installed
  fails doctor
  assert_row "packages: deploy" "scripts/requirements.lock"
  assert_row "packages: tools" "MISSING: make setup-tools"
  for lock in book-shop scripts; do echo changed >>"$lock/requirements.lock"; done
  fails doctor
  for purpose in run deploy; do assert_row "packages: $purpose" "MISSING: make setup-$purpose"; done
  logged docker 'echo "Cannot connect" >&2; exit 1'
  verb doctor
  assert_row "docker engine" "MISSING: make setup-image"
}

@test "doctor: reports a missing or broken Terraform in one row, and does not fail" {
  logged terraform 'echo "half a version"; exit 1'
  for _ in broken missing; do
    succeeds doctor
    assert_row terraform "not installed; only needed for AWS: make setup-infra"
    refute_output --partial "half a version"
    rm -f "$TEST_DIR/bin/terraform"
  done
}

@test "doctor: names the command of this system that installs git" {
  rm "$TEST_DIR/bin/git"
  logged brew
  fails doctor
  assert_row git "MISSING: brew install git"
  logged apt-get
  fails doctor
  assert_row git "MISSING: apt install git"
}

@test "doctor: names the replacement for an unreachable service, and does not fail" {
  for code in 000 403; do # a proxy answers 403
    internet_answers "$code"
    succeeds doctor
    assert_row "public registry" "unreachable: base images are built from Debian's archive"
    assert_row k3s "unreachable: the local host builds Kubernetes from source"
  done
}
