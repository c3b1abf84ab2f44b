# shellcheck shell=bash disable=SC2034 # some variables are for those who source this
# Sourced by the host's verbs: the lock, what serves, how a deploy fails.
# shellcheck source=../lib/places.sh
. "$(dirname "${BASH_SOURCE[0]}")/places.sh"

# shellcheck source=/dev/null
. "$conf/host.env" # REPOSITORY, ALLOWED_HOSTS
# shellcheck source=../lib/history.sh
. "$home/lib/history.sh"
# shellcheck source=../lib/images.sh
. "$home/lib/images.sh"
export KUBECONFIG=$conf/deployer.kubeconfig
slot_b_flag=$state/dev/slot-b-is-live # nginx/book-shop.conf looks at it on each request

kubectl() { command kubectl --namespace book-shop "$@"; }

# live_slot: the dev slot that NGINX sends to.
live_slot() { if [ -e "$slot_b_flag" ]; then echo b; else echo a; fi; }

# serving <environment>: the image that runs there; nothing when none does.
serving() {
  case $1 in
    dev) docker ps --no-trunc --filter "name=^book-shop-$(live_slot)$" --format '{{.Image}}' ;;
    prod) kubectl get deployment book-shop --ignore-not-found -o 'jsonpath={.spec.template.spec.containers[0].image}' ;;
  esac
}

# port <environment>: where NGINX serves it.
port() { case $1 in dev) echo 8080 ;; prod) echo 80 ;; esac }

# take_lock <environment> <what for>: one deploy per environment at a time. The second one waits, then names the first.
# The kernel frees the lock of a process that died, once what it had started has ended too.
take_lock() {
  local file=$root/run/lock/book-shop-$1
  [ /dev/fd/9 -ef "$file" ] || exec 9<>"$file" # a rollback hands its lock on to the deploy that it becomes
  flock -w "${LOCK_WAIT:-300}" 9 || die "$1 is locked by: $(cat <&9). Try again when it has ended"
  printf '%s, by %s, process %s, since %s\n' "$2" "${ACTOR:-unknown}" "$$" "$(date -u +%FT%TZ)" >"$file"
}

# lock_owner <environment>: who deploys there now; nothing when nobody does.
lock_owner() {
  local file=$root/run/lock/book-shop-$1
  [ ! -f "$file" ] || flock -n "$file" true || cat "$file"
}

# remove <name>: that container of ours, if there is one.
remove() { docker ps -aq --filter "name=^book-shop-$1$" | xargs -r docker rm -f >/dev/null; }

# answers <environment> <revision>: NGINX answers there with that revision.
answers() {
  local answer
  answer=$(curl -fsS -m 5 "http://localhost:$(port "$1")/version") && [ "$(jq -r .revision <<<"$answer")" = "$2" ]
} 2>/dev/null # "not yet" is an answer

# give_up <environment> <image> <why>: a deploy's last words; the old image serves on.
give_up() {
  local still
  log_deploy "$1" "$2" failed
  still=$(serving "$1") || still="what did, which does not say"
  die "$3. Still serving: ${still:-nothing}"
}
