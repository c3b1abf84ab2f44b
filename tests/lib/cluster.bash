# shellcheck shell=bash
# Loaded by the tests of the verbs that deal with a cluster: the world of host.bash, but the verbs are those of scripts/cluster as they lie there, and
# what is remembered is in the cluster ($WORLD/memory.json), from where each run of a verb leaves a copy in $STATE, as on a host.
# shellcheck source=../lib/host.bash
load ../lib/host.bash

# For setup.
start_cluster() {
  start_host
  unset CLUSTER_URL lock_keeper lock_words
  # shellcheck disable=SC2034 # for host.bash
  VERBS=$ROOT/scripts/cluster/bin STATE=$TEST_DIR/remembered
  mkdir -p "$STATE/prod" "$HOST_ROOT/etc/book-shop"
  mv "$TEST_DIR/bin/kubectl" "$TEST_DIR/bin/host-kubectl"
  fake kubectl <"$ROOT/tests/lib/cluster-kubectl.fake"
  # What the lock's keeper waits is waited; it ends with its verb.
  rm "$TEST_DIR/bin/sleep"
  # shellcheck disable=SC2016 # the fake itself expands it
  printf '#!/bin/bash\n[ "$1" = 5 ] || exec "${0%%/*}/sleep-not" "$@"\nexec /bin/sleep 5\n' | fake sleep
  sed 's,name=${0##\*/},name=sleep,' "$ROOT/tests/lib/host-world.fake" | fake sleep-not
  export CLUSTER_CONTEXT=the-cluster LEASE_LIMIT=30 CLUSTER_STATE
  touch "$WORLD/cluster"
  echo cluster.example.org >"$WORLD/address"
  echo '{"kind": "Lease", "metadata": {"name": "book-shop-deploys", "resourceVersion": "1"}}' >"$WORLD/lease.json"
  echo '{"kind": "ConfigMap", "metadata": {"name": "book-shop-deploys", "resourceVersion": "1"}}' >"$WORLD/memory.json"
}

# As scripts/lib/host.py runs it. What a verb leaves running is not the test's to wait for.
eval "host_$(declare -f verb)"
verb() {
  CLUSTER_STATE=$(mktemp -d)
  host_verb "$@" 3>&-
  rm -rf "$CLUSTER_STATE"
  local file text
  rm -f "$STATE"/prod/{current,previous,manifests.yaml}
  : >"$STATE/deploys.jsonl"
  while IFS= read -r -d $'\1' file && IFS= read -r -d $'\1' text; do
    [ "$file" = deploys.jsonl ] || file=prod/$file
    printf %s "$text" >"$STATE/$file"
  done < <(jq -j '.data // {} | to_entries[] | .key, "\u0001", .value, "\u0001"' "$WORLD/memory.json")
}
eval "host_$(declare -f killed_at)"
killed_at() {
  CLUSTER_STATE=$(mktemp -d)
  host_killed_at "$@" 3>&-
  local status=$?
  rm -rf "$CLUSTER_STATE"
  return "$status"
}

# held_by WORDS: somebody else has the lock.
held_by() { jq --arg words "$1" '.spec.holderIdentity = $words' "$WORLD/lease.json" >"$WORLD/new" && mv "$WORLD/new" "$WORLD/lease.json"; }
holder() { jq -r '.spec.holderIdentity // ""' "$WORLD/lease.json"; }
