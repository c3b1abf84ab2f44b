# shellcheck shell=bash
# Loaded by the tests on several machines: the cluster, and the load on it.
: "${DELIVERY_API_PORT:?run these by make test-machines}"
LOAD=$BATS_TEST_DIRNAME/../load/shop.js
STOCK=1000000
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/book-shop
export KUBECONFIG=$CACHE/demo/$DELIVERY_DEMO/kubeconfig DELIVERY_CLUSTER=$DELIVERY_DEMO DELIVERY_CLUSTER_URL=http://localhost:$DELIVERY_HTTP_PORT DELIVERY_POSTGRES_IMAGE=localhost:$DELIVERY_REGISTRY_PORT/postgres:15
WORK=${SHOP%/*}/machines
mkdir -p "$WORK"

start_machines() {
  "$SHOP/scripts/demo/machines-up"
  docker tag "$DELIVERY_DEMO-database" "$DELIVERY_POSTGRES_IMAGE"
  docker push -q "$DELIVERY_POSTGRES_IMAGE" >/dev/null
  docker image rm "$DELIVERY_POSTGRES_IMAGE" >/dev/null # the registry has it; demo/down knows no such name
  docker exec "$DELIVERY_DEMO-database" psql -qc "alter role postgres password 'of-the-test'"

  mv "$SHOP"/k8s/overlays/{cluster,original}
  cp -r "$BATS_TEST_DIRNAME/overlay" "$SHOP/k8s/overlays/cluster"
  commit "manifests for the test cluster"
  shop image push promote
  bump 1.1.0
  commit "another version"
  shop image push promote
}

# admin_url: of the database's server.
admin_url() { echo "postgresql://postgres:of-the-test@$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$DELIVERY_DEMO-database"):5432/postgres"; }
kubectl() { command kubectl --namespace book-shop "$@"; }
in_cluster() { DELIVERY_PROD=cluster "$@"; }
# in_shop PYTHON: in a pod of the shop that runs.
in_shop() { kubectl exec -i deployment/book-shop -- python3 manage.py shell --verbosity 0 <<<"$1"; }
MAKE_BOOK="from books.models import Book
print(Book.objects.create(title='k6', author='k6', publishing_year=2026, rating=5, reviewer='k6', price=1250, currency='EUR', stock=$STOCK).pk)"
ORDERS='from orders.models import OrderLine; print(*OrderLine.objects.values_list("order__key", flat=True), sep="\n")'
# web_nodes: where the shop's pods run.
web_nodes() { kubectl get pods -l app.kubernetes.io/component=web --field-selector status.phase=Running -o 'jsonpath={range .items[*]}{.spec.nodeName}{"\n"}{end}' | sort | xargs; }
web_on() { [ "$(web_nodes)" = "$*" ]; }
web_pods() { [ "$(web_nodes | wc -w)" = "$1" ]; }
# await CONDITION...: what has to become true, in 200 s at the most.
await() {
  local deadline=$((SECONDS + 200))
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || fail "$* is not true after 200 s; the shop's pods run on: $(web_nodes)"
    sleep 0.5
  done
}

# start_runs: 100 requests a second, half of them over kept connections, until end_runs.
start_runs() {
  local run
  [ -s "$WORK/book" ] || in_shop "$MAKE_BOOK" >"$WORK/book"
  for run in on off; do
    DELIVERY_DEV_PORT=$DELIVERY_HTTP_PORT k6 run --quiet --no-usage-report --address "127.0.0.1:$(api "$run")" --env KEEP_ALIVE="$run" --env DURATION=900s \
      --env BOOKS="{\"dev\": $(<"$WORK/book"), \"prod\": $(<"$WORK/book")}" --out csv="$BATS_TEST_TMPDIR/$run.csv" \
      --console-output "$BATS_TEST_TMPDIR/$run.placed" --summary-export "$BATS_TEST_TMPDIR/$run.json" "$LOAD" >"$BATS_TEST_TMPDIR/$run" 2>&1 3>&- &
    eval "K6_$run=$!"
    until curl -fs "127.0.0.1:$(api "$run")/v1/status" | grep -q '"running":true'; do kill -0 $! || fail "$(cat "$BATS_TEST_TMPDIR/$run")"; done
  done
}
api() { if [ "$1" = on ]; then echo 26566; else echo 26567; fi; }
stop_runs() {
  local job
  for job in $(jobs -p); do kill "$job"; done
}

# end_runs: $failures of requests, orders that are $lost or $doubled since the first run.
end_runs() {
  local run process
  for run in on off; do
    process=K6_$run
    curl -fsS -X PATCH "127.0.0.1:$(api "$run")/v1/status" -d '{"data":{"type":"status","id":"default","attributes":{"stopped":true}}}' >/dev/null
    wait "${!process}" || [ $? = 103 ] || fail "$(cat "$BATS_TEST_TMPDIR/$run")" # 103: stopped as asked
  done
  read -r failures requests longest < <(python3 -c 'import json, sys
metrics = [json.load(open(name))["metrics"] for name in sys.argv[1:]]
failed, count = (sum(found[name][key] for found in metrics) for name, key in (("http_req_failed", "passes"), ("http_reqs", "count")))
print(failed, count, round(max(found["http_req_duration"]["max"] for found in metrics)))' "$BATS_TEST_TMPDIR"/{on,off}.json)
  sed -n 's/.*msg="order \(.*\)"$/\1/p' "$BATS_TEST_TMPDIR"/{on,off}.placed | sort >"$BATS_TEST_TMPDIR/told"
  in_shop "$ORDERS" | sort >"$BATS_TEST_TMPDIR/there"
  lost=$(comm -23 "$BATS_TEST_TMPDIR/told" <(sort -u "$BATS_TEST_TMPDIR/there") | wc -l)
  doubled=$(uniq -d "$BATS_TEST_TMPDIR/there" | wc -l)
  echo "# $requests requests, $failures failed, the longest $longest ms; $(wc -l <"$BATS_TEST_TMPDIR/told") orders placed, $lost lost, $doubled doubled" >&3
}
# last_failure SINCE: when, in seconds since 1970; SINCE if nothing failed.
last_failure() {
  awk -F, -v last="$1" '$1 == "http_req_failed" && $3 > 0 && $2 > last {last = $2} END {print last}' "$BATS_TEST_TMPDIR"/{on,off}.csv
}
