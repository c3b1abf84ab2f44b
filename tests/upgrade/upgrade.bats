#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# A host that an older commit ($UPGRADE_FROM) has installed gets the files of this one, under load.
load ../e2e/road.bash
load ../lib/buyers.bash

ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
OLD=${SHOP%/shop}/old

# old TARGET...: make, in the older checkout. The settings are arguments: their names in the environment have changed.
old() {
  make --no-print-directory -C "$OLD" HOST=local DEMO="$DELIVERY_DEMO" HTTP_PORT="$DELIVERY_HTTP_PORT" \
    DEV_PORT="$DELIVERY_DEV_PORT" REGISTRY_PORT="$DELIVERY_REGISTRY_PORT" "$@"
}
# state: what an upgrade must keep, as text.
state() {
  on_host sh -c 'sha256sum /etc/book-shop/*.env; cd /var/lib/book-shop; cat deploys.jsonl */current */previous'
  revision_at "$DELIVERY_DEV_PORT"
  revision_at "$DELIVERY_HTTP_PORT"
}

setup_file() {
  git clone -q "$SHOP" "$OLD"
  git -C "$OLD" checkout -q "$UPGRADE_FROM"
  old demo
  echo '/* another */' >>"$OLD/book-shop/book_shop/static/book_shop/style.css"
  sed -i 's/^version = .*/version = "8.0.0"/' "$OLD/book-shop/pyproject.toml"
  git -C "$OLD" commit -qam "another version, so that there is a previous one"
  old image push deploy-dev promote deploy-prod
}
teardown() {
  local job
  for job in $(jobs -p); do kill "$job"; done
}

@test "an upgrade under load fails no request, loses no order, and keeps settings, history and live images" {
  BOOKS="{\"dev\": $(make_book dev), \"prod\": $(make_book prod)}"
  before=$(state)
  # NGINX has to load other files. Its reload closes idle connections, at times when the next form is on its way.
  start_run kept 16566 on --env RESEND=on
  start_run new 16567 off
  "$SHOP/scripts/demo/up" >"$BATS_TEST_TMPDIR/up" 2>&1 || fail "$(cat "$BATS_TEST_TMPDIR/up")"
  stop_run kept 16566
  stop_run new 16567
  assert_equal "$(state)" "$before"

  sed -n 's/.*msg="order \(.*\)"$/\1/p' "$BATS_TEST_TMPDIR"/{kept,new}.placed | sort >"$BATS_TEST_TMPDIR/confirmed"
  for environment in dev prod; do orders "$environment"; done | sort >"$BATS_TEST_TMPDIR/stored"
  [ -s "$BATS_TEST_TMPDIR/confirmed" ]
  assert_equal "$(comm -23 "$BATS_TEST_TMPDIR/confirmed" <(sort -u "$BATS_TEST_TMPDIR/stored"))" ""
  assert_equal "$(uniq -d "$BATS_TEST_TMPDIR/stored")" ""
  assert_equal "$(copies dev) $(copies prod)" "$STOCK $STOCK"
  jq -r '.metrics | "# \(.http_reqs.count) requests, \(.http_req_failed.passes) failed"' "$BATS_TEST_TMPDIR"/{kept,new}.json >&3
  echo "# $(wc -l <"$BATS_TEST_TMPDIR/confirmed") orders" >&3
}

@test "the older checkout is told to update" {
  run old deploy-dev
  assert_failure
  assert_output --partial "Update it: git pull"
}

@test "this checkout deploys to the upgraded host, and rolls back to an image of the older one" {
  bump 9.0.0
  commit "a version of this checkout"
  shop image push deploy-dev promote deploy-prod
  assert_equal "$(revision_at "$DELIVERY_HTTP_PORT")" "$(head_of_shop)"
  shop rollback-dev rollback-prod
  for port in "$DELIVERY_DEV_PORT" "$DELIVERY_HTTP_PORT"; do
    assert_equal "$(revision_at "$port")" "$(git -C "$OLD" rev-parse HEAD)"
  done
}
