#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
load road.bash

@test "make demo serves one image twice: Docker behind :8080, Kubernetes behind :80" {
  run shop demo
  assert_success
  assert_line --regexp "^dev +http://localhost:$DELIVERY_DEV_PORT +1\.[0-9.]+ +$(head_of_shop | cut -c1-12) +sha256:[0-9a-f]+ +yes"
  assert_line --regexp "^prod +http://localhost:$DELIVERY_HTTP_PORT +1\.[0-9.]+ +$(head_of_shop | cut -c1-12) +sha256:[0-9a-f]+ +yes"
  assert_equal "$(revision_at "$DELIVERY_DEV_PORT")" "$(head_of_shop)"
  assert_equal "$(revision_at "$DELIVERY_HTTP_PORT")" "$(head_of_shop)"
}

@test "the slot and every pod run the same digest" {
  slot=$(on_host docker ps --no-trunc --format '{{.Image}}')
  pods=$(kubectl get pods -l app.kubernetes.io/component=web -o 'jsonpath={.items[*].status.containerStatuses[0].imageID}')
  assert_regex "$slot" '^localhost:[0-9]+/book-shop@sha256:[0-9a-f]{64}$'
  assert_equal "$pods" "$slot $slot"
}

@test "books are there, on both sides, through NGINX" {
  for port in "$DELIVERY_DEV_PORT" "$DELIVERY_HTTP_PORT"; do
    run curl -fsS "http://localhost:$port/book-list"
    assert_output --partial "/book-detail/"
  done
}

@test "make demo again changes nothing that runs" {
  before=$(identities)
  run shop demo
  assert_success
  assert_equal "$(identities)" "$before"
}

@test "the install script run again changes nothing that runs, and no secret" {
  before=$(identities && on_host sha256sum /etc/book-shop/dev.env /etc/book-shop/prod.env)
  "$SHOP/scripts/demo/user-data" | docker exec -i "$DELIVERY_DEMO-host" python3 -
  assert_equal "$(identities && on_host sha256sum /etc/book-shop/dev.env /etc/book-shop/prod.env)" "$before"
}

@test "slot and pod run as nobody in particular: read-only root, no capability, no privilege to gain" {
  slot=$(on_host docker ps --quiet)
  pod=$(kubectl get pods -l app.kubernetes.io/component=web -o 'jsonpath={.items[0].metadata.name}')
  for run_in in "on_host docker exec $slot" "kubectl exec $pod --"; do
    assert_equal "$($run_in id -u)" 10001
    run $run_in touch /app/x
    assert_failure
    assert_output --partial "Read-only file system"
    run $run_in cat /proc/1/status
    assert_line --regexp '^CapBnd:.0000000000000000$'
    assert_line --regexp '^NoNewPrivs:.1$'
    assert_line --regexp '^Seccomp:.2$'
  done
}

@test "the deploys' account can do nothing outside its namespace, and can't read the secrets in it" {
  deployer() { on_host kubectl --kubeconfig /etc/book-shop/deployer.kubeconfig auth can-i "$@"; }
  assert_equal "$(deployer update deployments --namespace book-shop)" yes
  # shellcheck disable=SC2086 # lists of words
  for forbidden in "get secrets --namespace book-shop" "create pods --namespace book-shop" "get pods --namespace kube-system" "get nodes"; do
    run deployer $forbidden
    assert_output --partial no
    assert_failure
  done
}

# The version of Kubernetes that the local host's is built from, "v1.2.3".
kubernetes_version() { sed -nE 's,^(require)?\s*k8s.io/kubernetes (v[0-9.]+)( // .*)?$,\2,p' "$SHOP/scripts/demo/kubernetes/modules/kubernetes/go.mod"; }

@test "the local host runs the Kubernetes version of the pinned k3s, and so does its kubectl" {
  version=$(kubernetes_version)
  assert_equal "$version" "$(sed -nE 's/^k3s_version=(v[0-9.]+)\+k3s[0-9]+$/\1/p' "$SHOP/scripts/host/bin/bootstrap-kubernetes")"
  run kubectl version
  assert_line --regexp "^Client Version: $version(\+k3s[0-9]+)?$"
  assert_line --regexp "^Server Version: $version(\+k3s[0-9]+)?$"
}

@test "the manifests that were applied, and the cluster overlay, are valid for the Kubernetes version of the local host" {
  on_host cat /var/lib/book-shop/prod/manifests.yaml >"$BATS_TEST_TMPDIR/single-node.yaml"
  docker cp "$SHOP/k8s" "$DELIVERY_DEMO-host:/tmp/k8s"
  on_host kubectl kustomize /tmp/k8s/overlays/cluster >"$BATS_TEST_TMPDIR/cluster.yaml"
  version=$(kubernetes_version) # there is one schema for each minor version
  kubernetes-validate --strict --quiet --kubernetes-version "$(sed -E 's/^v(.*)\.[0-9]+$/\1.0/' <<<"$version")" "$BATS_TEST_TMPDIR"/{single-node,cluster}.yaml
}

@test "the image is at most 70 MB over the wire" {
  size=$(
    PYTHONPATH=$SHOP/scripts python3 - "$DELIVERY_REPOSITORY" "$(shop version)" <<'PYTHON'
import json, sys
from delivery import registry
manifest = registry.Registry(sys.argv[1]).manifest(sys.argv[2])
print(*(layer["size"] for layer in json.loads(manifest.body)["layers"]))
PYTHON
  )
  total=$((${size// /+}))
  echo "# compressed layers, base first: $size; together $total bytes" >&3
  [ "$total" -le 70000000 ]
}
