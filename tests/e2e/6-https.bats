#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# prod behind the TLS proxy of the demo. tests/faults/13-https.bats has more.
load e2e.bash
load ../lib/https.bash

setup_file() {
  start_demo
  start_https
}
teardown_file() { end_https; }
setup() { https_variables; }

@test "a browser over HTTPS registers, reviews, buys and administers: Secure cookies, no mixed content" {
  run browser "$URL" reader-https
  assert_success
  assert_line "cookies __Host-csrftoken __Host-language __Host-sessionid"
  assert_line "no mark"
}

@test "direct visitors of port 80 are redirected to HTTPS, health checks are not" {
  assert_equal "$(curl -sS -o /dev/null -w '%{redirect_url}' "$PROD/book-list?q=a")" "$URL/book-list?q=a"
  for path in /healthz /readyz /version; do get prod "$path" >"$BATS_TEST_TMPDIR/body"; done
  run shop smoke-prod
  assert_success
}

@test "a visitor with forged headers has one limit, directly and through the proxy; fifteen visitors can sign in" {
  for way in "$PROD $(address host):80 151" "$URL $(address https):443 152"; do
    read -r url machine number <<<"$way"
    run sign_ins "$url" "$machine" "$number" "$number" 15
    assert_success
    [ "$(grep -c '^429$' <<<"$output")" -ge 3 ]
  done
  run sign_ins "$URL" "$(address https):443" 161 175 15
  assert_success
  assert_equal "$(sort <<<"$output" | uniq -c | xargs)" "15 302"
}
