# shellcheck shell=bash
# Loaded by the tests on several machines: the cluster, and the load on it.
load ../lib/buyers.bash
: "${DELIVERY_API_PORT:?run these by make test-machines}"
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/book-shop
export KUBECONFIG=$CACHE/demo/$DELIVERY_DEMO/kubeconfig DELIVERY_CLUSTER=$DELIVERY_DEMO DELIVERY_CLUSTER_URL=http://localhost:$DELIVERY_HTTP_PORT DELIVERY_POSTGRES_IMAGE=localhost:$DELIVERY_REGISTRY_PORT/postgres:15
WORK=${SHOP%/*}/machines
mkdir -p "$WORK"

start_machines() {
  "$SHOP/scripts/local/machines-up"
  docker tag "$DELIVERY_DEMO-database" "$DELIVERY_POSTGRES_IMAGE"
  docker push -q "$DELIVERY_POSTGRES_IMAGE" >/dev/null
  docker image rm "$DELIVERY_POSTGRES_IMAGE" >/dev/null # local/down does not remove this name
  docker exec "$DELIVERY_DEMO-database" psql -qc "alter role postgres password 'of-the-test'"

  mv "$SHOP"/k8s/overlays/{cluster,original}
  cp -r "$BATS_TEST_DIRNAME/overlay" "$SHOP/k8s/overlays/cluster"
  commit "manifests for the test cluster"
  shop image push promote
  bump 1.1.0
  commit "another version"
  shop image push promote
}

# admin_url: prints the URL of the database server's administrator.
admin_url() { echo "postgresql://postgres:of-the-test@$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$DELIVERY_DEMO-database"):5432/postgres"; }
kubectl() { command kubectl --namespace book-shop "$@"; }
in_cluster() { DELIVERY_PROD=cluster "$@"; }
# The same for a release that an earlier file has rolled back.
forced_in_cluster() {
  DELIVERY_FORCE=1 DELIVERY_REASON="a test has rolled it back" in_cluster "$@"
}
# in_shop PYTHON: runs it in a pod of the shop. It is an argument, because the shell is interactive
# if its input arrives late.
in_shop() { kubectl exec deployment/book-shop -- python3 manage.py shell --verbosity 0 -c "$1"; }
# web_nodes: the nodes of the shop's running pods.
web_nodes() { kubectl get pods -l "$WEB" --field-selector status.phase=Running -o 'jsonpath={range .items[*]}{.spec.nodeName}{"\n"}{end}' | sort | xargs; }
web_on() { [ "$(web_nodes)" = "$*" ]; }
web_pods() { [ "$(web_nodes | wc -w)" = "$1" ]; }
# await CONDITION...: waits until the command succeeds, for 200 s at most.
await() {
  local deadline=$((SECONDS + 200))
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || fail "'$*' fails after 200 s; nodes of the shop's pods: $(web_nodes)"
    sleep 0.5
  done
}

# start_runs: 100 requests a second, half of them over kept connections, until end_runs.
start_runs() {
  local run
  [ -s "$WORK/book" ] || in_shop "$MAKE_BOOK" >"$WORK/book"
  # shellcheck disable=SC2034 # start_run uses it
  BOOKS="{\"dev\": $(<"$WORK/book"), \"prod\": $(<"$WORK/book")}"
  for run in on off; do
    DELIVERY_DEV_PORT=$DELIVERY_HTTP_PORT start_run "$run" "$(api "$run")" "$run" --out csv="$BATS_TEST_TMPDIR/$run.csv"
  done
}
api() { if [ "$1" = on ]; then echo 26566; else echo 26567; fi; }
# end_runs: sets $failures of requests, and the orders $lost or $doubled since the first run.
end_runs() {
  local run
  for run in on off; do
    stop_k6 "127.0.0.1:$(api "$run")" "${RUNS[$run]}" || [ $? = 103 ] || fail "$(cat "$BATS_TEST_TMPDIR/$run")"
  done
  read -r failures requests longest < <(jq -rs 'map(.metrics) |
    [(map(.http_req_failed.passes) | add), (map(.http_reqs.count) | add), (map(.http_req_duration.max) | max | round)] | @tsv' \
    "$BATS_TEST_TMPDIR"/{on,off}.json)
  count_orders in_shop "$ORDERS"
  # shellcheck disable=SC2154 # count_orders sets them
  echo "# $requests requests, $failures failed, the longest $longest ms; $placed orders placed, $lost lost, $doubled doubled" >&3
}
# last_failure SINCE: prints the Unix time of the last failed request, or SINCE if none failed.
last_failure() {
  awk -F, -v last="$1" '$1 == "http_req_failed" && $3 > 0 && $2 > last {last = $2} END {print last}' "$BATS_TEST_TMPDIR"/{on,off}.csv
}
