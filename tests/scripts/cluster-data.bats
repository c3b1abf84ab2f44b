#!/usr/bin/env bats
load ../lib/shop.bash
setup() {
  start_shop
  real cluster-data
  unset DELIVERY_CLUSTER
  export DELIVERY_POSTGRES_IMAGE=postgres.example.org/postgres:16 DELIVERY_ADMIN_URL='postgresql://postgres:the-admin@db.example.org:5432/postgres?sslmode=require'
  # shellcheck disable=SC2016 # the fake itself expands it
  cluster_there '
    *"apply --filename -") cat >"$ENGINE/pod" ;;
    *" exec "*) case $* in *pg_dump*) printf "PGDMP\000\377" ;; *) cat >"$ENGINE/stdin" ;; esac; [ ! -f "$ENGINE/fails" ] || { echo "could not connect" >&2; exit 3; } ;;'
}
teardown() { stop_shop; }

k="kubectl --context the-cluster --namespace book-shop"
asked="kubectl config current-context
kubectl config view --minify --output jsonpath={.clusters[0].cluster.server}
$k --request-timeout 10s get --raw /readyz"
made="$k delete pod book-shop-data --ignore-not-found --grace-period 1
$k apply --filename -
$k wait --for=condition=Ready pod/book-shop-data --timeout 180s"
gone="$k delete pod book-shop-data --grace-period 1 --wait=false"
pod() { "$PYTHON" -c 'import json, sys; pod = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$ENGINE/pod" "$1"; }

@test "cluster-data create: role and database, the address on stdout; no password is an argument, a setting or said" {
  verb cluster-data create
  assert_success
  assert_output --regexp '^postgresql://book_shop_prod:[A-Za-z0-9_-]{40,}@db\.example\.org:5432/book_shop_prod\?sslmode=require$'
  assert_log "$asked
$k apply --filename scripts/host/k8s/namespace.yaml
$made
$k exec --stdin book-shop-data -- sh -euc read -r url; psql -qXv ON_ERROR_STOP=1 \"\$url\" >&2
$gone"
  password=${output#*book_shop_prod:} password=${password%@*}
  assert_equal "$(sed -n 1p "$ENGINE/stdin")" "$DELIVERY_ADMIN_URL"
  assert grep -qF "alter role book_shop_prod password '$password';" "$ENGINE/stdin"
  refute grep -qE "the-admin|$password" "$LOG" "$TEST_DIR/stderr" "$ENGINE/pod"
  assert_equal "$(pod '"envFrom" in pod["spec"]["containers"][0]')" False # it needs nothing of the shop's
}

@test "cluster-data: its pod is what Pod Security restricted takes" {
  verb cluster-data dump
  run "$PYTHON" -c 'import json, sys; sys.path.insert(0, sys.argv[1]); import pod_security; print(pod_security.violations(json.load(open(sys.argv[2]))["spec"]))' "$ROOT/tests/lib" "$ENGINE/pod"
  assert_output "[]"
}

@test "cluster-data dump: every byte of it on stdout, and nothing else" {
  verb cluster-data dump
  assert_success
  printf 'PGDMP\000\377' | cmp - "$TEST_DIR/stdout"
  assert_log "$asked
$made
$k exec --stdin book-shop-data -- sh -euc pg_dump -Fc \"\$DATABASE_URL\"
$gone"
}

@test "cluster-data load: the dump reaches pg_restore, in one transaction" {
  printf 'PGDMP\000\377' >dump
  verb cluster-data -y load <dump
  assert_success
  assert_output ""
  cmp dump "$ENGINE/stdin"
  assert_log "$asked
$made
$k exec --stdin book-shop-data -- sh -euc pg_restore --clean --if-exists --no-owner --single-transaction --dbname \"\$DATABASE_URL\" >&2
$gone"
}

@test "cluster-data: what fails is an error, and the pod goes all the same" {
  : >"$ENGINE/fails"
  for word in create dump load; do
    : >"$LOG"
    verb cluster-data -y "$word" </dev/null
    assert_equal "$status" 1
    assert_errors "could not connect" "PostgreSQL's programs failed"
    assert_equal "$(tail -n 1 "$LOG")" "$gone"
  done
}

@test "cluster-data: the wrong cluster, no image, no administrator: nobody is asked for anything" {
  DELIVERY_CLUSTER=production verb cluster-data -y load </dev/null
  assert_failed 1 "wrong cluster"
  DELIVERY_POSTGRES_IMAGE='' verb cluster-data dump
  assert_failed 1 "POSTGRES_IMAGE is not set"
  DELIVERY_ADMIN_URL='' verb cluster-data create
  assert_failed 1 "ADMIN_URL is not set"
  refute grep -qE 'apply|exec' "$LOG"
}

@test "cluster-data: -h and wrong calls" {
  verb cluster-data drop
  assert_failed 2 "invalid choice: 'drop'"
  assert_wrong_calls cluster-data "dump load"
}
