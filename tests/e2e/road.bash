# shellcheck shell=bash
# Loaded by the end-to-end tests. scripts/test gives them a clone to commit in ($SHOP) and a local host of their own.
# A file finds the host as the file before it on that host left it. Each begins with start_demo and can be the first one.
load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
: "${SHOP:?run these by make test}" "${DELIVERY_DEMO:?}" "${DELIVERY_HTTP_PORT:?}" "${DELIVERY_DEV_PORT:?}" "${DELIVERY_REPOSITORY:?}" "${K6_API:?}"

export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@example.com GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@example.com
E2E=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# shop TARGET...: make, in the clone.
shop() { make --no-print-directory -C "$SHOP" "$@"; }
# For setup_file: the demo, if there is none yet.
start_demo() { docker container inspect "$DELIVERY_DEMO-host" >/dev/null 2>&1 || shop demo; }
on_host() { docker exec "$DELIVERY_DEMO-host" "$@"; }
kubectl() { on_host kubectl --namespace book-shop "$@"; }
port_of() { case $1 in dev) echo "$DELIVERY_DEV_PORT" ;; prod) echo "$DELIVERY_HTTP_PORT" ;; esac }
# django ENVIRONMENT PYTHON: runs it in the shop's own shell, in the live slot or in a pod.
django() {
  local shell=(python3 manage.py shell --verbosity 0)
  case $1 in
    dev) docker exec -i "$DELIVERY_DEMO-host" docker exec -i "$(on_host docker ps --quiet --filter 'name=^book-shop-[ab]$')" "${shell[@]}" ;;
    prod) docker exec -i "$DELIVERY_DEMO-host" kubectl --namespace book-shop exec -i deployment/book-shop -- "${shell[@]}" ;;
  esac <<<"$2"
}

revision_at() { curl -fsS "http://localhost:$1/version" | python3 -c 'import json, sys; print(json.load(sys.stdin)["revision"])'; }
head_of_shop() { git -C "$SHOP" rev-parse HEAD; }

# bump VERSION: sets it in the work tree.
bump() { sed -i "s/^version = .*/version = \"$1\"/" "$SHOP/book-shop/pyproject.toml"; }
commit() {
  git -C "$SHOP" add --all
  git -C "$SHOP" commit -q -m "$1"
}

# What runs on the host, by identity: container ids, pod names, when NGINX and the host itself started.
identities() {
  on_host docker ps --quiet --no-trunc
  kubectl get pods -o name
  on_host systemctl show --property MainPID nginx postgresql@* docker kubelet
  docker inspect --format '{{.State.StartedAt}}' "$DELIVERY_DEMO-host" "$DELIVERY_DEMO-registry"
}

# start_load: a steady load on both ports until end_load, which fails if one request failed.
start_load() {
  k6 run --quiet --no-usage-report --address "$K6_API" --env DURATION=900s "$E2E/load.js" >"$BATS_TEST_TMPDIR/k6" 2>&1 &
  K6=$!
  until curl -fs "$K6_API/v1/status" | grep -q '"running":true'; do kill -0 "$K6" || fail "$(cat "$BATS_TEST_TMPDIR/k6")"; done
}
stop_load() { [ -z "${K6:-}" ] || kill "$K6"; }
end_load() {
  curl -fsS -X PATCH "$K6_API/v1/status" -d '{"data":{"type":"status","id":"default","attributes":{"stopped":true}}}' >/dev/null
  local status=0 load=$K6
  K6=
  wait "$load" || status=$?
  # 103: stopped as asked. k6 then judges its thresholds as always, but says so in its summary only.
  if [ "$status" -ne 103 ] || ! grep -q "✓ 'rate==0'" "$BATS_TEST_TMPDIR/k6" || grep -q '✗' "$BATS_TEST_TMPDIR/k6"; then
    fail "k6 ended with status $status: $(cat "$BATS_TEST_TMPDIR/k6")"
  fi
  grep -E 'http_reqs\.|http_req_failed\.' "$BATS_TEST_TMPDIR/k6" | sed 's/^/# /' >&3
}
