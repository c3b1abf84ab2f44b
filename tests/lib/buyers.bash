# shellcheck shell=bash disable=SC2034 # the tests use the variables
# Loaded after e2e.bash by the tests that place orders under load (tests/load/shop.js).

STOCK=1000000
# Creates the book that the visitors buy, and prints its key.
MAKE_BOOK="from books.models import Book
print(Book.objects.create(title='k6', author='k6', publishing_year=2026, rating=5, reviewer='k6', price=1250, currency='EUR', stock=$STOCK).pk)"
# Prints the key of each order once per order line. Each order must have one line.
ORDERS='from orders.models import OrderLine; print(*OrderLine.objects.values_list("order__key", flat=True), sep="\n")'
SHOP_LOAD=$E2E/../load/shop.js
declare -gA RUNS # a run's process by its name

# make_books: in both environments; their keys are in $BOOKS.
make_books() { BOOKS="{\"dev\": $(django dev "$MAKE_BOOK"), \"prod\": $(django prod "$MAKE_BOOK")}"; }
# copies: the copies in stock and those in orders, together, in dev and in prod.
copies() {
  local environment
  for environment in dev prod; do
    django "$environment" 'from django.db.models import Sum
from books.models import Book
book = Book.objects.get(author="k6")
print(book.stock + book.order_lines.aggregate(sold=Sum("quantity"))["sold"])'
  done | xargs
}

# start_run NAME PORT KEEP_ALIVE [ARGUMENT...]: buys $BOOKS. PORT is that of k6's own API.
start_run() {
  start_k6 "$1" "127.0.0.1:$2" --env KEEP_ALIVE="$3" --env DURATION=1500s --env BOOKS="$BOOKS" \
    --console-output "$BATS_TEST_TMPDIR/$1.placed" --summary-export "$BATS_TEST_TMPDIR/$1.json" \
    "${@:4}" "$SHOP_LOAD"
  RUNS[$1]=$!
}
# start_steady_run NAME PORT KEEP_ALIVE [ARGUMENT...]: returns after about ten seconds of requests.
start_steady_run() {
  start_run "$@"
  until_requests "$1" "$2" 500
}
# until_requests NAME PORT COUNT: waits until a run has sent that many requests.
until_requests() {
  until [ "$(curl -fs "127.0.0.1:$2/v1/metrics/http_reqs" | jq '.data.attributes.sample.count')" -ge "$3" ]; do
    kill -0 "${RUNS[$1]}" || fail "$(cat "$BATS_TEST_TMPDIR/$1")"
    sleep 0.5
  done
}
# stop_run NAME PORT: fails, with k6's output, if a threshold does not hold.
stop_run() {
  local status=0
  stop_k6 "127.0.0.1:$2" "${RUNS[$1]}" || status=$?
  if [ "$status" -ne 103 ] || grep -q '✗' "$BATS_TEST_TMPDIR/$1"; then
    fail "k6 ($1) ended with $status: $(
      cat "$BATS_TEST_TMPDIR/$1"
      grep level=warning "$BATS_TEST_TMPDIR/$1.placed"
    )"
  fi
}
# For teardown, after a failed test.
stop_runs() {
  local job
  for job in $(jobs -p); do kill "$job"; done
}

# confirmed_orders FILE...: the orders in k6's console output.
confirmed_orders() { sed -n 's/.*msg="order \(.*\)"$/\1/p' "$@"; }
# count_orders COMMAND...: sets $placed, the number of orders that the runs confirmed, and how many
# of them are $lost or $doubled in the output of the command.
count_orders() {
  local confirmed=$BATS_TEST_TMPDIR/confirmed stored=$BATS_TEST_TMPDIR/stored
  confirmed_orders "$BATS_TEST_TMPDIR"/*.placed | sort >"$confirmed"
  "$@" | sort >"$stored"
  placed=$(wc -l <"$confirmed")
  lost=$(comm -23 "$confirmed" <(sort -u "$stored") | wc -l)
  doubled=$(uniq -d "$stored" | wc -l)
}
# orders: of both environments.
orders() { for environment in dev prod; do django "$environment" "$ORDERS"; done; }
