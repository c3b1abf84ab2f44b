# shellcheck shell=bash disable=SC2034 # some variables are for those who source this
# Sourced by lib/deploy.sh: what a host has of its own. scripts/cluster/lib/own.sh is a cluster's; all that deploys besides is the same for both.
# shellcheck source=../lib/places.sh
. "$(dirname "${BASH_SOURCE[0]}")/places.sh"
# shellcheck source=/dev/null
. "$conf/host.env" # REPOSITORY, ALLOWED_HOSTS
export KUBECONFIG=$conf/deployer.kubeconfig
environments=(dev prod) overlay=single-node
rollout_limit=150 answer_limit=15 drain_limit=60 # seconds, of prod
kubernetes_remedy="systemctl status k3s"
slot_b_flag=$state/dev/slot-b-is-live # nginx/book-shop.conf looks at it on each request

kubectl() { command kubectl --namespace book-shop "$@"; }

# live_slot: the dev slot that NGINX sends to.
live_slot() { if [ -e "$slot_b_flag" ]; then echo b; else echo a; fi; }

# url <environment>: where NGINX serves it.
url() { case $1 in dev) echo http://localhost:8080 ;; prod) echo http://localhost:80 ;; esac }

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

# What is remembered lies here for good, and no lock outlives its process.
recall() { :; }
keep_remembered() { :; }
leave() { :; }

# place: what status says of it, as JSON.
place() { jq -n --arg host_files "$(cat "$home/version")" '$ARGS.named'; }

# platform: what images have to be built for.
platform() { docker version -f '{{.Server.Os}}/{{.Server.Arch}}'; }

# What every container of the shop has on this host.
hardened=(--read-only --tmpfs /tmp:size=64m --cap-drop ALL --security-opt no-new-privileges --memory 384m --pids-limit 200
  --log-opt max-size=10m --log-opt max-file=3 --add-host "db.internal:$db_address")

# planned_migrations <environment> <image>
planned_migrations() { docker run --rm "${hardened[@]}" --env-file "$conf/$1.env" "$2" python3 manage.py migrate --plan; }

# tidy: removes the images that no environment serves, would roll back to or is being given.
tidy() {
  local kept image
  kept=$(
    for environment in dev prod; do
      remembered "$environment" current
      remembered "$environment" previous
      grep -os "$REPOSITORY@sha256:[0-9a-f]*" "$root/run/lock/book-shop-$environment"
    done
  ) || true # grep finds nothing where nobody deploys, and that is what the list then says
  for image in $(docker image ls --digests --format '{{.Repository}}@{{.Digest}}' "$REPOSITORY" | grep -vxF "$kept"); do
    docker image rm "$image" >/dev/null || say "left: $image"
  done
}

# tidy_kubernetes: removes the images that prod neither serves nor would roll back to from the store of Kubernetes' containerd.
tidy_kubernetes() {
  local kept ctr=(ctr)
  [ ! -x "$root/usr/local/bin/k3s" ] || ctr=(k3s ctr)
  kept=$(remembered prod current && remembered prod previous)
  # An image has a second name there, by its id; both point to one digest.
  "${ctr[@]}" --namespace k8s.io images ls | awk -v repository="$REPOSITORY@" -v kept="$kept" '
    NR > 1 { digest[$1] = $3; if (index($1, repository) == 1 && !index(kept, $3)) gone[$3] = 1 }
    END { for (name in digest) if (digest[name] in gone) print name }' | xargs -r "${ctr[@]}" --namespace k8s.io images rm >/dev/null
}
