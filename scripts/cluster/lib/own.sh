# shellcheck shell=bash disable=SC2034,SC2154 # some variables are for those who source this, some of theirs
# Sourced by lib/deploy.sh: what a cluster has of its own, where scripts/host/lib/own.sh has a host's. The verbs are the host's, as links; they
# run where make does.
: "${CLUSTER_CONTEXT:?scripts/lib/host.py says which}"
mkdir -p "$state/prod"
environments=(prod) overlay=cluster
rollout_limit=600 answer_limit=300 drain_limit=90 # seconds: a new node may have to come first, the first time a load balancer
kubernetes_remedy="kubectl --context $CLUSTER_CONTEXT get --raw /readyz"
lease=book-shop-deploys lease_limit=${LEASE_LIMIT:-30} # seconds that a lock outlives its process
memory=book-shop-deploys memory_lines=500              # a ConfigMap holds 1 MiB

kubectl() { command kubectl --context "$CLUSTER_CONTEXT" --namespace book-shop "$@"; }

# url <environment>: where visitors reach it, CLUSTER_URL or what the cluster gave its Ingress; nothing before it has.
url() {
  local address=${CLUSTER_URL:-}
  [ -n "$address" ] || address=$(kubectl get ingress book-shop --ignore-not-found -o 'jsonpath={.status.loadBalancer.ingress[0].hostname}{.status.loadBalancer.ingress[0].ip}')
  [[ -z $address || $address == http*://* ]] || address=http://$address
  echo "$address"
}

# holder: who the lock says holds it; nothing when nobody does.
holder() { kubectl get lease "$lease" -o 'jsonpath={.spec.holderIdentity}'; }

# change_lock <holder> <changes>: of that holder's lock only; another's is left alone.
change_lock() {
  local patch
  patch=$(jq -cn --arg holder "$1" --argjson changes "$2" '[{op: "test", path: "/spec/holderIdentity", value: $holder}] + $changes')
  kubectl patch lease "$lease" --type json -p "$patch" >/dev/null
}
now() { date -u +%FT%T.000000Z; }

# take_lock <environment> <what for>: as on a host, by a Lease. Who finds it unchanged for lease_limit by his own clock takes it from a dead owner;
# Kubernetes takes one change of each version only.
take_lock() {
  local words found version='' since deadline=$((SECONDS + ${LOCK_WAIT:-300}))
  if [ -z "${lock_keeper:-}" ]; then # a rollback hands its lock on to the deploy that it becomes
    words="$2, by ${ACTOR:-unknown}, process $$ on $HOSTNAME, since $(date -u +%FT%TZ)"
    while true; do
      found=$(kubectl get lease "$lease" -o json) || die "there is no lock to take. Run: make cluster-setup"
      [ "$version" = "$(jq -r .metadata.resourceVersion <<<"$found")" ] || { version=$(jq -r .metadata.resourceVersion <<<"$found") since=$SECONDS; }
      if [ -z "$(jq -r '.spec.holderIdentity // ""' <<<"$found")" ] || [ $((SECONDS - since)) -ge "$lease_limit" ]; then
        jq --arg words "$words" --arg now "$(now)" --argjson limit "$lease_limit" \
          '.spec = {holderIdentity: $words, acquireTime: $now, renewTime: $now, leaseDurationSeconds: ([$limit, 1] | max)}' <<<"$found" | kubectl replace -f - >/dev/null && break
      fi
      [ "$SECONDS" -lt "$deadline" ] || die "$1 is locked by: $(jq -r .spec.holderIdentity <<<"$found"). Try again when it has ended"
      sleep 2
    done
    keep_lock "$words" >/dev/null 2>&1 &
    export lock_keeper=$! lock_words=$words
  fi
  trap leave EXIT
  rm -f "$state/recalled" # another deploy has ended meanwhile
  recall
}

# keep_lock <holder>: renews it until the verb has ended, and ends a verb that has lost it.
keep_lock() {
  local found
  while sleep 5 && kill -0 "$$"; do
    change_lock "$1" "[{\"op\": \"replace\", \"path\": \"/spec/renewTime\", \"value\": \"$(now)\"}]" && continue
    if found=$(holder) && [ "$found" != "$1" ]; then kill "$$"; fi
  done
}

# leave: frees the lock, if it was taken.
leave() {
  [ -n "${lock_keeper:-}" ] || return 0
  kill "$lock_keeper"
  change_lock "$lock_words" '[{"op": "replace", "path": "/spec/holderIdentity", "value": ""}]' || say "the lock is free in $lease_limit s"
}

# lock_owner <environment>: who deploys there now; nothing when nobody does.
lock_owner() { holder; }

# recall: what is remembered lies in the cluster, a ConfigMap with a key for each file. Read once, and once more with each lock.
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
