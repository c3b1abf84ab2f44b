#!/usr/bin/env bats
load ../../lib/shop.bash
setup() {
  start_shop
  real demo/base-image
  called_by root
  tools chmod cp flock mv
  registry_answers 000
  # shellcheck disable=SC2016 # the fake itself expands it
  logged mmdebstrap '[ ! -f "$ENGINE/../archive-fails" ] || { echo half >"${!#}"; exit 1; }; echo "a root" >"${!#}"'
}
teardown() { stop_shop; }

registry_answers() { printf '#!/bin/bash\nprintf %s\n' "$1" | fake curl; }
made() { # SUITE PACKAGES: the log of an image made from the archive
  ca=/etc/ssl/certs/ca-certificates.crt
  printf 'docker image inspect book-shop-base:%s\n' "$1"
  printf 'mmdebstrap --quiet --variant=minbase --include=%s --aptopt=APT::Install-Recommends "false" --aptopt=Acquire::Retries "5" --dpkgopt=path-exclude=/usr/share/man/* ' "$2"
  printf -- '--dpkgopt=path-exclude=/usr/share/locale/* --dpkgopt=path-exclude=/usr/share/doc/* --customize-hook=upload %s %s %s TMP/rootfs.tar\n' "$ca" "$ca" "$1"
  printf 'docker import --change ENV PIP_CERT=%s %s/book-shop/%s.tar book-shop-base:%s' "$ca" "$XDG_CACHE_HOME" "$1" "$1"
}
log() { sed "s|$TMPDIR/[^/ ]*|TMP|g" "$LOG"; }

@test "base-image: where the public registry answers the Dockerfile's own base is used: nothing is printed or made" {
  registry_answers 401
  for purpose in app host; do
    verb demo/base-image "$purpose"
    assert_success
    assert_output ""
  done
  assert_log ""
}

@test "base-image: DELIVERY_CLOSED_NETWORK=1 is as if nothing answered, and nothing is asked" {
  logged curl 'echo 401'
  DELIVERY_CLOSED_NETWORK=1 verb demo/base-image app
  assert_success
  assert_output book-shop-base:trixie
  assert_equal "$(log)" "$(made trixie python3,python3-venv,ca-certificates)"
  DELIVERY_CLOSED_NETWORK='' verb demo/base-image app
  assert_success
  assert_output ""
}

@test "base-image: mmdebstrap gets no descriptor of its callers: apt's shell knows none above 9" {
  # shellcheck disable=SC2016 # the fake itself expands it
  logged mmdebstrap 'for fd in 3 4 5 6 9; do [ ! -e "/proc/self/fd/$fd" ] || exit 1; done; echo "a root" >"${!#}"'
  exec 5>/dev/null 6>/dev/null # 3 is open in every test
  DELIVERY_CLOSED_NETWORK=1 verb demo/base-image app
  assert_success
}

@test "base-image: elsewhere it is made from Debian's archive, for the application and for the host" {
  verb demo/base-image app
  assert_success
  assert_output book-shop-base:trixie
  assert_errors_whole "==> no public registry: making the base image book-shop-base:trixie from Debian's archive"
  assert_equal "$(log)" "$(made trixie python3,python3-venv,ca-certificates)"
  rmdir "$TMPDIR" # nothing is left behind
  mkdir "$TMPDIR"
  : >"$LOG"
  registry_answers 403 # a proxy's word, not a registry's
  verb demo/base-image host
  assert_success
  assert_output book-shop-base:bookworm
  assert_equal "$(log)" "$(made bookworm ca-certificates)"
}

@test "base-image: the second time it is only named, and an engine that lost it gets it from the cache" {
  verb demo/base-image app
  : >"$LOG"
  verb demo/base-image app
  assert_success
  assert_output book-shop-base:trixie
  assert_errors_whole ""
  assert_log "docker image inspect book-shop-base:trixie"
  rm "$ENGINE/trixie"
  : >"$LOG"
  verb demo/base-image app
  assert_success
  assert_output book-shop-base:trixie
  assert_log "$(made trixie '' | sed 2d)"
}

@test "base-image: a user makes it by sudo and owns the cache; mmdebstrap is installed where it is missing" {
  called_by someone
  mv "$TEST_DIR/bin/mmdebstrap" "$TEST_DIR/mmdebstrap"
  # shellcheck disable=SC2016 # the fake itself expands it
  logged apt-get 'case "$*" in *mmdebstrap*) cp "$ENGINE/../mmdebstrap" "$ENGINE/../bin/mmdebstrap" ;; esac'
  verb demo/base-image app
  assert_success
  assert_equal "$(log | grep '^sudo' | cut -d' ' -f-3)" "\
sudo env DEBIAN_FRONTEND=noninteractive
sudo env DEBIAN_FRONTEND=noninteractive
sudo mmdebstrap --quiet
sudo chmod a+r
sudo rm -rf"
  assert grep -xF "$(apt_get install -y --no-install-recommends mmdebstrap debian-archive-keyring)" "$LOG"
  assert_equal "$(cat "$XDG_CACHE_HOME/book-shop/trixie.tar")" "a root"
}

@test "base-image: what could not be made whole is not kept" {
  touch "$TEST_DIR/archive-fails"
  verb demo/base-image app
  assert_failed 1 "making the base image"
  refute grep import "$LOG"
  rm "$XDG_CACHE_HOME/book-shop/"*.lock
  rmdir "$XDG_CACHE_HOME/book-shop" "$TMPDIR"
  mkdir "$TMPDIR"
  rm "$TEST_DIR/archive-fails"
  verb demo/base-image app
  assert_success
  touch "$ENGINE/fails-import"
  rm "$ENGINE/trixie"
  verb demo/base-image app
  assert_failed 1 "the engine fails to import"
}

@test "base-image: -h and wrong calls" { assert_wrong_calls demo/base-image "" db "app host"; }
