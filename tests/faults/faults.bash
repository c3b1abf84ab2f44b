# shellcheck shell=bash disable=SC2034,SC2154 # $status, $output and $lines are bats' own
# Loaded by the fault tests: two good images to deploy in turn, a watch on the answers, faults.
# shellcheck source=../e2e/e2e.bash
load ../e2e/e2e.bash
FAULTS=$BATS_TEST_DIRNAME

# The local host with two good images.
start_faults() {
  [ ! -e "$SHOP/../faults" ] || return 0 # from an earlier file of this run
  shop demo
  bump 1.1.0
  commit "another version"
  shop image push deploy-dev promote deploy-prod # so that both can be rolled back
  touch "$SHOP/../faults"
}
# A test's commits are removed at its end.
end_case() {
  [ -z "${WATCH:-}" ] || kill "$WATCH"
  git -C "$SHOP" reset -q --hard "$CLEAN"
}
# What bats calls, unless the file of the tests defines its own.
setup_file() { start_faults; }
setup() {
  CLEAN=$(head_of_shop)
  IMAGES=("$("$SHOP/scripts/promote" HEAD^ 2>/dev/null)" "$("$SHOP/scripts/promote" 2>/dev/null)")
}
teardown() { end_case; }

# serving ENVIRONMENT: its live image; good ENVIRONMENT: the other one of the two good images.
serving() { "$SHOP/scripts/status" json | python3 -c 'import json, sys; print(*(sys.argv[2] + "@" + e["digest"] for e in json.load(sys.stdin)["environments"] if e["environment"] == sys.argv[1]))' "$1" "$DELIVERY_REPOSITORY"; }
good() { if [ "$(serving "$1")" = "${IMAGES[0]}" ]; then echo "${IMAGES[1]}"; else echo "${IMAGES[0]}"; fi; }

# bad VERSION: builds and pushes the test's change in $SHOP; prints the image.
bad() {
  bump "$1"
  commit "bad: $1"
  shop image push 2>"$BATS_TEST_TMPDIR/build" | tail -n 1
}
# The faults are tested with two images in turn, of which one is older.
TURN=(unordered "the tests deploy two images in turn")
# deploy ENVIRONMENT IMAGE [--env LIMIT=SECONDS]: on the host. Sets $status and $output.
deploy() {
  run docker exec "${@:3}" "$DELIVERY_DEMO-host" /opt/book-shop/bin/deploy "$1" "$2" "${TURN[@]}"
}

# watch ENVIRONMENT: requests /version ten times a second until unwatch.
watch() {
  python3 "$FAULTS/watch.py" "$(port_of "$1")" "$BATS_TEST_TMPDIR/watch" 3>&- &
  WATCH=$!
  until [ -s "$BATS_TEST_TMPDIR/watch" ]; do kill -0 "$WATCH"; done
}
# unwatch: $answers has a line "COUNT STATUS REVISION" for each kind of answer.
unwatch() {
  kill "$WATCH"
  wait "$WATCH" || true # it is killed
  WATCH=
  answers=$(sort "$BATS_TEST_TMPDIR/watch" | uniq -c | awk '{print $1, $2, $3}')
}
# assert_served_throughout: each answer during the watch was 200.
assert_served_throughout() {
  unwatch
  assert_equal "$(awk '$2 != 200' <<<"$answers")" ""
}
# lost WHEN [MOST]: prints how many answers during the watch were not 200: at most MOST.
lost() {
  local lost
  unwatch
  lost=$(awk '$2 != 200 {lost += $1} END {print lost + 0}' <<<"$answers")
  echo "# $1: $lost answers lost" >&3
  [ "$lost" -le "${2:-$lost}" ]
}

# assert_failed_deploy ENVIRONMENT BEFORE TEXT: the deploy failed with TEXT; BEFORE is still live.
assert_failed_deploy() {
  assert_failure 1
  assert_output --partial "$3"
  assert_equal "$(serving "$1")" "$2"
}
# refused ENVIRONMENT IMAGE TEXT [--env LIMIT=SECONDS]: the deploy fails with TEXT, and the live
# image answers throughout.
refused() {
  local before
  before=$(serving "$1")
  watch "$1"
  deploy "$1" "$2" "${@:4}"
  assert_failed_deploy "$1" "$before" "$3"
  assert_served_throughout
}
# assert_heals ENVIRONMENT: the next deploy succeeds without a manual step.
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

# during ENVIRONMENT IMAGE STEP COMMAND...: starts the deploy and runs the command at that step.
# Sets $status and $output of the deploy.
during() {
  local log=$BATS_TEST_TMPDIR/deploy
  : >"$log"
  docker exec "$DELIVERY_DEMO-host" /opt/book-shop/bin/deploy "$1" "$2" "${TURN[@]}" >"$log" 2>&1 3>&- &
  local deploy=$!
  until grep -q "^==> $3" "$log"; do kill -0 "$deploy" || fail "the deploy ended before step '$3': $(cat "$log")"; done
  "${@:4}"
  status=0
  wait "$deploy" || status=$?
  output=$(cat "$log")
}
kill_deploy() { on_host pkill -9 -f "bin/deploy $1"; } # ENVIRONMENT

# nginx_refuses ENVIRONMENT CLIENTS: NGINX answers 403 on /cart to clients whose address matches.
nginx_refuses() {
  local port=8080
  [ "$1" = dev ] || port=80
  into_host sh -c 'cat >/etc/nginx/book-shop/refuse.conf' <<NGINX
set \$refused "\$uri \$remote_addr";
if (\$refused ~ "^/cart $2") { return 403; }
NGINX
  on_host sed -i "/listen $port default_server/a include book-shop/refuse.conf;" /etc/nginx/conf.d/book-shop.conf
  on_host systemctl reload nginx
  until [ "$(curl -s -o /dev/null -w '%{http_code}' "http://localhost:$(port_of "$1")/cart")" = 403 ]; do sleep 0.2; done
}
