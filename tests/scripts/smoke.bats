#!/usr/bin/env bats
load ../lib/shop.bash
setup_file() { start_registry; }
teardown_file() { stop_registry; }
setup() {
  start_shop
  real smoke
  host_runs
  export DELIVERY_SMOKE_LIMIT=0
  SITE=$TEST_DIR/site
  mkdir -p "$SITE/static"
  echo ready >"$SITE/readyz"
  echo '<link rel="stylesheet" href="/static/style.1a2b.css">' | tee "$SITE/index.html" >"$SITE/book-list"
  touch "$SITE/static/style.1a2b.css"
  "$PYTHON" -u -m http.server 0 --bind 127.0.0.1 --directory "$SITE" >"$TEST_DIR/site.port" 2>"$TEST_DIR/site.log" 3>&- &
  SERVER=$!
  until DELIVERY_DEV_PORT=$(grep -oE 'port [0-9]+' "$TEST_DIR/site.port"); do kill -0 "$SERVER" && sleep 0.05; done
  DELIVERY_DEV_PORT=${DELIVERY_DEV_PORT#port }
  DELIVERY_HTTP_PORT=$DELIVERY_DEV_PORT
  # shellcheck disable=SC2046 # a list of words
  in_registry "$(snapshot_of)" $(labels_of) >/dev/null
  says 1.0.0 "$(head_of)"
}
teardown() {
  kill "$SERVER"
  stop_shop
}

says() { printf '{"version": "%s", "revision": "%s"}' "$1" "$2" >"$SITE/version"; } # VERSION REVISION
got() { grep -oE '"GET [^ ]+' "$TEST_DIR/site.log" | cut -c6-; }

@test "smoke dev: build, pages and style sheets are asked for at the public address, which is printed" {
  DELIVERY_HTTP_PORT=1 verb smoke dev
  assert_success
  assert_output "http://localhost:$DELIVERY_DEV_PORT"
  assert_errors_whole ""
  assert_equal "$(got)" "/version
/readyz
/
/static/style.1a2b.css
/book-list
/static/style.1a2b.css"
}

@test "smoke prod: the release is expected, which may have been built from another commit" {
  # shellcheck disable=SC2046 # a list of words
  in_registry 1.0.0 $(labels_of) >/dev/null
  change docs/notes.md "a merge, say"
  DELIVERY_DEV_PORT=1 verb smoke prod
  assert_success
  assert_output "http://localhost:$DELIVERY_HTTP_PORT"
}

@test "smoke: another build is a failure that says both" {
  for build in "1.0.0 $(printf '0%.0s' {1..40})" "0.9.0 $(head_of)"; do
    # shellcheck disable=SC2086 # a list of words
    says $build
    verb smoke dev
    assert_failed 1 "serves another build" "${build#* }" "$(head_of)"
  done
  echo "<html>a login page" >"$SITE/version"
  verb smoke dev
  assert_failed 1 "serves another build" "a login page"
}

@test "smoke: a page or a style sheet that is missing is a failure that names it" {
  for page in version readyz book-list static/style.1a2b.css; do
    mv "$SITE/$page" "$TEST_DIR/away"
    verb smoke dev
    assert_failed 1 "http://localhost:$DELIVERY_DEV_PORT/$page does not answer as it should"
    mv "$TEST_DIR/away" "$SITE/$page"
  done
}

@test "smoke: what becomes well within the limit is well" {
  says 0.9.0 old
  (sleep 1.5 && says 1.0.0 "$(head_of)") 3>&- &
  DELIVERY_SMOKE_LIMIT=20 verb smoke dev
  assert_success
}

@test "smoke: nothing listens, no image, no host" {
  DELIVERY_DEV_PORT=1 verb smoke dev
  assert_failed 1 "http://localhost:1/version does not answer as it should" "refused" "make status"
  change book-shop/x new
  verb smoke dev
  assert_failed 1 "$DELIVERY_REPOSITORY has no tag $(snapshot_of)" "remedy: make image push deploy-dev"
  verb smoke prod
  assert_failed 1 "$DELIVERY_REPOSITORY has no tag 1.0.0" "remedy: make promote deploy-prod"
  host_runs false
  git reset -q --hard HEAD~1
  verb smoke dev
  assert_failed 1 "there is no local host to reach"
}

@test "smoke: -h and wrong calls" {
  assert_wrong_calls smoke
  verb smoke
  assert_failed 2 "the following arguments are required: environment"
  verb smoke all
  assert_failed 2 "invalid environment 'all'"
}
