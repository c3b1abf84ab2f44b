# shellcheck shell=bash disable=SC2034 # some variables are for those who source this
# Sourced by the verbs that deal with prod: an image's manifests, its pods, its rollout.
# shellcheck source=../lib/deploy.sh
. "$(dirname "${BASH_SOURCE[0]}")/deploy.sh"
web='app.kubernetes.io/component=web' migration='app.kubernetes.io/component=migration'

# manifests <image>: those that it carries, with its own digest in them, as $work/manifests.yaml.
manifests() {
  work=$(mktemp -d)
  trap 'rm -rf "$work"; remove manifests; leave' EXIT
  remove manifests
  docker create --name book-shop-manifests "$1" >/dev/null
  docker cp "book-shop-manifests:/app/k8s" "$work/k8s" >/dev/null || die "$1 carries no manifests: build it by 'make image'"
  cat >"$work/kustomization.yaml" <<YAML
resources: [k8s/overlays/$overlay]
images: [{name: book-shop, newName: "$REPOSITORY", digest: "${1#*@}"}]
YAML
  kubectl kustomize "$work" >"$work/manifests.yaml" || die "the manifests in $1 do not build"
}

# reachable <seconds>: Kubernetes answers, by then at the latest. It may be restarting.
reachable() {
  local deadline=$((SECONDS + $1))
  until kubectl get deployments -o name >/dev/null; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 1
  done
}

# pods <label> <== or !=> <image>: the pods that run the image, or another one.
pods() { kubectl get pods -l "$1" -o "jsonpath={.items[?(@.spec.containers[0].image$2'$3')].metadata.name}"; }

# rolled_out <seconds>
rolled_out() {
  local deadline=$((SECONDS + $1))
  until kubectl rollout status deployment/book-shop --timeout="$1s" >&2; do
    # A rollout that failed, or only a connection?
    if [ "$SECONDS" -ge "$deadline" ] || kubectl get deployments -o name >/dev/null; then return 1; fi
    reachable 30
  done
}

# drained <image> <seconds>: the pods of before have ended the requests that they had, and NGINX its connections to them.
drained() {
  local deadline=$((SECONDS + $2))
  until [ -z "$(pods "$web" '!=' "$1")" ] || [ "$SECONDS" -ge "$deadline" ]; do sleep 0.3; done
}

# last_lines <label> <image>: of the pods that run it.
last_lines() {
  for pod in $(pods "$1" == "$2"); do
    say "$pod: $(kubectl get pod "$pod" -o 'jsonpath={.status.phase} {.status.containerStatuses[0].state}')"
    kubectl logs "$pod" --tail 20 >&2 || true # a container that never started has none
  done
}
