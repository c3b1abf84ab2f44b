#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Ten swaps, ten rollouts, five rollbacks of each, three runs of the install script, in one run under load: no request fails, and every order that
# somebody was told is placed is in the database afterwards, once, and its copies are missing in stock, once. What was seen goes to $REPORT.
load ../e2e/road.bash

SWAPS=${SWAPS:-10} ROLLBACKS=${ROLLBACKS:-5} INSTALLS=${INSTALLS:-3}
STOCK=1000000

setup_file() {
  shop demo
  bump 1.1.0
  # The load goes on asking for the stylesheet of before.
  echo '/* another */' >>"$SHOP"/book-shop/book_shop/static/book_shop/style.css
  commit "another version"
  shop image push promote
}

# What shop.js buys; prints its key.
make_book() {
  django "$1" "from books.models import Book
print(Book.objects.create(title='k6', author='k6', publishing_year=2026, rating=5, reviewer='k6', price=1250, currency='EUR', stock=$STOCK).pk)"
}
# Each order's key as often as the order has lines: once.
orders() { django "$1" 'from orders.models import OrderLine; print(*OrderLine.objects.values_list("order__key", flat=True), sep="\n")'; }
# The copies in stock and those in orders, together.
copies() {
  django "$1" 'from django.db.models import Sum
from books.models import Book
book = Book.objects.get(author="k6")
print(book.stock + book.order_lines.aggregate(sold=Sum("quantity"))["sold"])'
}

# start_run NAME PORT KEEP-ALIVE
start_run() {
  k6 run --quiet --no-usage-report --address "127.0.0.1:$2" --env KEEP_ALIVE="$3" --env DURATION=1500s --env BOOKS="$BOOKS" \
    --console-output "$BATS_TEST_TMPDIR/$1.placed" --summary-export "$BATS_TEST_TMPDIR/$1.json" "$BATS_TEST_DIRNAME/shop.js" >"$BATS_TEST_TMPDIR/$1" 2>&1 3>&- &
  eval "K6_$1=$!"
  until curl -fs "127.0.0.1:$2/v1/status" | grep -q '"running":true'; do kill -0 $! || fail "$(cat "$BATS_TEST_TMPDIR/$1")"; done
  # Ten seconds of requests have been answered: it is steady.
  until [ "$(curl -fs "127.0.0.1:$2/v1/metrics/http_reqs" | jq '.data.attributes.sample.count')" -ge 500 ]; do
    kill -0 $! || fail "$(cat "$BATS_TEST_TMPDIR/$1")"
    sleep 0.5
  done
}
# stop_run NAME PORT: $failed says what did not hold.
stop_run() {
  local process=K6_$1 status=0
  curl -fsS -X PATCH "127.0.0.1:$2/v1/status" -d '{"data":{"type":"status","id":"default","attributes":{"stopped":true}}}' >/dev/null
  wait "${!process}" || status=$?
  # 103: stopped as asked; k6 then says what its thresholds say in its summary only.
  if [ "$status" -ne 103 ] || grep -q '✗' "$BATS_TEST_TMPDIR/$1"; then failed+="k6 ($1) ended with $status: $(cat "$BATS_TEST_TMPDIR/$1")"$'\n'; fi
}
teardown() {
  local job
  for job in $(jobs -p); do kill "$job"; done
}

# deploys ENVIRONMENT: the two images in turn, then rollbacks, each to the other image.
deploys() {
  local number image=("$FIRST" "$SECOND")
  for ((number = 1; number <= SWAPS; number++)); do
    "$SHOP/scripts/deploy" "$1" "${image[number % 2]}" || return
  done
  for (( ; number <= SWAPS + ROLLBACKS; number++)); do
    "$SHOP/scripts/rollback" "$1" "${image[number % 2]}" || return
  done
}
installs() {
  local number
  for ((number = 0; number < INSTALLS; number++)); do
    "$SHOP/scripts/demo/user-data" | docker exec -i "$DELIVERY_DEMO-host" python3 - || return
  done
}

