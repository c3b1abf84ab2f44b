# shellcheck shell=bash
# Sourced by the host's verbs: what an image may look like, the lock and the deploy log.
# shellcheck source=../lib/places.sh
. "$(dirname "${BASH_SOURCE[0]}")/places.sh"

# shellcheck source=/dev/null
. "$conf/host.env" # REPOSITORY, ALLOWED_HOSTS
export KUBECONFIG=$conf/deployer.kubeconfig
slot_b_flag=$state/dev/slot-b-is-live # nginx/book-shop.conf looks at it on each request

# What a container of the shop is run with, besides its environment.
# shellcheck disable=SC2034
hardened=(--read-only --tmpfs /tmp:size=64m --cap-drop ALL --security-opt no-new-privileges --memory 384m --pids-limit 200
  --add-host "db.internal:$db_address")

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

# check_image <image>: refuses all but this host's repository at a digest.
check_image() {
  local LC_ALL=C
  [[ $1 =~ ^[a-z0-9][a-z0-9.:/_-]*@sha256:[0-9a-f]{64}$ ]] || die "not an image at a digest: '${1:0:200}'. Wanted: $REPOSITORY@sha256:<64 hex digits>" 2
  [ "${1%@*}" = "$REPOSITORY" ] || die "this host runs images of $REPOSITORY only, not of ${1%@*}" 2
}

# take_lock <environment> <what for>: one deploy per environment at a time. The second one waits, then names the first.
# The kernel frees the lock of a process that died, once what it had started has ended too.
take_lock() {
  local file=$root/run/lock/book-shop-$1
  [ /dev/fd/9 -ef "$file" ] || exec 9<>"$file" # a rollback hands its lock on to the deploy that it becomes
  flock -w "${LOCK_WAIT:-300}" 9 || die "$1 is locked by: $(cat <&9). Try again when it has ended"
  printf '%s, process %s, since %s\n' "$2" "$$" "$(date -u +%FT%TZ)" >"$file"
}

# pull <image>: a digest is checked by Docker itself; one that is here already asks nothing of the registry.
pull() {
  docker image inspect "$1" >/dev/null 2>&1 && return
  say "pull $1"
  docker pull -q "$1" >/dev/null || die "can't pull $1: is it in the registry, and can this host reach it?"
}

# remove <name>: that container of ours, if there is one.
remove() { docker ps -aq --filter "name=^book-shop-$1$" | xargs -r docker rm -f >/dev/null; }

# label <image> <name>: what scripts/image wrote into it.
label() { docker image inspect -f "{{index .Config.Labels \"$2\"}}" "$1"; }

# answers <environment> <revision>: NGINX answers there with that revision.
answers() {
  local answer
  answer=$(curl -fsS -m 5 "http://localhost:$(port "$1")/version") && [ "$(jq -r .revision <<<"$answer")" = "$2" ]
} 2>/dev/null # "not yet" is an answer

# remembered <environment> <current|previous>: an image, or nothing.
remembered() { if [ -f "$state/$1/$2" ]; then cat "$state/$1/$2"; fi; }

# remember <environment> <image>: it serves now; what served before is what a rollback brings back.
remember() {
  local current
  current=$(remembered "$1" current)
  [ "$current" != "$2" ] || return 0
  [ -z "$current" ] || write "$state/$1/previous" <<<"$current"
  write "$state/$1/current" <<<"$2"
}

# write <file>: standard input becomes the file whole or not at all.
write() { cat >"$1.new" && mv "$1.new" "$1"; }

# log_deploy <environment> <image> <result>: one line in the deploy log.
log_deploy() {
  jq -cn --arg time "$(date -u +%FT%TZ)" --arg actor "${ACTOR:-unknown}" --arg environment "$1" --arg verb "${VERB:-deploy}" --arg image "$2" \
    --arg result "$3" --argjson seconds "$SECONDS" '$ARGS.named' >>"$state/deploys.jsonl"
}

# give_up <environment> <image> <why>: a deploy's last words; the old image serves on.
give_up() {
  log_deploy "$1" "$2" failed
  die "$3. Still serving: $(serving "$1" | grep . || echo nothing)"
}
