# shellcheck shell=bash
# Loaded by the tests of the laptop's verbs. A test gets a small shop in a separate git repository ($SHOP) with the real scripts,
# a PATH of a few real tools and a fake docker that logs its calls ($LOG), and a separate repository in a real registry.
# Not by their load.bash, which starts a process for each of these files: every test loads them again.
for library in /usr/lib/bats/bats-{support,assert}/src/*.bash; do
  # shellcheck source=/dev/null
  . "$library"
done

ROOT=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# Once for each file: all of its tests load this again.
SHOP_PYTHON=${SHOP_PYTHON:-$(python3 -c 'import sys; print(sys.executable)')}
export SHOP_PYTHON
PYTHON=$SHOP_PYTHON
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@example.com GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@example.com
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GITHUB_ACTOR
unset MAKELEVEL MAKEFLAGS MFLAGS # make check runs these
unset "${!DELIVERY_@}"

# start_shop [SCRIPT...]: for setup; the shop has these scripts of the project. bats removes $TEST_DIR.
start_shop() {
  TEST_DIR=$BATS_TEST_TMPDIR
  SHOP=$TEST_DIR/shop
  export LOG=$TEST_DIR/log ENGINE=$TEST_DIR/engine TMPDIR=$TEST_DIR/tmp
  export DELIVERY_HOST=local DELIVERY_DEMO=test DELIVERY_HTTP_PORT=80 DELIVERY_DEV_PORT=8080 DELIVERY_REGISTRY_PORT=5000 LOGNAME=tester HOME=$TEST_DIR/home XDG_CACHE_HOME=$TEST_DIR/cache
  DELIVERY_REPOSITORY=localhost:1/book-shop # nothing listens there
  export DELIVERY_REPOSITORY
  copy_of shop
  real "$@"
  cd "$SHOP" || return
  next_commit
}
# copy_of NAME: copies into $TEST_DIR what make_NAME makes, once for each test file: copying takes a tenth of the time.
copy_of() {
  local made=$BATS_FILE_TMPDIR/$1
  if [ ! -e "$made" ]; then
    mkdir "$made.new"
    (TEST_DIR=$made.new "make_$1") || return
    mv "$made.new" "$made"
  fi
  cp -a "$made/." "$TEST_DIR"
}
make_shop() {
  local SHOP=$TEST_DIR/shop
  mkdir -p "$SHOP/scripts/"{local,lib} "$SHOP/book-shop" "$SHOP/k8s" "$TEST_DIR"/{bin,engine,tmp}
  touch "$TEST_DIR/log"
  real version image
  ln -s "$ROOT"/scripts/lib/* "$SHOP/scripts/lib"
  ln -s "$ROOT/scripts/delivery" "$SHOP/scripts/delivery"
  # What this machine has in its sbin directories stays out of reach.
  rm "$SHOP/scripts/lib/apt.sh"
  sed '/^PATH=/d' "$ROOT/scripts/lib/apt.sh" >"$SHOP/scripts/lib/apt.sh"

  tools bash cat dirname env git mkdir mktemp rm sed tar
  # Not a link: an interpreter finds its own virtual environment by the path it was called with.
  printf '#!/bin/sh\nexec "%s" "$@"\n' "$PYTHON" | fake python3
  fake docker <"$ROOT/tests/lib/docker.fake"
  fake_in_shop scripts/local/base-image 'echo'

  cd "$SHOP" || return
  git init -q -b main --template=
  printf '[project]\nname = "book-shop"\nversion = "1.0.0"\n' >book-shop/pyproject.toml
  echo 'kind: Deployment' >k8s/shop.yaml
  commit "first"
}
# real SCRIPT...: the shop has the project's own.
real() {
  local script
  for script in "$@"; do ln -sf "$ROOT/scripts/$script" "$SHOP/scripts/$script"; done
}
# tools NAME...: the machine's own are on the PATH.
tools() {
  local paths
  paths=$(PATH=$PATH:/usr/sbin:/sbin type -P "$@") || return
  # shellcheck disable=SC2086 # a list of paths without blanks
  ln -s $paths "$TEST_DIR/bin"
}
# fake NAME: puts the script on stdin on the PATH.
fake() {
  make_room "$TEST_DIR/bin/$1"
  cat >"$TEST_DIR/bin/$1"
  chmod +x "$TEST_DIR/bin/$1"
}
# logged NAME [BODY]: puts a tool on the PATH that logs its call and does what BODY says.
logged() { logged_script "$TEST_DIR/bin/$1" "$@"; }
# fake_in_shop SCRIPT [BODY]: the same for a script of the shop.
fake_in_shop() { logged_script "$SHOP/$1" "$@"; }
logged_script() { # FILE NAME [BODY]
  make_room "$1"
  # shellcheck disable=SC2016 # the fake itself expands them
  printf '#!/bin/bash\necho "%s${*:+ $*}" >>"$LOG"\n%s\n' "$2" "${3:-}" >"$1"
  [ -x "$1" ] || chmod +x "$1"
}
# make_room FILE: it may be a link to one of the machine's or the project's own, which must not be written to.
make_room() { [ ! -L "$1" ] || rm "$1"; }

# public_servers yes|no|fail: whether this machine reaches public servers. fail: they are slow or answer with errors.
public_servers() {
  local answer="echo $1"
  [ "$1" != fail ] || answer='echo "the server is slow" >&2; exit 1'
  # shellcheck disable=SC2016 # the fake itself expands them
  printf '#!/bin/sh\nif [ "$3" = reaches ]; then echo "reaches $4" >>"$LOG"; %s; exit; fi\nexec "%s" "$@"\n' \
    "$answer" "$PYTHON" | fake python3
}

# called_by root|someone: sets the calling user. The fake sudo logs the command and runs it.
called_by() {
  local number=0
  [ "$1" = root ] || number=1000
  # shellcheck disable=SC2016 # the fake itself expands it
  printf '#!/bin/bash\ncase $1 in -u) echo %s ;; -un) echo %s ;; esac\n' "$number" "$1" | fake id
  # shellcheck disable=SC2016 # the fake itself expands it
  logged sudo 'AS_ROOT=yes exec "$@"'
}
# host_does BODY: what docker exec does.
host_does() {
  printf '#!/bin/bash\n%s\n' "$1" >"$ENGINE/exec"
  chmod +x "$ENGINE/exec"
}
apt_get() { echo "apt-get -qq -o DPkg::Lock::Timeout=600 $*"; } # as scripts/lib/apt.sh calls it

next_commit() {
  COMMITS=$((${COMMITS:-0} + 1))
  export GIT_AUTHOR_DATE="@$((1700000000 + 60 * COMMITS)) +0000" GIT_COMMITTER_DATE="@$((1700000000 + 60 * COMMITS)) +0000"
}
# commit MESSAGE: commits everything but scripts/ as it is. Each commit is a minute newer, so that "newest" has one meaning.
commit() {
  next_commit
  git add --all -- . ':!scripts'
  git commit -q --allow-empty -m "$1"
}
change() { # FILE TEXT
  mkdir -p "$(dirname "$1")"
  echo "$2" >"$1"
  commit "$1"
}
head_of() { git rev-parse "${1:-HEAD}"; }
source_of() { echo "$(git rev-parse "${1:-HEAD}:book-shop")-$(git rev-parse "${1:-HEAD}:k8s")"; }
snapshot_of() { echo "${2:-1.0.0}-SNAPSHOT-$(head_of "${1:-HEAD}")"; }

# verb NAME [ARGUMENT...]: runs the script; $status, $output (stdout alone) and $errors (stderr) are its results.
# bats shows the call when the test fails. next_verb does the same with an empty log; succeeds and fails assert its status, too.
next_verb() { : >"$LOG" && verb "$@"; }
succeeds() { next_verb "$@" && assert_success; }
fails() { next_verb "$@" && assert_failure 1; }
verb() {
  echo "verb ${*@Q}" >&2
  status=0
  PATH=$TEST_DIR/bin "${VERBS:-$SHOP/scripts}/$1" "${@:2}" >"$TEST_DIR/stdout" 2>"$TEST_DIR/stderr" || status=$?
  # shellcheck disable=SC2034 # bats-assert reads it
  output=$(<"$TEST_DIR/stdout")
  errors=$(<"$TEST_DIR/stderr")
}
assert_errors() { # TEXT...: each is in stderr
  local text
  for text in "$@"; do output=$errors assert_output --partial "$text"; done
}
refute_errors() { output=$errors refute_output --partial "$1"; }
assert_errors_whole() { assert_equal "$errors" "$1"; }
# assert_answer TEXT [ERRORS]: success, and exactly these on stdout and stderr.
assert_answer() {
  assert_success
  assert_output "$1"
  [ $# = 1 ] || assert_errors_whole "$2"
}
assert_log() { assert_equal "$(<"$LOG")" "$1"; }
# assert_failed STATUS TEXT...: stdout is empty, and stderr contains the failure, the reason and the remedy.
assert_failed() {
  assert_equal "$status" "$1"
  assert_output ""
  assert_errors "${@:2}"
}
# assert_demands SCRIPT NAME...: without one of these settings the script names it and changes nothing.
assert_demands() {
  local name
  for name in "${@:2}"; do
    (unset "DELIVERY_$name" && next_verb "$1" && assert_failed 1 "DELIVERY_$name: " && assert_log "") || return
  done
}
# assert_wrong_calls VERB [ARGUMENTS...]: -h prints the header on stdout; other options, too many arguments and those given are wrong calls
# that do nothing.
assert_wrong_calls() {
  local arguments
  # The header is found from any directory, by a relative path as well.
  cd "$SHOP/k8s" || return
  SHOP=.. verb "$1" -h
  cd "$SHOP" || return
  assert_success
  assert_output --partial "Usage: scripts/$1"
  assert_output --partial "Runs on: laptop"
  assert_errors_whole ""
  for arguments in "-x" "${@:2}"; do
    # shellcheck disable=SC2086 # a list of words
    verb "$1" $arguments
    assert_failed 2 "Usage: scripts/$1"
  done
  assert_log ""
}