@test "deploys, rollbacks and installs under 100 requests a second: no request fails, no order is lost or doubled, the stock adds up" {
  FIRST=$("$SHOP/scripts/promote" HEAD^) SECOND=$("$SHOP/scripts/promote")
  BOOKS="{\"dev\": $(make_book dev), \"prod\": $(make_book prod)}"
  failed=
  SECONDS=0
  start_run kept 16566 on
  start_run new 16567 off

  deploys dev >"$BATS_TEST_TMPDIR/dev" 2>&1 3>&- &
  dev=$!
  deploys prod >"$BATS_TEST_TMPDIR/prod" 2>&1 3>&- &
  prod=$!
  installs >"$BATS_TEST_TMPDIR/install" 2>&1 || failed+="the install script: $(tail -n 5 "$BATS_TEST_TMPDIR/install")"$'\n'
  wait "$dev" || failed+="dev: $(tail -n 30 "$BATS_TEST_TMPDIR/dev")"$'\n'
  wait "$prod" || failed+="prod: $(tail -n 30 "$BATS_TEST_TMPDIR/prod")"$'\n'
  stop_run kept 16566
  stop_run new 16567
  took=$SECONDS

  sed -n 's/.*msg="order \(.*\)"$/\1/p' "$BATS_TEST_TMPDIR"/{kept,new}.placed | sort >"$BATS_TEST_TMPDIR/told"
  for environment in dev prod; do orders "$environment"; done | sort >"$BATS_TEST_TMPDIR/there"
  lost=$(comm -23 "$BATS_TEST_TMPDIR/told" <(sort -u "$BATS_TEST_TMPDIR/there") | wc -l)
  doubled=$(uniq -d "$BATS_TEST_TMPDIR/there" | wc -l)
  copies="$(copies dev), $(copies prod)"
  on_host tail -n "$((2 * (SWAPS + ROLLBACKS)))" /var/lib/book-shop/deploys.jsonl >"$BATS_TEST_TMPDIR/history"

  python3 - "$BATS_TEST_TMPDIR" "$lost" "$doubled" "$(wc -l <"$BATS_TEST_TMPDIR/told")" "$copies" "$STOCK, $STOCK" "$SWAPS" "$ROLLBACKS" "$INSTALLS" "$took" >"$BATS_TEST_TMPDIR/report" <<'PYTHON'
import datetime, json, os, platform, statistics, sys
place, lost, doubled, told, copies, stock, swaps, rollbacks, installs, seconds = sys.argv[1:]
print(f"""# Deploys under load

Made by `make test-load` on {datetime.date.today()}: {os.cpu_count()} processors ({platform.machine()}), with the host, its Kubernetes and what asks on one machine.

In {seconds} s: {swaps} swaps of the snapshot, {swaps} rollouts of the release, {rollbacks} rollbacks of each, {installs} runs of the install script, at 100 requests a second:
of those that read one is a page and five are its stylesheet and covers; and guests who buy.

| connections | requests | failed | median | p99 | longest |
|---|---|---|---|---|---|""")
for name, words in ("kept", "kept open"), ("new", "one a request"):
    metrics = json.load(open(f"{place}/{name}.json"))["metrics"]
    times = metrics["http_req_duration"]
    print(f"| {words} | {metrics['http_reqs']['count']:,} | {metrics['http_req_failed']['passes']} | {times['med']:.0f} ms | {times['p(99)']:.0f} ms | {times['max']:.0f} ms |")
print(f"\nOrders that somebody was told are placed: {told}; lost: {lost}; there twice: {doubled}. Copies in stock and in orders: {copies}; there were {stock}.")
print("\n| deploys, as the history has them | median | longest |\n|---|---|---|")
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
  assert_equal "$copies" "$STOCK, $STOCK"
  [ -s "$BATS_TEST_TMPDIR/told" ]
  assert_equal "$(on_host grep -c '"result":"ok"' /var/lib/book-shop/deploys.jsonl)" "$((2 + 2 * (SWAPS + ROLLBACKS)))"
  cp "$BATS_TEST_TMPDIR/report" "$REPORT"
}
