#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# prod behind the TLS proxy of the demo, dev and prod without it: browsers, forged headers, caches.
# tests/e2e/6-https.bats has the browser over HTTPS, and visitors who sign in at the same time.
load ../e2e/e2e.bash
load ../lib/https.bash
FAULTS=$BATS_TEST_DIRNAME

setup_file() {
  start_demo
  shop demo HTTPS=1
  for environment in dev prod; do django "$environment" "$MAKE_USERS"; done
}
teardown_file() {
  shop demo HTTPS=0
  for environment in dev prod; do django "$environment" "$DELETE_USERS"; done
}
setup() {
  https_variables
  DEV=http://localhost:$DELIVERY_DEV_PORT
}

status_of() { curl -sS -o /dev/null -w '%{http_code}' "$@"; }
header_of() { sed -n "s/\r$//; s/^$1: //Ip" "$BATS_TEST_TMPDIR/headers"; } # NAME: of curl -D
proxy_state() { docker inspect --format '{{.Id}} {{.State.StartedAt}}' "$DELIVERY_DEMO-https" && docker top "$DELIVERY_DEMO-https" -o pid,cmd | grep -v cache; }
refused_since() { on_host sh -c "tail -n +$(($1 + 1)) /var/log/nginx/refused.log"; } # LINES
lines_refused() { on_host sh -c 'cat /var/log/nginx/refused.log' | wc -l; }
secret() { on_host sed 's/,.*//' /etc/book-shop/proxy-secret; }

@test "make demo HTTPS=1 serves prod with a certificate of its own authority, and the verbs use it" {
  assert_equal "$(https -o /dev/null -w '%{http_code}' "$URL/book-list")" 200
  run curl -sS "$URL/"
  assert_failure 60 # the authority is unknown
  run shop status
  assert_success
  assert_line --regexp "^prod +$URL "
  refute_line --regexp '^prod.*: the connection is not encrypted'
  assert_line --partial "dev: the connection is not encrypted"
  run shop smoke-prod
  assert_success
  https -D "$BATS_TEST_TMPDIR/headers" -o /dev/null "$URL/"
  assert_regex "$(header_of Strict-Transport-Security)" '^max-age=31536000'
  [ "$(stat -c %a "$HTTPS_FILES"/nginx/*.key "$HTTPS_FILES/nginx/secret.conf" | sort -u)" = 600 ]
  assert_equal "$(find "$HTTPS_FILES" -name '*.key')" "$(printf '%s\n' "$HTTPS_FILES"/tls.key "$HTTPS_FILES"/nginx/tls.key)"
}

@test "a second make demo interrupts nothing, and wrong values are refused before anything changes" {
  before=$(identities && proxy_state && cat "$HTTPS_FILES/../ports")
  run shop demo
  assert_success
  assert_equal "$(identities && proxy_state && cat "$HTTPS_FILES/../ports")" "$before"
  while IFS='|' read -r variables status text; do
    # shellcheck disable=SC2086 # a list of words
    run shop demo $variables
    assert_failure 2
    assert_output --partial "$text"
  done <<TABLE
HTTPS=yes|2|invalid HTTPS 'yes'
HTTPS_PORT=0|2|invalid HTTPS_PORT '0'
HTTPS_PORT=$DELIVERY_HTTP_PORT|2|port '$DELIVERY_HTTP_PORT' is in use
HTTPS_PORT=$DELIVERY_REGISTRY_PORT|2|port '$DELIVERY_REGISTRY_PORT' is in use
TABLE
  assert_equal "$(identities && proxy_state && cat "$HTTPS_FILES/../ports")" "$before"
}

@test "a browser over HTTP on dev registers, reviews, buys and administers as before" {
  run browser "$DEV" reader-http
  assert_success
  assert_line "cookies csrftoken language sessionid"
  assert_line mark
}

@test "direct visitors of port 80 are redirected, health checks are not" {
  for path in / /book-list?q=a /account/login/ /admin/ /static/missing.css /no/such/page; do
    curl -sS -D "$BATS_TEST_TMPDIR/headers" -o /dev/null "$PROD$path"
    assert_equal "$path $(header_of Location)" "$path $URL$path"
    assert_regex "$(header_of Cache-Control)" no-store
  done
  for path in /healthz /readyz /version; do assert_equal "$path $(status_of "$PROD$path")" "$path 200"; done
  assert_equal "$(status_of "$PROD/metrics")" 404
  assert_equal "$(status_of -H 'Host: evil.example' "$PROD/")" 421
  assert_equal "$(on_host curl -sS -o /dev/null -w '%{http_code}' http://localhost/book-list)" 200 # the host's own checks
}

