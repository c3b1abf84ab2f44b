#!/usr/bin/env bats
# tests/scripts/user-data.bats has a second run.
load ../lib/host.bash
setup() {
  start_host
  install_files
  CERTIFICATE=$HOST_ROOT/var/lib/rancher/k3s/agent/client-kubelet.crt
}

@test "bootstrap-kubernetes: uses a running cluster, and waits for its node" {
  : >"$WORLD/cluster"
  verb bootstrap-kubernetes
  assert_answer ""
  run grep -oE '^(sleep|curl|kubectl as root: (get|wait))' "$LOG"
  assert_output "kubectl as root: get
kubectl as root: wait
sleep
kubectl as root: wait"
}

@test "bootstrap-kubernetes: without a cluster, installs k3s if the download has the pinned SHA-256" {
  programs=$HOST_ROOT/usr/local/bin
  verb bootstrap-kubernetes
  assert_failed 1 "bootstrap-kubernetes: the downloaded k3s v" "does not have the SHA-256" "Nothing was installed"
  assert_equal "$(ls "$programs")" ""
  refute grep systemctl "$LOG"
  # The checksum of the file that the fake curl brings, in place of the pinned one.
  sum=$(printf '#!/bin/sh\n# k3s\n' | sha256sum)
  sed -i "s/^k3s_sha256=[0-9a-f]*/k3s_sha256=${sum%% *}/" "$VERBS/bootstrap-kubernetes"
  succeeds bootstrap-kubernetes
  run grep -E '^(curl|systemctl) ' "$LOG"
  assert_output --regexp "https://github.com/k3s-io/k3s/releases/download/v[0-9.]+%2Bk3s1/k3s
systemctl enable --now --no-block --quiet k3s.service\$"
  assert_equal "$(ls "$programs")" $'k3s\nkubectl'
  assert_equal "$(stat -c %a "$programs/k3s")" 755
  assert_equal "$(readlink "$programs/kubectl" "$HOST_ROOT/root/.kube/config")" "k3s
$HOST_ROOT/etc/rancher/k3s/k3s.yaml"
  assert_equal "$(ls "$WORLD/nodes")" book-shop # whatever the host name is
  succeeds bootstrap-kubernetes
  refute grep -qE '^curl' "$LOG"
}

# k3s_runs NODE...: k3s was installed by an older release. The kubelet's node is the last one.
k3s_runs() {
  mkdir -p "$HOST_ROOT/var/lib/rancher/k3s/agent" "$WORLD/nodes"
  local node
  for node in "$@"; do echo this-machine >"$WORLD/nodes/$node"; done
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null \
    -subj "/O=system:nodes/CN=system:node:${!#}" -out "$CERTIFICATE" 2>/dev/null
  : >"$HOST_ROOT/usr/local/bin/k3s"
  : >"$WORLD/cluster"
}

@test "bootstrap-kubernetes: the node of a running k3s keeps its name, and k3s keeps running" {
  k3s_runs ip-10-0-0-5
  for _ in first second; do
    succeeds bootstrap-kubernetes
    assert_equal "$(cat "$HOST_ROOT/etc/rancher/k3s/config.yaml.d/book-shop.yaml")" 'node-name: "ip-10-0-0-5"'
    assert_equal "$(ls "$WORLD/nodes")" ip-10-0-0-5
    refute grep -qE '^systemctl.*restart' "$LOG"
    k3s_runs ip-10-0-0-5 another-name # k3s was started with another name meanwhile
    rm "$WORLD/nodes/another-name"
  done
}

@test "bootstrap-kubernetes: deletes the nodes of earlier host names, and no other machine's node" {
  k3s_runs ip-10-0-0-1 ip-10-0-0-5 ip-10-0-0-9
  echo another-machine >"$WORLD/nodes/agent"
  succeeds bootstrap-kubernetes
  assert_errors "deleting the node 'ip-10-0-0-1'" "deleting the node 'ip-10-0-0-5'"
  assert_equal "$(ls "$WORLD/nodes")" $'agent\nip-10-0-0-9'
}

@test "bootstrap-kubernetes: deletes no node before the present one is ready" {
  k3s_runs ip-10-0-0-1 ip-10-0-0-9
  rm "$WORLD/nodes/ip-10-0-0-9"
  DELIVERY_NODE_LIMIT=0 verb bootstrap-kubernetes
  assert_failed 1 "the node of Kubernetes is not ready after 0 s." "journalctl -u k3s"
  assert_equal "$(ls "$WORLD/nodes")" ip-10-0-0-1
}

@test "bootstrap-kubernetes: refuses to guess the name of a running node" {
  k3s_runs ip-10-0-0-5
  echo damaged >"$CERTIFICATE"
  verb bootstrap-kubernetes
  assert_failed 1 "no node name in '$CERTIFICATE'" "systemctl restart k3s && $VERBS/bootstrap"
  refute [ -e "$HOST_ROOT/etc/rancher/k3s/config.yaml.d/book-shop.yaml" ]
}

@test "bootstrap-kubernetes: fails with a remedy if the node is not ready in time" {
  : >"$WORLD/cluster"
  : >"$WORLD/never-node"
  DELIVERY_NODE_LIMIT=0 verb bootstrap-kubernetes
  assert_failed 1 "bootstrap-kubernetes: the node of Kubernetes is not ready after 0 s." \
    "See: kubectl describe nodes" "Then: $VERBS/bootstrap"
}
