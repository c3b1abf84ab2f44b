#!/usr/bin/env bats
load ../lib/shop.bash
setup() {
  start_shop
  real cluster-setup
  unset DELIVERY_CLUSTER DATABASE_URL ALLOWED_HOSTS
  export DATABASE_URL=postgresql://shop:the-password@db.example.org/shop
  tools base64
  # shellcheck disable=SC2016 # the fake itself expands it
  cluster_there '
    *"get secret"*) [ ! -f "$ENGINE/secret" ] || cat "$ENGINE/secret" ;;
    *api-resources*) [ ! -f "$ENGINE/eks" ] || echo ingressclassparams.eks.amazonaws.com ;;
    *"apply --filename -") cat >"$ENGINE/applied" ;;'
}
teardown() { stop_shop; }

k="kubectl --context the-cluster --namespace book-shop"
asked="kubectl config current-context
kubectl config view --minify --output jsonpath={.clusters[0].cluster.server}
$k --request-timeout 10s get --raw /readyz
$k get secret book-shop-env --ignore-not-found --output json
$k api-resources --api-group eks.amazonaws.com --output name"
# setting NAME: as it was applied.
setting() { "$PYTHON" -c 'import json, sys; print(json.load(open(sys.argv[1]))["stringData"][sys.argv[2]])' "$ENGINE/applied" "$1"; }
# there NAME=VALUE...: settings that the cluster has.
there() { "$PYTHON" -c 'import base64, json, sys; print(json.dumps({"data": {name: base64.b64encode(value.encode()).decode() for name, value in (word.split("=", 1) for word in sys.argv[1:])}}))' "$@" >"$ENGINE/secret"; }

@test "cluster-setup: names the cluster, asks, applies, and makes the secret key; no secret is said or logged" {
  verb cluster-setup <<<yes
  assert_success
  assert_output "the-cluster: book-shop"
  assert_errors "==> cluster the-cluster, https://10.0.0.1:6443" "settings that change: SECRET_KEY, ALLOWED_HOSTS, DATABASE_URL" "Set this cluster up? Type yes to continue: "
  assert_log "$asked
$k apply --filename scripts/host/k8s/namespace.yaml
$k apply --filename scripts/cluster/k8s/deploys.yaml
$k apply --filename -"
  assert_equal "$(setting DATABASE_URL)" "$DATABASE_URL"
  assert_equal "$(setting ALLOWED_HOSTS)" "*"
  key=$(setting SECRET_KEY)
  [ "${#key}" -ge 60 ]
  refute grep -qE "the-password|$key" "$LOG" "$TEST_DIR/stderr" "$TEST_DIR/stdout"
}

@test "cluster-setup: what is set stays, what is given replaces it" {
  there SECRET_KEY=old-key ALLOWED_HOSTS=.example.org DATABASE_URL=old
  verb cluster-setup -y
  assert_success
  assert_errors "settings that change: DATABASE_URL" "rollout restart deployment/book-shop"
  assert_equal "$(setting SECRET_KEY) $(setting ALLOWED_HOSTS) $(setting DATABASE_URL)" "old-key .example.org $DATABASE_URL"
  unset DATABASE_URL
  ALLOWED_HOSTS=shop.example.org verb cluster-setup -y
  assert_equal "$(setting SECRET_KEY) $(setting ALLOWED_HOSTS) $(setting DATABASE_URL)" "old-key shop.example.org old"
}

@test "cluster-setup: on EKS its load balancers and network policies as well" {
  : >"$ENGINE/eks"
  verb cluster-setup -y
  assert_success
  assert_equal "$(sed -n '/eks.yaml/,$p' "$LOG")" "$k apply --filename scripts/cluster/k8s/eks.yaml
$k label namespace book-shop eks.amazonaws.com/pod-readiness-gate-inject=enabled --overwrite
$k apply --filename -"
}

@test "cluster-setup: without a database, or not confirmed, nothing is changed" {
  verb cluster-setup <<<no
  assert_failed 1 "not confirmed: nothing was changed"
  assert_log "$asked"
  DATABASE_URL='' verb cluster-setup -y
  assert_failed 1 "DATABASE_URL is not set"
  DELIVERY_CLUSTER=production verb cluster-setup -y
  assert_failed 1 "wrong cluster" "remedy: kubectl config use-context production"
  refute grep -q apply "$LOG"
}

@test "cluster-setup: -h and wrong calls" { assert_wrong_calls cluster-setup "one"; }
