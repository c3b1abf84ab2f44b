#!/bin/sh
# Usage: none; the text of the Systems Manager document in deploy.tf, which adds the call with the
# packed install script.
# Runs the install script after the first boot has run its own, one at a time.
# Runs on: the host
set -eu

run_install() {
  cloud-init status --wait >/dev/null || echo "the first boot's install failed: once more" >&2
  umask 077
  script=$(mktemp)
  trap 'rm -f "$script"' EXIT
  printf %s "$1" | base64 -d | gunzip >"$script"
  flock -w 900 -E 75 /run/lock/book-shop-install python3 "$script" || {
    status=$?
    [ "$status" != 75 ] || echo "another install has run for 15 minutes. See: ps -ef" >&2
    exit "$status"
  }
}
