# shellcheck shell=bash disable=SC2034 # some variables are for those who source this
# Sourced by the host's verbs: what an image may be, the lock, what serves.
# shellcheck source=../lib/places.sh
. "$(dirname "${BASH_SOURCE[0]}")/places.sh"

# shellcheck source=/dev/null
. "$conf/host.env" # REPOSITORY, ALLOWED_HOSTS
# shellcheck source=../lib/history.sh
. "$home/lib/history.sh"
export KUBECONFIG=$conf/deployer.kubeconfig
space_wanted=2048                     # MB: above the 5 % of a 30 GB disk at which Kubernetes begins to evict pods
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
  printf '%s, by %s, process %s, since %s\n' "$2" "${ACTOR:-unknown}" "$$" "$(date -u +%FT%TZ)" >"$file"
}

# pull <image>: makes sure that it is here and can run here; $revision is its commit. A digest is checked by Docker itself; one that is
# here already asks nothing of the registry, and wants no space.
pull() {
  local free platform own
  if ! docker image inspect "$1" >/dev/null 2>&1; then
    free=$(df --output=avail --block-size=M "$state" | sed '1d; s/[^0-9]//g')
    [ "$free" -ge "$space_wanted" ] || die "$free MB are free on the disk, a deploy wants $space_wanted: nothing was touched. See: docker system df; journalctl --disk-usage"
    say "pull $1"
    docker pull -q "$1" >/dev/null || die "can't pull $1: is it in the registry, and can this host reach it?"
  fi
  own=$(docker version -f '{{.Server.Os}}/{{.Server.Arch}}')
  read -r platform revision < <(docker image inspect -f '{{.Os}}/{{.Architecture}} {{index .Config.Labels "org.opencontainers.image.revision"}}' "$1") || die "can't look into $1"
  [ "$platform" = "$own" ] || die "$1 is built for $platform, this host is $own: build it on such a machine (make image push)"
  [[ $revision =~ ^[0-9a-f]{40}$ ]] || die "$1 does not say of which commit it is: build it by 'make image'"
}

# What every container of the shop has on this host.
hardened=(--read-only --tmpfs /tmp:size=64m --cap-drop ALL --security-opt no-new-privileges --memory 384m --pids-limit 200
  --log-opt max-size=10m --log-opt max-file=3 --add-host "db.internal:$db_address")

# tidy: removes the images that no environment serves, would roll back to or is being given.
tidy() {
  local kept image
  kept=$(
    for environment in dev prod; do
      remembered "$environment" current
      remembered "$environment" previous
      grep -os "$REPOSITORY@sha256:[0-9a-f]*" "$root/run/lock/book-shop-$environment"
    done
  ) || true # the last grep may find nothing
  for image in $(docker image ls --digests --format '{{.Repository}}@{{.Digest}}' "$REPOSITORY" | grep -vxF "$kept"); do
    docker image rm "$image" >/dev/null || say "left: $image"
  done
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
