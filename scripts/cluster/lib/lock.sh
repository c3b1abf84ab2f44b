# shellcheck shell=bash
# Sourced by lib/own.sh: the lock of a cluster's deploys, a Lease.
lease=book-shop-deploys lease_limit=${LEASE_LIMIT:-30} # seconds that a lock outlives its process

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
  local words found looked version='' since deadline=$((SECONDS + ${LOCK_WAIT:-300}))
  if [ -z "${lock_keeper:-}" ]; then # a rollback hands its lock on to the deploy that it becomes
    words="$2, by ${ACTOR:-unknown}, process $$ on $HOSTNAME, since $(date -u +%FT%TZ)"
    while true; do
      looked=$SECONDS
      found=$(kubectl get lease "$lease" -o json) || die "there is no lock to take. Run: make cluster-setup"
      [ "$version" = "$(jq -r .metadata.resourceVersion <<<"$found")" ] || { version=$(jq -r .metadata.resourceVersion <<<"$found") since=$looked; }
      if [ -z "$(jq -r '.spec.holderIdentity // ""' <<<"$found")" ] || [ $((looked - since)) -ge "$lease_limit" ]; then
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
  recall # not before: another deploy may have ended meanwhile
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
