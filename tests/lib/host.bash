# shellcheck shell=bash
# Loaded by the tests of the installation. A test gets a host of its own: the real files
# where they are installed, under a directory that stands for / ($HOST_ROOT), and a PATH of a few real
# tools and of fakes that log their calls ($LOG) and keep a small world ($WORLD): a cluster,
# PostgreSQL, packages. Paths in the log are as on a host; WORK is a temporary directory.
# shellcheck source=../lib/shop.bash
load ../lib/shop.bash

# start_host: for setup; a test may start another one.
# shellcheck disable=SC2034 # some are for the tests
start_host() {
  TEST_DIR=$(mktemp -d "$BATS_TEST_TMPDIR/XXXXXX")
  export LOG=$TEST_DIR/log WORLD=$TEST_DIR/world HOST_ROOT=$TEST_DIR/root TMPDIR=$TEST_DIR/root/tmp DELIVERY_REPOSITORY=localhost:5000/book-shop
  errors=
  VERBS=$HOST_ROOT/opt/book-shop/bin STATE=$HOST_ROOT/var/lib/book-shop CONF=$HOST_ROOT/etc/book-shop BACKUPS=$HOST_ROOT/var/backups/book-shop
  copy_of host
}
make_host() {
  mkdir -p "$TEST_DIR/bin" "$TEST_DIR/world/"{roles,installed}
  mkdir -p "$TEST_DIR/root/"{tmp,run/lock,root,etc/systemd/system,usr/local/bin}
  ln -s ../../bin "$TEST_DIR/root/usr/bin" # a host's programs use no other PATH
  touch "$TEST_DIR/log"

  # shellcheck disable=SC2046 # a list of paths without blanks
  ln -s $(type -P awk base64 bash cat chmod cmp cut date dirname env find flock grep gzip install jq ln mkdir mktemp mv openssl sed sha256sum sort tail tar tr true xargs) "$TEST_DIR/bin"
  local name
  printf '#!/bin/sh\nexec "%s" "$@"\n' "$PYTHON" | fake python3
  for name in kubectl world; do fake "$name" <"$ROOT/tests/lib/host-$name.fake"; done
  # One file for all that has little to say.
  for name in apt-get chown curl dpkg-query nginx rm runuser sleep systemctl touch; do ln -s world "$TEST_DIR/bin/$name"; done
}

# install_files: the host's files as the install script copies them, before bootstrap.
install_files() {
  mkdir -p "$HOST_ROOT/opt/book-shop" "$CONF"
  cp -r "$ROOT"/scripts/host/*/ "$ROOT/nginx" "$ROOT/application.json" "$HOST_ROOT/opt/book-shop"
  cp "$ROOT/scripts/lib/say.sh" "$HOST_ROOT/opt/book-shop/lib"
  # Tests that run at the same time write compiled modules there.
  tar -C "$ROOT/scripts" --exclude __pycache__ -c delivery | tar -C "$HOST_ROOT/opt/book-shop/bin" -x
  echo 0123456789ab >"$HOST_ROOT/opt/book-shop/version"
  printf 'REPOSITORY=%s\nALLOWED_HOSTS=localhost\n' "$DELIVERY_REPOSITORY" >"$CONF/host.env"
}
# tree DIRECTORY...: all files except compiled modules, with modes and contents: equal trees are equal text.
tree() {
  find "$@" -name __pycache__ -prune -o -printf '%M %p %l\n' | sort
  find "$@" -name __pycache__ -prune -o -type f -print0 | sort -z | xargs -0 -r sha256sum
}
# assert_refused STATUS TEXT...: the call was refused before it did anything.
assert_refused() {
  assert_failed "$@"
  assert_log ""
}

# killed_at NUMBER VERB [ARGUMENT...]: runs the verb, killed by kill -9 at the n-th call of a fake that changes something. False if it ended before that.
killed_at() {
  local status=0
  echo "$1" >"$WORLD/kill-at"
  # shellcheck disable=SC2016 # the inner shell expands them
  PATH=$TEST_DIR/bin bash -c 'echo $$ >"$WORLD/victim"; exec "$@"' - "$VERBS/$2" "${@:3}" >"$TEST_DIR/stdout" 2>"$TEST_DIR/stderr" || status=$?
  rm "$WORLD/kill-at"
  [ "$status" = 137 ]
}
