#!/usr/bin/env bats
# shellcheck disable=SC2016 # the fakes themselves expand what is quoted
load ../../lib/shop.bash
setup() {
  start_shop local/base-image
  called_by root
  tools chmod cp flock mv
  public_servers no
  exec 5>/dev/null 6>/dev/null # mmdebstrap gets no descriptor of its callers: apt's shell knows none above 9
  logged mmdebstrap 'for fd in 3 4 5 6 9; do [ ! -e "/proc/self/fd/$fd" ] || exit 1; done
[ ! -f "$ENGINE/../archive-fails" ] || { echo half >"${!#}"; exit 1; }; echo "a root" >"${!#}"'
}

REACHES="reaches https://public.ecr.aws/v2/"
USES="==> using the substitute base image book-shop-substitute-base" STAYS=", whose images stay on this machine"
# assert_made SUITE [PACKAGES]: the image is the answer, from the archive if packages are named, and has the machine's authorities.
assert_made() {
  local ca=/etc/ssl/certs/ca-certificates.crt
  assert_answer "book-shop-substitute-base:$1"
  assert grep -xF "docker import --change ENV PIP_CERT=$ca --change LABEL book-shop.base=substitute \
$XDG_CACHE_HOME/book-shop/$1.tar book-shop-substitute-base:$1" "$LOG"
  run grep mmdebstrap "$LOG"
  if [ $# = 1 ]; then assert_failure && return; fi
  assert_output --partial " --variant=minbase --include=$2 "
  assert_output --partial ' --aptopt=Acquire::Retries "5" '
  assert_output --regexp " --customize-hook=upload $ca $ca $1 $TMPDIR/[^ ]+/rootfs.tar\$"
}

@test "base-image: builds and prints nothing if the public registry answers" {
  public_servers yes
  for purpose in app host; do
    DELIVERY_HOST=aws next_verb local/base-image "$purpose"
    assert_answer "" ""
    assert_log "$REACHES"
  done
}

@test "base-image: fails and builds nothing if the public registry is slow or answers with an error" {
  public_servers fail
  for host in local aws; do
    DELIVERY_HOST=$host next_verb local/base-image app
    assert_failed 1 "the server is slow"
    assert_log "$REACHES"
  done
}

@test "base-image: without a connection, builds a substitute for the local host only" {
  DELIVERY_HOST=aws verb local/base-image app
  assert_failed 1 "public.ecr.aws cannot be reached" "BASE_IMAGE=<repository@digest>"
  assert_log "$REACHES"
  DELIVERY_HOST=aws DELIVERY_CLOSED_NETWORK=1 verb local/base-image app
  assert_made trixie python3,python3-venv,ca-certificates
}

@test "base-image: builds without a network request with DELIVERY_CLOSED_NETWORK=1" {
  public_servers yes
  DELIVERY_CLOSED_NETWORK=1 verb local/base-image app
  assert_made trixie python3,python3-venv,ca-certificates
  refute grep reaches "$LOG"
  DELIVERY_CLOSED_NETWORK='' verb local/base-image app
  assert_answer ""
}

@test "base-image: otherwise builds the base image from Debian's archive, for the application or the host" {
  verb local/base-image app
  assert_errors_whole "$USES:trixie$STAYS"$'\n'"==> building it from Debian's archive"
  assert_made trixie python3,python3-venv,ca-certificates
  next_verb local/base-image host
  assert_made bookworm ca-certificates
  rmdir "$TMPDIR" # nothing is left behind
}

@test "base-image: builds once, and imports from the cache if the engine has lost the image" {
  verb local/base-image app
  next_verb local/base-image app
  assert_answer book-shop-substitute-base:trixie "$USES:trixie$STAYS"
  assert_log "$REACHES"$'\ndocker image inspect book-shop-substitute-base:trixie'
  rm "$ENGINE/trixie"
  next_verb local/base-image app
  assert_made trixie
}

@test "base-image: uses sudo, leaves the cache to the user, and installs a missing mmdebstrap" {
  called_by someone
  mv "$TEST_DIR/bin/mmdebstrap" "$TEST_DIR/mmdebstrap"
  logged apt-get 'case "$*" in *mmdebstrap*) cp "$ENGINE/../mmdebstrap" "$ENGINE/../bin/mmdebstrap" ;; esac'
  succeeds local/base-image app
  assert_equal "$(grep '^sudo' "$LOG" | cut -d' ' -f2 | uniq | xargs)" "env mmdebstrap chmod rm"
  assert grep -xF "$(apt_get install -y --no-install-recommends mmdebstrap debian-archive-keyring)" "$LOG"
  assert_equal "$(cat "$XDG_CACHE_HOME/book-shop/trixie.tar")" "a root"
}

@test "base-image: keeps no incomplete image or archive" {
  touch "$TEST_DIR/archive-fails"
  verb local/base-image app
  assert_failed 1 "building it from Debian's archive"
  refute grep import "$LOG"
  assert_equal "$(find "$XDG_CACHE_HOME/book-shop" "$TMPDIR" -mindepth 1 ! -name '*.lock')" ""
  rm "$TEST_DIR/archive-fails"
  touch "$ENGINE/fails-import"
  verb local/base-image app
  assert_failed 1 "the engine fails to import"
}
