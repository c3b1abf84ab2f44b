#!/usr/bin/env bats
load ../lib/host.bash
setup() {
  start_host
  lay
  echo SECRET_KEY=the-secret-key >"$CONF/prod.env"
}
teardown() { stop_host; }

programs() { echo "$HOST_ROOT"/usr/local/bin/*; }
wait_node="kubectl as root: wait --for=condition=Ready node --all --timeout=10s --request-timeout=15s"
wait_token="kubectl as root: --namespace book-shop wait --for=jsonpath={.data.token} secret/deployer-token --timeout=5s --request-timeout=15s"
# What is done with a cluster, the node and the token there at once.
with_cluster="kubectl as root: apply -f /opt/book-shop/k8s/namespace.yaml -f /opt/book-shop/k8s/account.yaml
kubectl as root: --namespace book-shop create secret generic book-shop-env --from-env-file=/etc/book-shop/prod.env --dry-run=client -o yaml
kubectl as root: apply -f -
$wait_token"
kubeconfig="kubectl as root: --namespace book-shop get secret deployer-token -o jsonpath={.data.token}
kubectl as root: config view --raw -o jsonpath={.clusters[0].cluster.server}
kubectl as root: config view --raw -o jsonpath={.clusters[0].cluster.certificate-authority-data}"

@test "bootstrap-kubernetes: a cluster that answers is used; a node and a token that are not there yet are waited for" {
  : >"$WORLD/cluster"
  verb bootstrap-kubernetes
  assert_success
  assert_output ""
  assert_log "kubectl as root: get --raw /readyz
$wait_node
sleep 1
$wait_node
$with_cluster
sleep 1
$wait_token
$kubeconfig"
  assert_equal "$(cat "$WORLD/secret")" "SECRET_KEY=the-secret-key"
  assert_equal "$(stat -c %a "$CONF/deployer.kubeconfig")" 600
  run cat "$CONF/deployer.kubeconfig"
  assert_output 'apiVersion: v1
kind: Config
current-context: deployer
clusters: [{name: host, cluster: {server: "https://127.0.0.1:6443", certificate-authority-data: Q0E=}}]
users: [{name: deployer, user: {token: the-deployers-token}}]
contexts: [{name: deployer, context: {cluster: host, user: deployer, namespace: book-shop}}]'
  refute grep -qE 'the-secret-key|the-deployers-token' "$LOG" "$TEST_DIR/stderr"
}

@test "bootstrap-kubernetes: the second run changes nothing" {
  : >"$WORLD/cluster"
  verb bootstrap-kubernetes
  before=$(tree "$HOST_ROOT" "$WORLD")
  : >"$LOG"
  verb bootstrap-kubernetes
  assert_success
  assert_log "kubectl as root: get --raw /readyz
$wait_node
$with_cluster
$kubeconfig"
  assert_equal "$(tree "$HOST_ROOT" "$WORLD")" "$before"
}

@test "bootstrap-kubernetes: no cluster: k3s is downloaded, checked, installed and started" {
  # The checksum of the file that the fake curl brings, in place of the pinned one.
  sum=$(printf '#!/bin/sh\n# k3s\n' | sha256sum)
  sed -i "s/^k3s_sha256=[0-9a-f]*/k3s_sha256=${sum%% *}/" "$VERBS/bootstrap-kubernetes"
  verb bootstrap-kubernetes
  assert_success
  run head -n 4 "$LOG"
  assert_output --regexp '^kubectl as root: get --raw /readyz
curl -fsSL --max-time 600 --retry 5 -o /usr/local/bin/k3s.new https://github.com/k3s-io/k3s/releases/download/v[0-9.]+%2Bk3s1/k3s
systemctl enable --now --quiet k3s.service
kubectl as root: wait '
  assert_equal "$(programs)" "$HOST_ROOT/usr/local/bin/k3s $HOST_ROOT/usr/local/bin/kubectl"
  assert_equal "$(stat -c %a "$HOST_ROOT/usr/local/bin/k3s")" 755
  assert_equal "$(readlink "$HOST_ROOT/usr/local/bin/kubectl" "$HOST_ROOT/root/.kube/config")" "k3s
$HOST_ROOT/etc/rancher/k3s/k3s.yaml"
  : >"$LOG"
  verb bootstrap-kubernetes
  assert_success
  refute grep -qE '^(curl|systemctl)' "$LOG"
}

@test "bootstrap-kubernetes: another file than the pinned one is not installed" {
  verb bootstrap-kubernetes
  assert_failed 1 "bootstrap-kubernetes: k3s v" "is not the file that was pinned: nothing installed"
  refute [ -e "$HOST_ROOT/usr/local/bin/k3s" ]
  refute grep -q systemctl "$LOG"
}

@test "bootstrap-kubernetes: a node or a token that never comes is named, with what to do next" {
  : >"$WORLD/cluster"
  : >"$WORLD/never-node"
  DELIVERY_NODE_LIMIT=0 verb bootstrap-kubernetes
  assert_failed 1 "bootstrap-kubernetes: the node of Kubernetes is not ready after 0 s." \
    "See: kubectl describe nodes" "Then: $VERBS/bootstrap"
  refute grep -q "apply" "$LOG"
  rm "$WORLD/never-node"
  : >"$WORLD/never-token"
  DELIVERY_TOKEN_LIMIT=0 verb bootstrap-kubernetes
  assert_failed 1 "bootstrap-kubernetes: the Secret 'deployer-token' has no token after 0 s." \
    "See: kubectl --namespace book-shop describe secret deployer-token" "Then: $VERBS/bootstrap"
  refute [ -e "$CONF/deployer.kubeconfig" ]
}

@test "bootstrap-kubernetes: wrong calls" { assert_wrong_calls_on_host bootstrap-kubernetes x "--force"; }