@test "headers of a visitor on port 80 and on dev are never trusted: links, cookies and redirects" {
  secret=$(secret)
  forged=(-H "X-Forwarded-Proto: https" -H "X-Forwarded-For: 127.0.0.1" -H "X-Forwarded-Host: evil.example" -H "X-Forwarded-Port: 1"
    -H "Forwarded: for=127.0.0.1;proto=https;host=evil.example" -H "X-Real-IP: 127.0.0.1" -H "CloudFront-Forwarded-Proto: https")
  for value in "" x "${secret%?}" "${secret}0" "$secret,$secret" "${secret^^}x" "*"; do
    for path in / /robots.txt /sitemap.xml /sitemap-books.xml /account/login/; do
      body=$(curl -sS -D "$BATS_TEST_TMPDIR/headers" "${forged[@]}" -H "X-Proxy-Secret: $value" "$PROD$path")
      assert_equal "$(header_of Location)" "$URL$path"
      refute_regex "$body $(cat "$BATS_TEST_TMPDIR/headers")" 'evil\.example|[Ss]et-[Cc]ookie'
    done
  done
  for value in x "$secret"; do # dev trusts no proxy
    for path in / /robots.txt /account/login/; do
      body=$(curl -sS -D "$BATS_TEST_TMPDIR/headers" "${forged[@]}" -H "X-Proxy-Secret: $value" "$DEV$path")
      refute_regex "$body $(cat "$BATS_TEST_TMPDIR/headers")" 'evil\.example|https://localhost|[Ss]ecure;|[Ss]ecure$|__Host-'
    done
  done
}

@test "headers of a visitor through the proxy change no link, no cookie and no redirect" {
  forged=(-H "X-Forwarded-Proto: http" -H "X-Forwarded-Host: evil.example" -H "X-Forwarded-Port: 1" -H "X-Proxy-Secret: x"
    -H "Forwarded: for=127.0.0.1;proto=http;host=evil.example" -H "X-Real-IP: 127.0.0.1" -H "CloudFront-Forwarded-Proto: http")
  for path in / /robots.txt /sitemap.xml /sitemap-books.xml /account/login/ /book-detail/1/; do
    body=$(https -D "$BATS_TEST_TMPDIR/headers" "${forged[@]}" "$URL$path")
    refute_regex "$body $(cat "$BATS_TEST_TMPDIR/headers")" 'evil\.example|http://(127|localhost)'
    assert_equal "$path $(head -n 1 "$BATS_TEST_TMPDIR/headers" | tr -d '\r' | cut -d' ' -f2)" "$path 200"
  done
  assert_regex "$(https "${forged[@]}" "$URL/sitemap-books.xml")" "<loc>$URL/book-detail/"
  assert_regex "$(https "${forged[@]}" "$URL/robots.txt")" "Sitemap: $URL/sitemap.xml"
}

@test "one visitor with forged addresses has one limit, directly and through the proxy, and the log has the real address" {
  for way in "$PROD $(address host):80 151" "$URL $(address https):443 152"; do
    read -r url machine number <<<"$way"
    before=$(lines_refused)
    run sign_ins "$url" "$machine" "$number" "$number" 15
    assert_success
    [ "$(grep -c '^429$' <<<"$output")" -ge 3 ]
    [ "$(grep -vc '^429$' <<<"$output")" -ge 10 ]
    refused_since "$before" >"$BATS_TEST_TMPDIR/refused"
    refute grep -E '203\.0\.113|evil' "$BATS_TEST_TMPDIR/refused"
    address=$(address host)
    assert_equal "$(jq -r 'select(.status == 429) | .client' "$BATS_TEST_TMPDIR/refused" | sort -u)" "${address%.*}.$number"
  done
  refute on_host grep -rqF "$(secret)" /var/log/nginx
}

@test "two readers send 2,000 interleaved requests through the cache, and none gets a page of the other" {
  run python3 "$FAULTS/https_accounts.py" "$URL" "$DELIVERY_CA_FILE" 2000 "$PASSWORD" alice-7f3a9c bob-c05d1e
  assert_success
  echo "# $output" >&3
}

@test "the proxy works after a restart of the host and of itself, and after another install" {
  docker restart "$DELIVERY_DEMO-https" >/dev/null
  https -f -o /dev/null --retry 20 --retry-delay 1 --retry-all-errors "$URL/book-list"
  before=$(secret)
  install_host
  assert_equal "$(secret)" "$before"
  assert_equal "$(https -o /dev/null -w '%{http_code}' "$URL/book-list")" 200
  docker restart "$DELIVERY_DEMO-host" >/dev/null
  https -f -o /dev/null --retry 120 --retry-delay 1 --retry-all-errors "$URL/readyz"
  assert_equal "$(https -o /dev/null -w '%{http_code}' "$URL/book-list")" 200
  assert_equal "$(secret)" "$before"
}

