#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
load e2e.bash

@test "make demo serves the same image on :8080 (Docker) and on :80 (Kubernetes)" {
  run shop demo
  assert_success
  for environment in dev prod; do
    url=http://localhost:$(port_of $environment)
    assert_line --regexp "^$environment +$url +1\.[0-9.]+ +$(head_of_shop | cut -c1-12) +sha256:[0-9a-f]+ +yes"
  done
  assert_revision "$(head_of_shop)" dev prod
}

@test "the slot and every pod run the same digest" {
  slot=$(on_host docker ps --no-trunc --format '{{.Image}}')
  pods=$(kubectl get pods -l "$WEB" -o 'jsonpath={.items[*].status.containerStatuses[0].imageID}')
  assert_regex "$slot" '^localhost:[0-9]+/book-shop@sha256:[0-9a-f]{64}$'
  assert_equal "$pods" "$slot $slot"
}

@test "both environments list books through NGINX" {
  for environment in dev prod; do
    run get $environment /book-list
    assert_output --partial "/book-detail/"
  done
}

@test "a second make demo restarts nothing" {
  before=$(identities)
  run shop demo
  assert_success
  assert_equal "$(identities)" "$before"
}

@test "a second run of the install script restarts nothing and keeps the secrets" {
  before=$(identities && on_host sha256sum /etc/book-shop/dev.env /etc/book-shop/prod.env)
  install_host
  assert_equal "$(identities && on_host sha256sum /etc/book-shop/dev.env /etc/book-shop/prod.env)" "$before"
}

@test "slot and pod run as user 10001, with a read-only root, no capability and no new privileges" {
  slot=$(on_host docker ps --quiet)
  pod=$(kubectl get pods -l "$WEB" -o 'jsonpath={.items[0].metadata.name}')
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

@test "the deploy account updates the deployments of its namespace, but reads no secret and nothing outside it" {
  deployer() { on_host kubectl --kubeconfig /etc/book-shop/deployer.kubeconfig auth can-i "$@"; }
  assert_equal "$(deployer update deployments --namespace book-shop)" yes
  # shellcheck disable=SC2086 # lists of words
  for forbidden in "get secrets --namespace book-shop" "create pods --namespace book-shop" "get pods --namespace kube-system" "get nodes"; do
    run deployer $forbidden
    assert_output --partial no
    assert_failure
  done
}

# The version from which the local host's Kubernetes is built, "v1.2.3".
kubernetes_version() { sed -nE 's,^(require)?\s*k8s.io/kubernetes (v[0-9.]+)( // .*)?$,\2,p' "$SHOP/scripts/local/kubernetes/modules/kubernetes/go.mod"; }

@test "the local host and its kubectl have the Kubernetes version of the pinned k3s" {
  version=$(kubernetes_version)
  assert_equal "$version" "$(sed -nE 's/^k3s_version=(v[0-9.]+)\+k3s[0-9]+$/\1/p' "$SHOP/scripts/host/bin/bootstrap-kubernetes")"
  run kubectl version
  assert_line --regexp "^Client Version: $version(\+k3s[0-9]+)?$"
  assert_line --regexp "^Server Version: $version(\+k3s[0-9]+)?$"
}

# as_caller VARIABLE=VALUE... VERB [ARGUMENT...]: runs a verb with these variables alone, in a
# directory that no longer exists.
as_caller() {
  local variables=()
  while [[ $1 == *=* ]]; do variables+=("$1") && shift; done
  on_host sh -c 'mkdir -p /tmp/gone && cd /tmp/gone && rmdir /tmp/gone && umask 777 && exec "$@"' - \
    env -i "${variables[@]}" "/opt/book-shop/bin/$1" "${@:2}"
}

@test "the host's verbs do not depend on the environment and the directory of their caller" {
  on_host mkdir -p /tmp/caller/.docker /tmp/caller/bin
  into_host tee /tmp/caller/.docker/config.json <<<'{"currentContext": "elsewhere"}'
  hostile=(HOME=/tmp/caller PATH=/tmp/caller/bin LC_ALL=C DOCKER_HOST=tcp://127.0.0.1:1 DOCKER_CONTEXT=elsewhere
    KUBECONFIG=/nonexistent PGHOST=elsewhere.example PYTHONPATH=/tmp/caller BASH_ENV=/nonexistent)
  image=$(on_host /opt/book-shop/bin/status | jq -r '.environments[] | select(.environment == "prod").digest')
  for call in status backups "history prod" "logs dev 5" "plan prod $DELIVERY_REPOSITORY@$image" switch; do
    read -ra words <<<"$call"
    expected=$(on_host "/opt/book-shop/bin/${words[0]}" "${words[@]:1}")
    assert_equal "$(as_caller "${words[@]}")" "$expected"
    assert_equal "$(as_caller "${hostile[@]}" "${words[@]}")" "$expected"
  done
  as_caller "${hostile[@]}" backup dev
  as_caller "${hostile[@]}" bootstrap
  assert_equal "$(on_host find /tmp/caller -type f)" /tmp/caller/.docker/config.json
}

@test "k3s would start without limits of time, tasks and core files, and load its kernel modules first" {
  properties=(TimeoutStartUSec TasksMax LimitCORE LimitNPROC Delegate KillMode)
  run on_host systemctl show k3s "${properties[@]/#/--property=}"
  assert_equal "$(sort <<<"$output")" "Delegate=yes
KillMode=process
LimitCORE=infinity
LimitNPROC=infinity
TasksMax=infinity
TimeoutStartUSec=infinity"
  run on_host systemctl show k3s --property=ExecStartPre
  assert_output --partial "modprobe br_netfilter ; ignore_errors=yes"
  assert_output --partial "modprobe overlay ; ignore_errors=yes"
}

@test "the applied manifests and the cluster overlay are valid for the local host's Kubernetes version" {
  on_host cat /var/lib/book-shop/prod/manifests.yaml >"$BATS_TEST_TMPDIR/single-node.yaml"
  docker cp "$SHOP/k8s" "$DELIVERY_DEMO-host:/tmp/k8s"
  on_host kubectl kustomize /tmp/k8s/overlays/cluster >"$BATS_TEST_TMPDIR/cluster.yaml"
  version=$(kubernetes_version) # there is one schema for each minor version
  kubernetes-validate --strict --quiet --kubernetes-version "$(sed -E 's/^v(.*)\.[0-9]+$/\1.0/' <<<"$version")" "$BATS_TEST_TMPDIR"/{single-node,cluster}.yaml
}

@test "the compressed image is at most 70 MB" {
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
