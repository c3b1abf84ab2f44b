#!/bin/sh
# Usage: none; deploy.tf puts this text into a Systems Manager document and adds the call of
# run_install with the compressed install script.
# Waits for the install of the first boot and for other installs, then runs the install script.
# Runs on: the host
set -eu
# The agent of Systems Manager may have a short PATH.
PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
cd /

run_install() {
  cloud-init status --wait >/dev/null || echo "install: the install at first boot failed, running it again" >&2
  umask 077
  script=$(mktemp)
  trap 'rm -f "$script"' EXIT
  printf %s "$1" | base64 -d | gunzip >"$script"
  flock -w 900 -E 75 /run/lock/book-shop-install python3 "$script" || {
    status=$?
    [ "$status" != 75 ] || echo "install: another install still runs after 15 minutes. See: ps -ef" >&2
    exit "$status"
  }
}
