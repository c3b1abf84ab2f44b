# shellcheck shell=bash disable=SC2034,SC2154 # some variables are for those who source this, some of theirs
# Sourced by lib/deploy.sh: what a cluster has of its own, where scripts/host/lib/own.sh has a host's. The verbs are the host's, as links; they
# run where make does.
: "${CLUSTER_CONTEXT:?scripts/lib/host.py says which}"
mkdir -p "$state/prod"
environments=(prod) overlay=cluster
rollout_limit=600 answer_limit=300 drain_limit=90 # seconds: a new node may have to come first, the first time a load balancer
kubernetes_remedy="kubectl --context $CLUSTER_CONTEXT get --raw /readyz"
memory=book-shop-deploys memory_lines=500 # a ConfigMap holds 1 MiB

# shellcheck source=../lib/lock.sh
. "$home/lib/lock.sh"

kubectl() { command kubectl --context "$CLUSTER_CONTEXT" --namespace book-shop "$@"; }

# url <environment>: where visitors reach it, CLUSTER_URL or what the cluster gave its Ingress; nothing before it has.
url() {
  local address=${CLUSTER_URL:-}
  [ -n "$address" ] || address=$(kubectl get ingress book-shop --ignore-not-found -o 'jsonpath={.status.loadBalancer.ingress[0].hostname}{.status.loadBalancer.ingress[0].ip}')
  [[ -z $address || $address == http*://* ]] || address=http://$address
  echo "$address"
}

# recall: what is remembered lies in the cluster, a ConfigMap with a key for each file. Read once, by who changes it under the lock.
recall() {
  local file found
  [ ! -e "$state/recalled" ] || return 0
  found=$(kubectl get configmap "$memory" -o json) || die "the cluster has no place to remember deploys. Run: make cluster-setup"
  for file in prod/current prod/previous prod/manifests.yaml deploys.jsonl; do
    jq -j --arg key "${file##*/}" '.data[$key] // ""' <<<"$found" >"$state/$file"
    [ -s "$state/$file" ] || rm "$state/$file"
  done
  : >"$state/recalled"
}
keep_remembered() {
  tail -n "$memory_lines" "$deploys" | write "$deploys"
  kubectl create configmap "$memory" --from-file="$state/prod" --from-file="$deploys" --dry-run=client -o json | kubectl replace -f - >/dev/null
}

# place: what status says of it, as JSON.
place() { jq -n --arg cluster "$CLUSTER_CONTEXT" '$ARGS.named'; }

# platform: what images have to be built for: k8s/overlays/cluster asks for such nodes.
platform() { echo linux/amd64; }

# planned_migrations <environment> <image>: by a Job like the migration's, since only pods reach the database.
planned_migrations() {
  kubectl delete job book-shop-plan --ignore-not-found >/dev/null
  kubectl create --dry-run=client -f "$work/manifests.yaml" -l "$migration" -o json \
    | jq '.metadata.name = "book-shop-plan" | .spec.template.spec.containers[0].command += ["--plan"]' | kubectl apply -f - >/dev/null
  kubectl wait --for=condition=complete job/book-shop-plan --timeout=300s >/dev/null || { last_lines "$migration" "$2" && die "the migrations can't be told, see above"; }
  kubectl logs job/book-shop-plan
  kubectl delete job book-shop-plan >/dev/null
}

# The kubelets collect what nobody runs.
tidy() { :; }
tidy_kubernetes() { :; }
