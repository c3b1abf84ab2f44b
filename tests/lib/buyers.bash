# shellcheck shell=bash
# Loaded by the tests that place orders under load (tests/load/shop.js), after road.bash.

STOCK=1000000

# make_book ENVIRONMENT: what the visitors buy; prints its key.
make_book() {
  django "$1" "from books.models import Book
print(Book.objects.create(title='k6', author='k6', publishing_year=2026, rating=5, reviewer='k6', price=1250, currency='EUR', stock=$STOCK).pk)"
}
# orders ENVIRONMENT: each order's key as often as the order has lines: once.
orders() { django "$1" 'from orders.models import OrderLine; print(*OrderLine.objects.values_list("order__key", flat=True), sep="\n")'; }
# copies ENVIRONMENT: the copies in stock and those in orders, together.
copies() {
  django "$1" 'from django.db.models import Sum
from books.models import Book
book = Book.objects.get(author="k6")
print(book.stock + book.order_lines.aggregate(sold=Sum("quantity"))["sold"])'
}

# start_run NAME PORT KEEP_ALIVE [OPTION...]: returns when the load is steady. PORT is that of k6's own API.
start_run() {
  k6 run --quiet --no-usage-report --address "127.0.0.1:$2" --env KEEP_ALIVE="$3" --env DURATION=1500s --env BOOKS="$BOOKS" "${@:4}" \
    --console-output "$BATS_TEST_TMPDIR/$1.placed" --summary-export "$BATS_TEST_TMPDIR/$1.json" \
    "$ROOT/tests/load/shop.js" >"$BATS_TEST_TMPDIR/$1" 2>&1 3>&- &
  echo $! >"$BATS_TEST_TMPDIR/$1.pid"
  until curl -fs "127.0.0.1:$2/v1/status" | grep -q '"running":true'; do kill -0 $! || fail "$(cat "$BATS_TEST_TMPDIR/$1")"; done
  until [ "$(curl -fs "127.0.0.1:$2/v1/metrics/http_reqs" | jq '.data.attributes.sample.count')" -ge 500 ]; do
    kill -0 $! || fail "$(cat "$BATS_TEST_TMPDIR/$1")"
    sleep 0.5
  done
}
# stop_run NAME PORT: fails, with what k6 printed, when a request failed.
stop_run() {
  local status=0
  curl -fsS -X PATCH "127.0.0.1:$2/v1/status" -d '{"data":{"type":"status","id":"default","attributes":{"stopped":true}}}' >/dev/null
  wait "$(cat "$BATS_TEST_TMPDIR/$1.pid")" || status=$?
  # 103: stopped as asked; k6 then reports its thresholds in its summary only.
  [ "$status" -eq 103 ] && ! grep -q '✗' "$BATS_TEST_TMPDIR/$1" || fail "k6 ($1) ended with $status: $(cat "$BATS_TEST_TMPDIR/$1")"
}
