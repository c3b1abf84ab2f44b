#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # each test changes its own copy of ACT_VARIABLES
bats_require_minimum_version 1.5.0
# The workflows with prod on a cluster (pipelines.bash), and a rollback without a package index. The
# Kubernetes of the local host is the cluster, behind a small EKS (tests/lib/fake_eks.py) that knows
# the role by its tokens and gives it the rights of the group of deployers. Afterwards prod belongs to
# the cluster: the host's own records still name the images that the host has deployed.
load e2e.bash
load pipelines.bash

ARN=arn:aws:eks:eu-central-1:123456789012:cluster/the-cluster
ADDRESS=http://localhost:$DELIVERY_HTTP_PORT
ON_EKS=(--var PROD=cluster --var "CLUSTER=$ARN" --var "CLUSTER_URL=$ADDRESS")

setup_file() {
  start_demo
  # The firewall of a host opens 80 and 8080 only.
  on_host nft insert rule inet book_shop input tcp dport 6443 accept
  export ADMIN=$BATS_FILE_TMPDIR/admin EKS=$BATS_FILE_TMPDIR/eks
  address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$DELIVERY_DEMO-host")
  on_host kubectl config view --raw --minify --flatten | sed "s,https://[^:]*:6443,https://$address:6443," >"$ADMIN"

  git -C "$SHOP" switch -q -C main
  stub_checks
  for_one_node
  bump 8.0.0
  commit "checks and manifests for the tests"
  git -C "$SHOP" branch -f dev
  # As in docs/operations/move-to-a-cluster.md: prepare the cluster, and deploy the live release.
  KUBECONFIG=$ADMIN DATABASE_URL=$(on_host sed -n 's/^DATABASE_URL=//p' /etc/book-shop/prod.env) \
    "$SHOP/scripts/cluster-setup" -y
  shop image push promote
  KUBECONFIG=$ADMIN DELIVERY_PROD=cluster DELIVERY_CLUSTER_URL=$ADDRESS "$SHOP/scripts/deploy" prod 8.0.0

  mkdir "$EKS"
  python3 "$SHOP/tests/lib/fake_eks.py" serve "$ADMIN" the-cluster "$EKS" 3>&- &
  until [ -s "$EKS/address" ]; do kill -0 $!; done
}
teardown_file() { kill "$(cat "$EKS/pid")"; }
setup() {
  start_github "$BATS_FILE_TMPDIR/github"
  ACT_VARIABLES+=("${ON_EKS[@]}" --env "AWS_ENDPOINT_URL_EKS=$(cat "$EKS/address")" --env KUBECONFIG=/nowhere)
  git -C "$SHOP" switch -q dev
}
teardown() {
  stop_github
  [ -n "${BATS_TEST_COMPLETED:-}" ] || tail -n 60 "$BATS_TEST_TMPDIR/act"
}

# for_one_node: changes the cluster's overlay for one node without Ingress controller and load balancer.
for_one_node() {
  local overlays=$SHOP/k8s/overlays
  [ ! -d "$overlays/original" ] || return 0
  mv "$overlays"/{cluster,original}
  sed -i '/behind-a-load-balancer/d' "$overlays/original/kustomization.yaml"
  mkdir "$overlays/cluster"
  cp "$overlays"/single-node/{database,service}.yaml "$SHOP/tests/machines/overlay/nodes.yaml" "$overlays/cluster"
  printf '%s\n' "resources: [../original]" "patches: [{path: database.yaml}, {path: service.yaml}, {path: nodes.yaml}]" \
    >"$overlays/cluster/kustomization.yaml"
}
# host_records: what the host remembers of prod's deploys.
host_records() { on_host sh -c 'cat /var/lib/book-shop/prod/* ; grep -c "" /var/lib/book-shop/deploys.jsonl'; }
# last_deploy: the user, the verb and the result of the last deploy to the cluster.
last_deploy() {
  KUBECONFIG=$ADMIN DELIVERY_PROD=cluster "$SHOP/scripts/history" prod | awk 'END {print $2, $3, $(NF - 1)}'
}