with_secret() { curl -sS -o /dev/null -w '%{http_code}' -H "X-Proxy-Secret: $1" -H "X-Forwarded-Proto: https" "$PROD/"; }

@test "a replaced secret is in effect after the next make demo, and the old one is not" {
  old=$(secret)
  new=$(openssl rand -hex 32)
  # Both are accepted while the proxy still sends the old one.
  on_host sh -c "echo $new,$old >/etc/book-shop/proxy-secret && /opt/book-shop/bin/bootstrap-nginx"
  assert_equal "$(https -o /dev/null -w '%{http_code}' "$URL/book-list")" 200
  id=$(docker inspect --format '{{.Id}} {{.State.StartedAt}}' "$DELIVERY_DEMO-https")
  shop demo
  assert_equal "$(docker inspect --format '{{.Id}} {{.State.StartedAt}}' "$DELIVERY_DEMO-https")" "$id"
  on_host sh -c "echo $new >/etc/book-shop/proxy-secret && /opt/book-shop/bin/bootstrap-nginx"
  assert_equal "$(https -o /dev/null -w '%{http_code}' "$URL/book-list")" 200
  # NGINX's old processes accept connections until the new ones have started.
  for ((try = 0; try < 1000; try++)); do [ "$(with_secret "$old")" != 301 ] || break; done
  assert_equal "$(with_secret "$old")" 301
}

@test "dev is a preview: no search engine lists it, a banner shows it" {
  for path in / /book-list /book-cover/1.svg /static/missing.css /no/such/page /robots.txt /metrics /healthz /api/books /account/; do
    curl -sS -D "$BATS_TEST_TMPDIR/headers" -o /dev/null "$DEV$path"
    assert_equal "$path $(header_of X-Robots-Tag)" "$path noindex"
  done
  curl -sS -D "$BATS_TEST_TMPDIR/headers" -o /dev/null -H "Host: evil.example" "$DEV/"
  assert_equal "$(header_of X-Robots-Tag)" noindex
  for path in / /cart /admin/login/ /no/such/page; do assert_regex "$(curl -sS "$DEV$path")" "This is a preview"; done
  https -D "$BATS_TEST_TMPDIR/headers" -o "$BATS_TEST_TMPDIR/body" "$URL/"
  assert_equal "$(header_of X-Robots-Tag)" ""
  refute grep -q "This is a preview" "$BATS_TEST_TMPDIR/body"
}

@test "a password in front of dev does not stop checks, deploys and smoke tests, and prod has none" {
  "$SHOP/scripts/set" dev PREVIEW_PASSWORD <<<"correct horse battery"
  for path in / /book-list /account/login/ /static/missing.css /api/books /admin/; do
    curl -sS -D "$BATS_TEST_TMPDIR/headers" -o /dev/null "$DEV$path"
    assert_regex "$path $(cat "$BATS_TEST_TMPDIR/headers")" "^$path HTTP/1.1 401"
    assert_regex "$(header_of WWW-Authenticate)" '^Basic realm='
    assert_equal "$(header_of X-Robots-Tag)" noindex
  done
  for path in /healthz /readyz /version; do assert_equal "$(status_of "$DEV$path")" 200; done
  assert_equal "$(status_of -u "any:correct horse battery" "$DEV/book-list")" 200
  for wrong in any:wrong "any:" ":x" "correct horse battery:any"; do assert_equal "$(status_of -u "$wrong" "$DEV/book-list")" 401; done
  assert_equal "$(https -o /dev/null -w '%{http_code}' "$URL/book-list")" 200
  run shop smoke-dev
  assert_success
  shop deploy-dev
  run shop status
  assert_success
  refute grep -rqF "correct horse battery" <(on_host sh -c 'cat /var/log/nginx/*.log')
  "$SHOP/scripts/unset" dev PREVIEW_PASSWORD
  assert_equal "$(status_of "$DEV/book-list")" 200
}

@test "make demo HTTPS=0 returns to HTTP as before" {
  shop demo HTTPS=0
  run docker container inspect "$DELIVERY_DEMO-https"
  assert_failure
  run browser "$PROD" reader-plain
  assert_success
  assert_line "cookies csrftoken language sessionid"
  curl -sS -D "$BATS_TEST_TMPDIR/headers" -o "$BATS_TEST_TMPDIR/body" -H "X-Forwarded-Proto: https" -H "X-Proxy-Secret: $(secret)" "$PROD/"
  assert_equal "$(header_of Strict-Transport-Security)" ""
  run shop status
  assert_line --partial "dev and prod: the connection is not encrypted"
  run shop demo
  assert_success
  run docker container inspect "$DELIVERY_DEMO-https"
  assert_failure
}
