#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Ten switches, ten rollouts, five rollbacks of each and three runs of the install script in one run
# under load, with the demo's TLS proxy in front of prod. The figures are written to $REPORT.
load ../e2e/e2e.bash
load ../lib/buyers.bash
load ../lib/https.bash

SWAPS=${SWAPS:-10} ROLLBACKS=${ROLLBACKS:-5} INSTALLS=${INSTALLS:-3}

setup_file() {
  shop demo
  bump 1.1.0
  # The load requests the previous release's stylesheet throughout.
  echo '/* another */' >>"$SHOP"/book-shop/book_shop/static/book_shop/style.css
  commit "another version"
  shop image push promote
  start_https
}
teardown_file() { end_https; }

setup() {
  https_variables
  export PROD_URL=$URL
}
teardown() { stop_runs; }

# deploys ENVIRONMENT: the two images in turn, then rollbacks, each to the other image.
deploys() {
  local number image=("$FIRST" "$SECOND")
  for ((number = 1; number <= SWAPS; number++)); do
    DELIVERY_FORCE=1 DELIVERY_REASON="the load test deploys two images in turn" \
      "$SHOP/scripts/deploy" "$1" "${image[number % 2]}" || return
  done
  for (( ; number <= SWAPS + ROLLBACKS; number++)); do
    "$SHOP/scripts/rollback" "$1" "${image[number % 2]}" || return
  done
}
installs() {
  local number
  for ((number = 0; number < INSTALLS; number++)); do
    install_host || return
  done
}

@test "deploys, rollbacks and installs under 100 requests per second fail no request and keep orders and stock correct" {
  FIRST=$("$SHOP/scripts/promote" HEAD^) SECOND=$("$SHOP/scripts/promote")
  make_books
  failed=
  SECONDS=0
  start_steady_run kept 16566 on
  start_steady_run new 16567 off

  deploys dev >"$BATS_TEST_TMPDIR/dev" 2>&1 3>&- &
  dev=$!
  deploys prod >"$BATS_TEST_TMPDIR/prod" 2>&1 3>&- &
  prod=$!
  installs >"$BATS_TEST_TMPDIR/install" 2>&1 || failed+="the install script: $(tail -n 5 "$BATS_TEST_TMPDIR/install")"$'\n'
  wait "$dev" || failed+="dev: $(tail -n 30 "$BATS_TEST_TMPDIR/dev")"$'\n'
  wait "$prod" || failed+="prod: $(tail -n 30 "$BATS_TEST_TMPDIR/prod")"$'\n'
  stop_run kept 16566 2>"$BATS_TEST_TMPDIR/failed" || failed+=$(cat "$BATS_TEST_TMPDIR/failed")$'\n'
  stop_run new 16567 2>"$BATS_TEST_TMPDIR/failed" || failed+=$(cat "$BATS_TEST_TMPDIR/failed")$'\n'
  took=$SECONDS

  count_orders orders
  copies=$(copies)
  on_host tail -n "$((2 * (SWAPS + ROLLBACKS)))" /var/lib/book-shop/deploys.jsonl >"$BATS_TEST_TMPDIR/history"

  # shellcheck disable=SC2154 # count_orders sets them
  python3 - "$BATS_TEST_TMPDIR" "$lost" "$doubled" "$placed" "$copies" "$STOCK $STOCK" "$SWAPS" "$ROLLBACKS" "$INSTALLS" "$took" >"$BATS_TEST_TMPDIR/report" <<'PYTHON'
import datetime, json, os, platform, statistics, sys
place, lost, doubled, placed, copies, stock, swaps, rollbacks, installs, seconds = sys.argv[1:]
print(f"""# Deploys under load

Made by `make test-load` on {datetime.date.today()}: {os.cpu_count()} processors ({platform.machine()}), with the host, its Kubernetes and the load on one machine.

In {seconds} s: {swaps} switches of the snapshot, {swaps} rollouts of the release, {rollbacks} rollbacks of each, {installs} runs of the install script, at 100 requests a second.
Readers request one page for each five stylesheets and covers, and guests buy. The visitors of prod use HTTPS, through the TLS proxy of `make demo HTTPS=1`.

| connections | requests | failed | median | p99 | longest |
|---|---|---|---|---|---|""")
for name, words in ("kept", "kept open"), ("new", "one a request"):
    metrics = json.load(open(f"{place}/{name}.json"))["metrics"]
    times = metrics["http_req_duration"]
    print(f"| {words} | {metrics['http_reqs']['count']:,} | {metrics['http_req_failed']['passes']} | {times['med']:.0f} ms | {times['p(99)']:.0f} ms | {times['max']:.0f} ms |")
print(f"\nOrders with a confirmation: {placed}; lost: {lost}; doubled: {doubled}. Copies in stock and in orders, in dev and in prod: {copies}; at the start: {stock}.")
print("\n| deploys, from the history | median | longest |\n|---|---|---|")
with open(f"{place}/history") as history:
    deploys = [json.loads(line) for line in history]
for environment in ("dev", "prod"):
    for verb in ("deploy", "rollback"):
        took = [entry["seconds"] for entry in deploys if (entry["environment"], entry["verb"]) == (environment, verb)]
        print(f"| {environment}: {verb}, {len(took)} times | {statistics.median(took):.0f} s | {max(took)} s |")
PYTHON
  cat "$BATS_TEST_TMPDIR/report" >&3
  [ -z "$failed" ] || fail "$failed"
  assert_equal "lost $lost, doubled $doubled" "lost 0, doubled 0"
  assert_equal "$copies" "$STOCK $STOCK"
  [ "$placed" -gt 0 ]
  assert_equal "$(on_host grep -c '"result":"ok"' /var/lib/book-shop/deploys.jsonl)" "$((3 + 2 * (SWAPS + ROLLBACKS)))" # with PUBLIC_URL
  cp "$BATS_TEST_TMPDIR/report" "$REPORT"
}
