# shellcheck shell=bash disable=SC2034,SC2154 # $status, $output and $lines are bats' own
# Loaded by the fault tests: two good images to go back and forth between, a watch on what is served, and faults.
# shellcheck source=../e2e/road.bash
load ../e2e/road.bash
FAULTS=$BATS_TEST_DIRNAME

# For setup_file: the local host with two good images, $GOOD and $OTHER. Commits that a test makes go when it ends.
start_faults() {
  [ ! -e "$SHOP/../faults" ] || return 0 # an earlier file of this run has done so
  shop demo
  bump 1.1.0
  commit "another version"
  shop image push deploy-dev promote deploy-prod # each has one to go back to
  touch "$SHOP/../faults"
}
# For setup and teardown.
start_case() {
  CLEAN=$(git -C "$SHOP" rev-parse HEAD)
  IMAGES=("$("$SHOP/scripts/promote" HEAD^ 2>/dev/null)" "$("$SHOP/scripts/promote" 2>/dev/null)")
}
end_case() {
  [ -z "${WATCH:-}" ] || kill "$WATCH"
  git -C "$SHOP" reset -q --hard "$CLEAN"
}

# serving ENVIRONMENT: the image; good ENVIRONMENT: the good one of the two that it does not serve.
serving() { "$SHOP/scripts/status" json | python3 -c 'import json, sys; print(*(sys.argv[2] + "@" + e["digest"] for e in json.load(sys.stdin)["environments"] if e["environment"] == sys.argv[1]))' "$1" "$DELIVERY_REPOSITORY"; }
good() { if [ "$(serving "$1")" = "${IMAGES[0]}" ]; then echo "${IMAGES[1]}"; else echo "${IMAGES[0]}"; fi; }

# bad VERSION: builds and pushes what the test has changed in $SHOP; prints the image.
bad() {
  bump "$1"
  commit "bad: $1"
  shop image push 2>"$BATS_TEST_TMPDIR/build" | tail -n 1
}
# deploy ENVIRONMENT IMAGE [LIMIT=seconds]: on the host itself, where limits can be set. $status, $output.
deploy() { run docker exec "${@:3}" "$DELIVERY_DEMO-host" /opt/book-shop/bin/deploy "$1" "$2"; }

# watch ENVIRONMENT: asks for /version ten times a second until unwatched; nothing but the revisions that were served before counts as an answer.
watch() {
  python3 "$FAULTS/watch.py" "$(port_of "$1")" "$BATS_TEST_TMPDIR/watch" 3>&- &
  WATCH=$!
  until [ -s "$BATS_TEST_TMPDIR/watch" ]; do kill -0 "$WATCH"; done
}
# unwatch: $answers is what was answered, a line a kind: "<count> <status> <revision>".
unwatch() {
  kill "$WATCH"
  wait "$WATCH" || true # it was killed
  WATCH=
  answers=$(sort "$BATS_TEST_TMPDIR/watch" | uniq -c | awk '{print $1, $2, $3}')
}
# assert_served_throughout: while it was watched, each answer was 200.
assert_served_throughout() {
  unwatch
  assert_equal "$(awk '$2 != 200' <<<"$answers")" ""
}
# lost WHEN [MOST]: says how many answers were not 200 while it was watched, where none can't be asked for; no more than MOST.
lost() {
  local lost
  unwatch
  lost=$(awk '$2 != 200 {lost += $1} END {print lost + 0}' <<<"$answers")
  echo "# $1: $lost answers lost" >&3
  [ "$lost" -le "${2:-$lost}" ]
}

# assert_failed_deploy ENVIRONMENT BEFORE TEXT: the deploy failed, its last line says that BEFORE serves on, and so it is.
assert_failed_deploy() {
  assert_failure 1
  assert_output --partial "$3"
  assert_equal "$(serving "$1")" "$2"
}
# assert_heals ENVIRONMENT: the next deploy succeeds with no manual step.
assert_heals() {
  local next
  next=$(good "$1")
  deploy "$1" "$next"
  assert_success
  assert_equal "${lines[-1]}" "==> $1 serves $next"
  assert_equal "$(serving "$1")" "$next"
}
back_within_a_minute() { # ENVIRONMENT
  curl --fail --silent --output /dev/null --max-time 60 --retry 60 --retry-delay 1 --retry-max-time 60 --retry-all-errors "http://localhost:$(port_of "$1")/readyz"
}

# during ENVIRONMENT IMAGE STEP COMMAND...: starts the deploy and, once it says the step, runs the command. $status, $output of the deploy.
during() {
  local log=$BATS_TEST_TMPDIR/deploy
  : >"$log"
  docker exec "$DELIVERY_DEMO-host" /opt/book-shop/bin/deploy "$1" "$2" >"$log" 2>&1 3>&- &
  local deploy=$!
  until grep -q "^==> $3" "$log"; do kill -0 "$deploy" || fail "it never came to '$3': $(cat "$log")"; done
  "${@:4}"
  status=0
  wait "$deploy" || status=$?
  output=$(cat "$log")
}
kill_deploy() { on_host pkill -9 -f "bin/deploy $1"; } # ENVIRONMENT
