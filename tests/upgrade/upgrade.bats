#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# A host that an older commit ($UPGRADE_FROM) has installed gets the files of this one, under load.
load ../e2e/e2e.bash
load ../lib/buyers.bash

OLD=${SHOP%/shop}/old

# old TARGET...: make, in the older checkout. The settings are arguments, because their environment
# variables have new names.
old() {
  make --no-print-directory -C "$OLD" HOST=local DEMO="$DELIVERY_DEMO" HTTP_PORT="$DELIVERY_HTTP_PORT" \
    DEV_PORT="$DELIVERY_DEV_PORT" REGISTRY_PORT="$DELIVERY_REGISTRY_PORT" "$@"
}
# settings: prints those of both environments that an upgrade must keep. It may add others.
settings() { on_host cat /etc/book-shop/dev.env /etc/book-shop/prod.env | grep -E '^(SECRET_KEY|DATABASE_URL|ALLOWED_HOSTS)='; }
# state: prints the settings' hash, the history and the live images, which an upgrade must keep.
state() {
  settings | sha256sum
  on_host sh -c 'cd /var/lib/book-shop; cat deploys.jsonl */current */previous'
  revision_of dev
  revision_of prod
}

# register ENVIRONMENT: a reader, whose cookies are in a file. signed_in ENVIRONMENT: asserts that
# these cookies still sign the reader in.
register() {
  local page token jar=$BATS_FILE_TMPDIR/cookies-$1
  page=http://localhost:$(port_of "$1")/account/register/
  token=$(curl --fail --silent --cookie-jar "$jar" "$page" \
    | sed -n 's/.*csrfmiddlewaretoken" value="\([^"]*\)".*/\1/p' | head -n 1)
  curl --fail --silent --output /dev/null --cookie "$jar" --cookie-jar "$jar" \
    --data-urlencode "csrfmiddlewaretoken=$token" --data username=reader \
    --data "password1=a-long-password-1843&password2=a-long-password-1843" "$page"
  signed_in "$1"
}
signed_in() {
  run curl --silent --output /dev/null --write-out '%{http_code}' --cookie "$BATS_FILE_TMPDIR/cookies-$1" \
    "http://localhost:$(port_of "$1")/account/"
  assert_output 200
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
teardown() { stop_runs; }

@test "an upgrade under load fails no request, loses no order, and keeps settings, history and live images" {
  make_books
  register dev
  register prod
  before=$(state)
  assert_equal "$(settings | wc -l)" 6
  # NGINX has to load other files. Its reload closes idle connections, at times when the next form is
  # on its way.
  start_steady_run kept 16566 on --env RESEND=on
  start_steady_run new 16567 off
  "$SHOP/scripts/local/up" >"$BATS_TEST_TMPDIR/up" 2>&1 || fail "$(cat "$BATS_TEST_TMPDIR/up")"
  for run in "kept 16566" "new 16567"; do
    # shellcheck disable=SC2086 # two words
    until_requests $run 3500 # enough orders in any case
    # shellcheck disable=SC2086
    stop_run $run
  done
  assert_equal "$(state)" "$before"

  count_orders orders
  # shellcheck disable=SC2154 # count_orders sets them
  [ "$placed" -gt 0 ]
  # shellcheck disable=SC2154
  assert_equal "$lost lost, $doubled doubled" "0 lost, 0 doubled"
  assert_equal "$(copies)" "$STOCK $STOCK"
  jq -r '.metrics | "# \(.http_reqs.count) requests, \(.http_req_failed.passes) failed"' "$BATS_TEST_TMPDIR"/{kept,new}.json >&3
  echo "# $placed orders" >&3
}

@test "a deploy from the older checkout works, or prints how to update it" {
  run old deploy-dev
  [ "$status" = 0 ] || assert_output --partial "Update it: git pull"
  assert_revision "$(git -C "$OLD" rev-parse HEAD)" dev
}

@test "this checkout deploys to the upgraded host, and rolls back to an image of the older one" {
  git -C "$SHOP" fetch -q "$OLD" # the live commit, with which dev's next commit is compared
  bump 9.0.0
  commit "a version of this checkout"
  shop image push deploy-dev promote deploy-prod
  assert_revision "$(head_of_shop)" prod
  signed_in dev
  signed_in prod
  shop rollback-dev rollback-prod
  assert_revision "$(git -C "$OLD" rev-parse HEAD)" dev prod
}
