# shellcheck shell=bash
# Loaded by the tests of the host's verbs. A test gets a host of its own: the real files laid out as they are installed, under a directory that
# stands for / ($HOST_ROOT), and a PATH of a few real tools and of fakes that log their calls ($LOG) and keep a small world ($WORLD): a registry,
# a Docker engine, a cluster, PostgreSQL, packages. Paths in the log are as on a host; WORK is a temporary directory.
# shellcheck source=../lib/shop.bash
load ../lib/shop.bash

# For setup and teardown.
start_host() {
  TEST_DIR=$(mktemp -d "$BATS_TEST_TMPDIR/XXXXXX")
  export LOG=$TEST_DIR/log WORLD=$TEST_DIR/world HOST_ROOT=$TEST_DIR/root TMPDIR=$TEST_DIR/root/tmp REPOSITORY=localhost:5000/book-shop
  errors=
  unset ACTOR VERB KEEP LOCK_WAIT READY_LIMIT MIGRATION_LIMIT ANSWER_LIMIT NODE_LIMIT TOKEN_LIMIT
  export PYTHONDONTWRITEBYTECODE=1 # a verb that is refused changes nothing
  VERBS=$HOST_ROOT/opt/book-shop/bin STATE=$HOST_ROOT/var/lib/book-shop CONF=$HOST_ROOT/etc/book-shop BACKUPS=$HOST_ROOT/var/backups/book-shop
  copy_of host
}
make_host() {
  mkdir -p "$TEST_DIR/bin" "$TEST_DIR/world/"{registry,here,containers,passwords,installed,databases}
  mkdir -p "$TEST_DIR/root/"{tmp,run/lock,root,etc/systemd/system,usr/local/bin}
  touch "$TEST_DIR/log"

  # shellcheck disable=SC2046 # a list of paths without blanks
  ln -s $(type -P awk base64 bash cat chmod cmp cut date dirname env find flock grep install jq ln mkdir mktemp mv openssl python3 sed sha256sum sort tail tr true xargs) "$TEST_DIR/bin"
  local name
  printf '#!/bin/sh\nexec "%s" "$@"\n' "$PYTHON" | fake python3
  for name in docker kubectl world; do fake "$name" <"$ROOT/tests/lib/host-$name.fake"; done
  # One file for all that has little to say.
  for name in apt-get ctr curl df dpkg-query nft nginx rm runuser sleep ss sync systemctl timeout touch; do ln -s world "$TEST_DIR/bin/$name"; done
}
# A verb calls dirname for each file that it sources: a function starts no process.
dirname() { case $1 in */*) echo "${1%/*}" ;; *) echo . ;; esac }
export -f dirname
stop_host() { rm -rf "$TEST_DIR"; }

# lay: the host's files as the install script lays them, before bootstrap.
lay() {
  mkdir -p "$HOST_ROOT/opt/book-shop" "$CONF"
  cp -r "$ROOT"/scripts/host/*/ "$ROOT/nginx" "$HOST_ROOT/opt/book-shop"
  cp "$ROOT/scripts/lib/say.sh" "$HOST_ROOT/opt/book-shop/lib"
  cp -r "$ROOT/scripts/delivery" "$HOST_ROOT/opt/book-shop/bin"
  echo 0123456789ab >"$HOST_ROOT/opt/book-shop/version"
  printf 'REPOSITORY=%s\nALLOWED_HOSTS=localhost\n' "$REPOSITORY" >"$CONF/host.env"
}
# lay_ready: and what bootstrap makes of it, as far as deploys need it.
lay_ready() {
  lay
  mkdir -p "$STATE/dev" "$STATE/prod"
  touch "$CONF/dev.env" "$CONF/deployer.kubeconfig" "$WORLD/cluster"
}

# in_registry NUMBER [FAULT...]: an image is in the registry, with what is wrong with it (tests/lib/host-*.fake know the words).
in_registry() { echo "$(revision "$1") ${*:2}" >"$WORLD/registry/$(hex "$1")"; }
hex() { printf '%064x' "$1"; }
revision() { printf 'a%039d' "$1"; }
image() { echo "$REPOSITORY@sha256:$(hex "$1")"; }
# deployed ENVIRONMENT NUMBER: it is served there; the log is empty again.
deployed() {
  in_registry "$2"
  verb "deploy-$1" "$(image "$2")"
  assert_success
  : >"$LOG"
}

