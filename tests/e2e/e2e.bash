# shellcheck shell=bash
# Loaded by the end-to-end tests. scripts/test gives them a clone to commit in ($SHOP) and a local
# host of their own. A file finds the host as the previous file on that host left it. Each file
# begins with start_demo and can be the first one.
load /usr/lib/bats/bats-support/load
load /usr/lib/bats/bats-assert/load
: "${SHOP:?run these by make test}" "${DELIVERY_DEMO:?}" "${DELIVERY_HTTP_PORT:?}"
: "${DELIVERY_DEV_PORT:?}" "${DELIVERY_REPOSITORY:?}" "${K6_API:?}"

export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@example.com GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@example.com
E2E=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # the tests use it
WEB=app.kubernetes.io/component=web # the label of the shop's pods

# shop TARGET...: make, in the clone.
shop() { make --no-print-directory -C "$SHOP" "$@"; }
# For setup_file: the demo, if there is none yet.
start_demo() { docker container inspect "$DELIVERY_DEMO-host" >/dev/null 2>&1 || shop demo; }
on_host() { docker exec "$DELIVERY_DEMO-host" "$@"; }
# The same with standard input.
into_host() { docker exec -i "$DELIVERY_DEMO-host" "$@"; }
kubectl() { on_host kubectl --namespace book-shop "$@"; }
# psql DATABASE ARGUMENT...: prints unaligned rows without a head.
psql() { on_host runuser -u postgres -- psql -At "${@:2}" "$1"; }
# install_host [HOSTNAMES]: runs the install script again.
install_host() { "$SHOP/scripts/local/user-data" "$@" | into_host python3 -; }
port_of() { case $1 in dev) echo "$DELIVERY_DEV_PORT" ;; prod) echo "$DELIVERY_HTTP_PORT" ;; esac }
# get ENVIRONMENT PATH; await_ready ENVIRONMENT SECONDS
get() { curl -fsS "http://localhost:$(port_of "$1")$2"; }
await_ready() {
  curl -fsS -o /dev/null --retry "$2" --retry-delay 1 --retry-all-errors "http://localhost:$(port_of "$1")/readyz"
}
# live_slot: prints the id of dev's container.
live_slot() { on_host docker ps --quiet --filter 'name=^book-shop-[ab]$'; }
# live_setting ENVIRONMENT NAME: the value in the live slot or in a pod; stored_setting: the stored one.
live_setting() {
  case $1 in
    dev) on_host docker exec "$(live_slot)" printenv "$2" ;;
    prod) kubectl exec deployment/book-shop -- printenv "$2" ;;
  esac
}
stored_setting() { on_host sed -n "s/^$2=//p" "/etc/book-shop/$1.env"; }
# django ENVIRONMENT PYTHON: runs it in the shop's own shell, in the live slot or in a pod. It is an
# argument, because the shell is interactive if its input arrives late.
django() {
  local shell=(python3 manage.py shell --verbosity 0 -c "$2")
  case $1 in
    dev) on_host docker exec "$(live_slot)" "${shell[@]}" ;;
    prod) on_host kubectl --namespace book-shop exec deployment/book-shop -- "${shell[@]}" ;;
  esac
}

revision_of() { get "$1" /version | python3 -c 'import json, sys; print(json.load(sys.stdin)["revision"])'; }
# assert_revision COMMIT ENVIRONMENT...: each of them serves it.
assert_revision() {
  local environment
  for environment in "${@:2}"; do
    assert_equal "$environment serves $(revision_of "$environment")" "$environment serves $1"
  done
}
head_of_shop() { git -C "$SHOP" rev-parse "HEAD${1:-}"; }
# digest_of TAG: in the registry; None if there is no such tag.
digest_of() { PYTHONPATH=$SHOP/scripts python3 -c 'import sys; from delivery import registry; print(registry.Registry(sys.argv[1]).digest(sys.argv[2]))' "$DELIVERY_REPOSITORY" "$1"; }

# bump VERSION: sets it in the work tree.
bump() { sed -i "s/^version = .*/version = \"$1\"/" "$SHOP/book-shop/pyproject.toml"; }
commit() {
  git -C "$SHOP" add --all
  git -C "$SHOP" commit -q -m "$1"
}
# migration NAME OPERATION [DEFINITIONS]: adds a migration after the last one, in the work tree.
migration() {
  local migrations=("$SHOP"/book-shop/books/migrations/0*.py)
  cat >"$SHOP/book-shop/books/migrations/$1.py" <<PYTHON
from django.db import migrations, models
${3:-}

class Migration(migrations.Migration):
    dependencies = [("books", "$(basename "${migrations[-1]}" .py)")]
    operations = [$2]
PYTHON
}

# The identities of what runs on the host: containers, pods, main processes and start times.
identities() {
  on_host docker ps --quiet --no-trunc
  kubectl get pods -o name
  on_host systemctl show --property MainPID nginx postgresql@* docker kubelet
  docker inspect --format '{{.State.StartedAt}}' "$DELIVERY_DEMO-host" "$DELIVERY_DEMO-registry"
}

# start_k6 NAME API ARGUMENT...: starts k6, whose process is $! then, and returns when it runs.
# Its output is in $BATS_TEST_TMPDIR/NAME. It trusts the authority of the demo's TLS proxy, if there is one.
start_k6() {
  SSL_CERT_FILE=${DELIVERY_CA_FILE:-} k6 run --quiet --no-usage-report --address "$2" "${@:3}" >"$BATS_TEST_TMPDIR/$1" 2>&1 3>&- &
  until curl -fs "$2/v1/status" | grep -q '"running":true'; do kill -0 $! || fail "$(cat "$BATS_TEST_TMPDIR/$1")"; done
}
# stop_k6 API PROCESS: returns k6's status. 103 is that of a stop by its API, whatever its
# thresholds: whether they hold is in its summary only.
stop_k6() {
  curl -fsS -X PATCH "$1/v1/status" -d '{"data":{"type":"status","id":"default","attributes":{"stopped":true}}}' >/dev/null || return
  wait "$2"
}
# start_load: a steady load on both environments until end_load, which fails if one request failed.
start_load() {
  start_k6 k6 "$K6_API" --env DURATION=900s "$E2E/load.js"
  K6=$!
}
stop_load() { [ -z "${K6:-}" ] || kill "$K6"; }
end_load() {
  local status=0 load=$K6
  K6=
  stop_k6 "$K6_API" "$load" || status=$?
  if [ "$status" -ne 103 ] || ! grep -q "✓ 'rate==0'" "$BATS_TEST_TMPDIR/k6" || grep -q '✗' "$BATS_TEST_TMPDIR/k6"; then
    fail "k6 ended with status $status: $(cat "$BATS_TEST_TMPDIR/k6")"
  fi
  grep -E 'http_reqs\.|http_req_failed\.' "$BATS_TEST_TMPDIR/k6" | sed 's/^/# /' >&3
}
