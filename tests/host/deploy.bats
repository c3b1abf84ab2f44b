#!/usr/bin/env bats
# Of lib/deploy.sh: what the verbs share, above all the lock.
# shellcheck disable=SC2016 # a shell of its own expands them
load ../lib/host.bash
setup() {
  start_host
  lay_ready
}
teardown() { stop_host; }

# here COMMANDS: runs them as a verb would, with lib/deploy.sh.
here() {
  # shellcheck disable=SC2016 # the inner shell expands it
  run env PATH="$TEST_DIR/bin" bash -c 'set -euo pipefail; . "$1"; eval "$2"' deploy-test "$HOST_ROOT/opt/book-shop/lib/deploy.sh" "$1"
}

@test "lock: held by another: waits for LOCK_WAIT seconds, then names the owner and fails" {
  for environment in dev prod; do
    exec 8<>"$HOST_ROOT/run/lock/book-shop-$environment"
    echo "deploy-$environment of somebody, process 1, since then" >&8
    flock 8
    LOCK_WAIT=0 verb "deploy-$environment" "$(image 1)"
    assert_refused 1 "deploy-$environment: $environment is locked by: deploy-$environment of somebody, process 1, since then. Try again when it has ended"
    LOCK_WAIT=0 verb "rollback-$environment"
    assert_refused 1 "$environment is locked by: deploy-$environment of somebody"
    exec 8>&-
    deployed "$environment" 1
  done
}

@test "lock: the environments don't wait for each other" {
  exec 8>"$HOST_ROOT/run/lock/book-shop-prod"
  flock 8
  in_registry 1
  LOCK_WAIT=0 verb deploy-dev "$(image 1)"
  assert_success
}

@test "lock: a running deploy is its owner; killed, it holds nothing" {
  in_registry 1
  in_registry 2
  mkfifo "$WORLD/stuck"
  PATH=$TEST_DIR/bin "$VERBS/deploy-dev" "$(image 1)" >/dev/null 2>&1 3>&- &
  owner=$!
  read -r said <"$WORLD/stuck" # it is at its pull, and stays there
  assert_equal "$said" pulling
  : >"$LOG"
  LOCK_WAIT=0 verb deploy-dev "$(image 2)"
  assert_refused 1 "dev is locked by: deploy-dev $(image 1), by unknown, process $owner, since 20"
  assert_errors "Z. Try again"

  kill -9 "$owner"
  wait "$owner" || true
  echo go >"$WORLD/stuck" # and what it had started ends
  verb deploy-dev "$(image 2)"
  assert_success
  assert_equal "$(remembered dev)" "2 -"
}

@test "lock: waits for 300 seconds if not said otherwise; the last owner's name is replaced" {
  rm "$TEST_DIR/bin/flock"
  fake flock <<<'echo "flock $*" >>"$LOG"'
  echo "a very long name of an owner that was here before, process 123456789, since long ago, and some more words" >"$HOST_ROOT/run/lock/book-shop-dev"
  here 'take_lock dev "deploy-dev x"; cat "$root/run/lock/book-shop-dev"'
  assert_success
  assert_output --regexp '^deploy-dev x, by unknown, process [0-9]+, since [0-9TZ:-]+$'
  assert_log "flock -w 300 9"
}

@test "check_image: this host's repository at a digest, and nothing else" {
  here "check_image $(image 1)"
  assert_success
  here "check_image localhost:5000/book-shop2@sha256:$(hex 1)"
  assert_failure 2
  assert_output "deploy-test: this host runs images of localhost:5000/book-shop only, not of localhost:5000/book-shop2"
  here "check_image $REPOSITORY:1.0.0"
  assert_failure 2
  assert_output "deploy-test: not an image at a digest: '$REPOSITORY:1.0.0'. Wanted: $REPOSITORY@sha256:<64 hex digits>"
}

@test "remember: the current becomes the previous; the same again changes nothing" {
  here 'remember dev one; remember dev one; remembered dev current; remembered dev previous'
  assert_output "one"
  here 'remember dev two; remember dev two; remembered dev current; remembered dev previous'
  assert_output $'two\none'
  assert_equal "$(ls "$STATE/dev")" $'current\nprevious'
}

@test "write: a file is replaced whole or not at all" {
  echo old >"$STATE/file"
  here 'cat() { command cat; return 1; }; echo half | write "$state/file"' # as on a full disk
  assert_failure
  assert_equal "$(cat "$STATE/file")" old
  here 'echo new | write "$state/file"'
  assert_success
  assert_equal "$(cat "$STATE/file")" new
}

@test "log_deploy: one JSON object a line, whatever the actor is called" {
  ACTOR=$'a "b"\nc $(reboot) \\' here 'revision=abc; log_deploy dev an-image@sha256:1 ok; VERB=rollback log_deploy prod an-image@sha256:2 failed'
  assert_success
  assert_equal "$(wc -l <"$STATE/deploys.jsonl")" 2
  run jq -c 'del(.time, .seconds)' "$STATE/deploys.jsonl"
  assert_output '{"actor":"a \"b\"\nc $(reboot) \\","environment":"dev","verb":"deploy","commit":"abc","digest":"sha256:1","result":"ok"}
{"actor":"a \"b\"\nc $(reboot) \\","environment":"prod","verb":"rollback","commit":"abc","digest":"sha256:2","result":"failed"}'
  run jq -r '.time | fromdate | type' "$STATE/deploys.jsonl"
  assert_output $'number\nnumber'
}

@test "logged: the lines of an environment, or of one image there; a torn line is passed over" {
  here 'for digest in 1 2 1; do log_deploy dev i@sha256:$digest ok; log_deploy prod i@sha256:$digest failed; printf "{\"time\": \"2026" >>"$deploys"; echo >>"$deploys"; done
    logged dev | jq -r .digest; logged prod i@sha256:1 | jq -r .result'
  assert_success
  assert_output $'sha256:1\nsha256:2\nsha256:1\nfailed\nfailed'
}

@test "the host's places follow from where its files lie" {
  here 'echo "$home $conf $state"'
  assert_output "$HOST_ROOT/opt/book-shop $HOST_ROOT/etc/book-shop $HOST_ROOT/var/lib/book-shop"
  places=$(sed 's,^home=.*,home=/opt/book-shop,; /say.sh/d' "$HOST_ROOT/opt/book-shop/lib/places.sh")
  run bash -euc "$places"$'\n''echo "[$root] $conf $state"'
  assert_output "[] /etc/book-shop /var/lib/book-shop"
}