# remembered ENVIRONMENT: the numbers of the images "current previous", - for none.
remembered() {
  local file answer=()
  for file in "$STATE/$1/current" "$STATE/$1/previous"; do answer+=("$(number "$(cat "$file" 2>/dev/null || true)")"); done
  echo "${answer[*]}"
}
number() { if [ -n "$1" ]; then echo $((16#${1##*:})); else echo -; fi; }
live_slot() { if [ "$(cat "$WORLD/live" 2>/dev/null)" = 4002 ]; then echo b; else echo a; fi; }
# served_in ENVIRONMENT: the number of the image that answers there (- for none), and for dev the containers that there are.
served_in() {
  case $1 in
    dev) echo "$(number "$(cat "$WORLD/containers/book-shop-$(live_slot)" 2>/dev/null || true)") $(cd "$WORLD/containers" && echo *)" ;;
    prod) number "$(cat "$WORLD/pods" 2>/dev/null || true)" ;;
  esac
}
# images_here: the numbers of the images in the engine; in_store: of those in Kubernetes' store, by either name.
images_here() { for image in "$WORLD"/here/*; do number ":${image##*/}"; done | sort -n | xargs; }
in_store() { while read -r _ digest; do number ":$digest"; done <"$WORLD/store" | sort -n | uniq -c | awk '{printf "%s%s", (NR > 1 ? " " : ""), $2 ($1 == 2 ? "" : "?")}'; }
# manifests NUMBER: what the fake cluster's kustomize builds of an image.
manifests() { printf 'manifests of: %s\nimage: %s' "$(revision "$1")" "$(image "$1")"; }
# deploy_log: the deploy log without its times.
deploy_log() { jq -r --arg repository "$REPOSITORY" '[.actor, .environment, .verb, $repository + "@" + .digest, .result, (.seconds | type), (.time | type)] | join(" ")' "$STATE/deploys.jsonl"; }
assert_deploy_log() { assert_equal "$(deploy_log | tail -n 1)" "$1 number string"; }

# assert_last_words TEXT: the last line of stderr tells the truth.
assert_last_words() { assert_equal "${errors##*$'\n'}" "$1"; }

# tree DIRECTORY...: all that lies there, with modes and contents: equal trees are equal text.
tree() {
  find "$@" -printf '%M %p %l\n' | sort
  find "$@" -type f -print0 | sort -z | xargs -0 -r sha256sum
}
# assert_refused STATUS TEXT...: the call was refused before it did anything.
assert_refused() {
  assert_failed "$@"
  assert_log ""
}

# count_as_changes TOOL...: calls of these real tools are logged too, for killed_at.
count_as_changes() {
  local tool
  for tool in "$@"; do ln -sf world "$TEST_DIR/bin/$tool"; done
}
# killed_at NUMBER VERB [ARGUMENT...]: runs the verb, killed by kill -9 at the n-th call of a fake that changes something. False if it ended before that.
killed_at() {
  local status=0
  # shellcheck disable=SC2016 # the inner shell expands them
  KILL_AT=$1 PATH=$TEST_DIR/bin bash -c 'echo $$ >"$WORLD/victim"; exec "$@"' - "$VERBS/$2" "${@:3}" >"$TEST_DIR/stdout" 2>"$TEST_DIR/stderr" || status=$?
  [ "$status" = 137 ]
}

# assert_healed_after_any_kill ENVIRONMENT CHANGES: image 1 serves there. The deploy of image 2 is killed before its first change, before
# its second and so on: each time one of the two serves, and the same deploy once more ends in the state of a deploy that was never killed.
# A kill before a call that only reads has the effect of a kill before the next change. CHANGES is their number.
assert_healed_after_any_kill() {
  local change=1
  in_registry 2
  cp -r "$STATE" "$TEST_DIR/state"
  cp -r "$WORLD" "$TEST_DIR/world-before"
  while killed_at "$change" "deploy-$1" "$(image 2)" 2>/dev/null; do
    assert_regex "$(served_in "$1")" "^[12]( |$)"
    verb "deploy-$1" "$(image 2)"
    assert_success
    assert_regex "$(served_in "$1")" "^2( book-shop-[ab])?$"
    assert_equal "$(remembered "$1")" "2 1"
    [ "$1" = dev ] || assert_equal "$(cat "$STATE/prod/manifests.yaml")" "$(manifests 2)"
    rm -rf "$STATE" "$WORLD"
    cp -r "$TEST_DIR/state" "$STATE"
    cp -r "$TEST_DIR/world-before" "$WORLD"
    : >"$LOG"
    change=$((change + 1))
  done
  assert_equal "$((change - 1))" "$2"
}

# with_data ENVIRONMENT TEXT: its database, and what bootstrap-postgresql makes around it. Each dump is a second younger than the one before.
with_data() {
  mkdir -p "$BACKUPS/dev" "$BACKUPS/prod"
  printf '%s\n' "$2" >"$WORLD/databases/book_shop_$1"
  printf 'SECRET_KEY=the-key\nDATABASE_URL=postgresql://book_shop_%s:the-password@db.internal:5432/book_shop_%s\n' "$1" "$1" >"$CONF/$1.env"
  fake date <<'DATE'
#!/bin/bash
[ "$*" = "-u +%Y%m%dT%H%M%SZ" ] || exec /bin/date "$@"
second=$(cat "$WORLD/clock" 2>/dev/null)
echo $((second + 1)) >"$WORLD/clock"
printf '20261125T0315%02dZ\n' "$second"
DATE
}
databases() { (cd "$WORLD/databases" && echo *); }
data() { cat "$WORLD/databases/book_shop_$1"; }                                 # DATABASE
dumps() { (cd "$BACKUPS/$1" && find . -type f -printf '%P\n' | sort | xargs); } # ENVIRONMENT

# What a container of the shop is run with, as on a host.
HARDENED="--read-only --tmpfs /tmp:size=64m --cap-drop ALL --security-opt no-new-privileges --memory 384m --pids-limit 200"
HARDENED+=" --log-opt max-size=10m --log-opt max-file=3 --add-host db.internal:169.254.77.1"
# shellcheck disable=SC2034 # for tests
IN_DEV="$HARDENED --env-file /etc/book-shop/dev.env"

# assert_wrong_calls_on_host VERB ARGUMENTS...: -h is help; each ARGUMENTS, a list of words, is a wrong call that does nothing.
assert_wrong_calls_on_host() {
  local before arguments name=$1
  before=$(tree "$HOST_ROOT")
  verb "$name" -h
  assert_success
  assert_output --partial "Usage: $name"
  assert_output --partial "Runs on: the host"
  assert_errors_whole ""
  for arguments in "${@:2}"; do
    # shellcheck disable=SC2086 # a list of words
    verb "$name" $arguments
    assert_refused 2 "Usage: $name"
  done
  assert_equal "$(tree "$HOST_ROOT")" "$before"
}

# assert_hostile_images_refused VERB: what is no image of this host's repository at a digest is refused, and nothing is touched.
assert_hostile_images_refused() {
  local hostile before good
  good=$(image 1)
  before=$(tree "$HOST_ROOT")
  # shellcheck disable=SC2016 # nothing may expand them
  for hostile in '' ' ' '*' '--help' '--privileged' '-v/:/host' '$(touch /tmp/owned)' '`reboot`' ';reboot' "$good;reboot" "$good "'$(reboot)' " $good" "$good " \
    "$good"$'\n' $'--privileged\n'"$good" "$good"$'\n'"$good" "--privileged $good" "${good^^}" "${good%?}" "${good}0" "${good/sha256/sha512}" \
    "$REPOSITORY:1.0.0" "$REPOSITORY:latest" "$REPOSITORY" "$REPOSITORY:1.0.0@sha256:$(hex 1)" "localhost:5000/other@sha256:$(hex 1)" \
    "evil.example/book-shop@sha256:$(hex 1)" "docker://$good" "../$good" "$(printf 'a%.0s' {1..10000})@sha256:$(hex 1)" "$(printf '%010000d' 0)"; do
    [[ $1$hostile != rollback-*(dev|prod)?(--help) ]] || continue # no image, as Systems Manager hands it over, and help
    verb "$1" "$hostile"
    assert_refused 2
    assert_errors "$1"
    [ "${#errors}" -lt 11000 ] || fail "an error of ${#errors} characters"
  done
  assert_equal "$(tree "$HOST_ROOT")" "$before"
}