@test "pushes to dev and main build, deploy to the host's dev and to the cluster, and release" {
  before=$(revision_of prod)
  on_dev 8.1.0
  assert_steps 0 "make check" "make image" "make push" "make deploy-dev" "make smoke-dev" "make summary"
  assert_revision "$(head_of_shop)" dev
  assert_revision "$before" prod
  built=$(head_of_shop)
  records=$(host_records)
  merge_to_main main dev
  assert_steps 0 "make check" "make release-check" "make promote" "make deploy-prod" "make smoke-prod" \
    "make summary" "make release" "make summary"
  assert_output --partial "credentials of the-role in eu-central-1"
  assert_output --partial "cluster $ARN"
  assert_revision "$built" dev prod
  assert_equal "$(last_deploy)" "somebody deploy ok"
  assert_equal "$(host_records)" "$records"
  assert_equal "$(releases)" "[[\"v8.1.0\", \"$(head_of_shop)\"]]"
  assert_output --regexp "\\| prod \\| $ADDRESS \\| 8.1.0 \\| $built \\|"
  refute_output --partial "k8s-aws-v1." # a token
}

@test "operate.yml shows the status of the cluster and rolls prod back there" {
  records=$(host_records)
  git -C "$SHOP" switch -q main
  by_hand status-prod
  assert_steps 0 "make status" "make summary"
  assert_output --regexp "prod +$ADDRESS +8.1.0 "
  KUBECONFIG=$ADMIN "$SHOP/scripts/cluster-setup" -y # leaves the records of deploys alone
  by_hand rollback-prod
  # shellcheck disable=SC2016 # the step expands it
  assert_steps 0 'make rollback-prod TO="$VERSION"' "make summary"
  assert_revision "$(head_of_shop ^1)" prod
  assert_equal "$(last_deploy)" "somebody rollback ok"
  assert_equal "$(host_records)" "$records"
}

@test "an unknown cluster is an error, and nothing is changed" {
  before=$(revision_of prod)
  git -C "$SHOP" switch -q main
  ACT_VARIABLES+=(--var CLUSTER="${ARN%the-cluster}gone")
  by_hand rollback-prod
  assert_equal "$status" 1
  assert_output --partial "no EKS cluster 'gone' in eu-central-1"
  assert_revision "$before" prod
}

@test "a cluster elsewhere is reached with the kubeconfig in the secret" {
  git -C "$SHOP" switch -q main
  context=$(command kubectl --kubeconfig "$ADMIN" config current-context)
  ACT_VARIABLES+=(--var CLUSTER="$context" -s "CLUSTER_KUBECONFIG=$(cat "$ADMIN")")
  by_hand status-prod
  assert_steps 0 "make status" "make summary"
  assert_output --partial "cluster $context"
  assert_output --regexp "prod +$ADDRESS +8.0.0 "
  refute_output --partial client-key-data
}

@test "a rollback uses the cached packages while the package index cannot be reached" {
  git -C "$SHOP" switch -q -C cached main
  cp scripts/setup "$SHOP/scripts/setup"
  commit "the real setup"
  # Only the cache has the packages: the PATH is that of a new runner, and no index can be reached.
  act=$(type -P act) cache=$BATS_TEST_TMPDIR/cached
  mkdir "$cache" "$BATS_TEST_TMPDIR/bin"
  ln -s "$act" "$BATS_TEST_TMPDIR/bin/act"
  runner_path=$BATS_TEST_TMPDIR/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  closed=(--env PIP_INDEX_URL=http://127.0.0.1:9/simple --env PIP_NO_CACHE_DIR=1 --env PIP_RETRIES=0 --env "CACHE=$cache")
  ACT_VARIABLES+=("${closed[@]}")
  PATH=$runner_path by_hand rollback-prod 8.1.0
  assert_equal "$status" 1
  assert_output --partial "installing the Python packages of scripts"
  key=$(sed -n 's/.*no cache \(deploy-[^ ]*\).*/\1/p' "$BATS_TEST_TMPDIR/act" | head -n 1)
  assert_regex "$key" '^deploy-ubuntu-24\.04-[A-Z0-9]+-[0-9a-f]{64}$'

  # What the cache keeps after a job with an index.
  git clone -q "$SHOP" "$BATS_TEST_TMPDIR/clone"
  "$BATS_TEST_TMPDIR/clone/scripts/setup" deploy
  tar -C "$BATS_TEST_TMPDIR/clone" -cf "$cache/$key.tar" .venv
  PATH=$runner_path by_hand rollback-prod 8.1.0
  # shellcheck disable=SC2016 # the step expands it
  assert_steps 0 'make rollback-prod TO="$VERSION"' "make summary"
  refute_output --partial "installing"
  assert_revision "$(git -C "$SHOP" rev-parse dev)" prod
}
