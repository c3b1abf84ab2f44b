# shellcheck shell=bash disable=SC2154 # root is from lib/paths.sh
# Sourced by the parts of bootstrap that use Kubernetes, with root's account.
export KUBECONFIG=$root/root/.kube/config

# kubectl COMMAND...: waits for each answer of the API for at most 30 s.
kubectl() { command kubectl --request-timeout=30s "$@"; }

# wait_for SECONDS ERROR REMEDY COMMAND...: runs the command until it succeeds.
wait_for() {
  local deadline=$((SECONDS + $1))
  until "${@:4}" >/dev/null 2>&1; do # errors are expected until it is ready
    [ "$SECONDS" -lt "$deadline" ] || fail "$2 after $1 s. $3"
    sleep 1
  done
}
