#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# From a single host to the cluster and back: dump, load, switch.
load ../e2e/e2e.bash
load machines.bash
: "${SINGLE_PORT:?run these by make test-machines}"

# single COMMAND...: for the single host, a local host next to the machines.
single() {
  env DELIVERY_PROD=host DELIVERY_HOST=local DELIVERY_DEMO="$DELIVERY_DEMO-single" DELIVERY_HTTP_PORT="$SINGLE_PORT" DELIVERY_DEV_PORT=$((SINGLE_PORT + 1)) DELIVERY_REGISTRY_PORT=$((SINGLE_PORT + 2)) \
    DELIVERY_REPOSITORY="localhost:$((SINGLE_PORT + 2))/book-shop" "$@"
}
teardown_file() { single "$SHOP/scripts/local/down"; }
on_single() { docker exec -i "$DELIVERY_DEMO-single-host" "$@"; }
in_single() { on_single kubectl --namespace book-shop exec deployment/book-shop -- python3 manage.py shell --verbosity 0 -c "$1"; }
# orders_at PORT BOOK: buys for some seconds; prints the confirmed orders, one a line.
orders_at() {
  DELIVERY_HTTP_PORT=$1 DELIVERY_DEV_PORT=$1 k6 run --quiet --no-usage-report --address 127.0.0.1:0 --env DURATION=8s --env BOOKS="{\"dev\": $2, \"prod\": $2}" \
    --console-output "$BATS_TEST_TMPDIR/placed" "$SHOP_LOAD" >/dev/null 2>&1 || [ $? = 99 ] # a threshold: more orders than in 8 s
  confirmed_orders "$BATS_TEST_TMPDIR/placed"
  rm "$BATS_TEST_TMPDIR/placed"
}
# missing FILE: prints how many orders of the file are not in standard input.
missing() { comm -23 <(sort "$1") <(sort -u) | wc -l; }

@test "a migration from host to cluster and back keeps every confirmed order" {
  placed=$BATS_TEST_TMPDIR/confirmed
  single "$SHOP/scripts/local/up"
  image=$(forced_in_cluster "$SHOP/scripts/deploy" prod 1.1.0)
  docker tag "$image" "localhost:$((SINGLE_PORT + 2))/book-shop:1.1.0"
  docker push -q "localhost:$((SINGLE_PORT + 2))/book-shop:1.1.0"
  single "$SHOP/scripts/deploy" prod 1.1.0
  book=$(in_single "$MAKE_BOOK")
  orders_at "$SINGLE_PORT" "$book" >"$placed"
  [ -s "$placed" ]
  first=$(wc -l <"$placed")

  # To the cluster: the host stops taking orders, then dumps its data.
  on_single kubectl --namespace book-shop scale deployment/book-shop --replicas=0
  on_single kubectl --namespace book-shop wait --for=delete pod -l app.kubernetes.io/component=web --timeout=60s
  single "$SHOP/scripts/dump" prod >"$BATS_TEST_TMPDIR/there.dump"
  in_cluster "$SHOP/scripts/load" -y prod <"$BATS_TEST_TMPDIR/there.dump"
  in_cluster "$SHOP/scripts/deploy" prod 1.1.0
  assert_equal "$(in_shop "$ORDERS" | missing "$placed") of $first missing in the cluster" "0 of $first missing in the cluster"

  # And back, with the orders placed meanwhile.
  orders_at "$DELIVERY_HTTP_PORT" "$book" >>"$placed"
  all=$(wc -l <"$placed")
  [ "$all" -gt "$first" ]
  kubectl scale deployment/book-shop --replicas=0
  kubectl wait --for=delete pod -l app.kubernetes.io/component=web --timeout=90s
  in_cluster "$SHOP/scripts/dump" prod >"$BATS_TEST_TMPDIR/back.dump"
  single "$SHOP/scripts/deploy" prod 1.1.0
  single "$SHOP/scripts/load" -y prod <"$BATS_TEST_TMPDIR/back.dump"
  assert_equal "$(in_single "$ORDERS" | missing "$placed") of $all missing on the host" "0 of $all missing on the host"
  assert_equal "$(in_single "$ORDERS" | sort | uniq -d)" ""
  echo "# $first orders moved to the cluster, $all back" >&3
}
