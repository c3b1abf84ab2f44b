#!/usr/bin/env bats
# tests/e2e/test_https_proxy.py sends requests through the proxy's NGINX.
load ../../lib/shop.bash
SECRET=00112233445566778899aabbccddeeff
setup() {
  start_shop local/https
  tools cp diff sha256sum touch
  export DELIVERY_HTTPS_PORT=8443
  mkdir -p scripts/local/https-proxy
  cp "$ROOT"/scripts/local/https-proxy/* scripts/local/https-proxy
  echo '{"cached": ["/static/*", "/a/b/*"]}' >application.json
  # shellcheck disable=SC2016 # the fakes themselves expand them
  fake_in_shop scripts/local/certificate 'for file in ca.crt tls.crt tls.key; do echo "$file" >"$1/$file"; done'
  # shellcheck disable=SC2016
  fake_in_shop scripts/set 'read -r value && echo "$value" >>"$LOG"'
  host_does "echo $SECRET"
  directory=$XDG_CACHE_HOME/book-shop/demo/test/https
}
did() { sed -nE 's/^docker (build|run --rm|run -d|start|kill|rm).*/\1/p' "$LOG" | paste -sd,; }

@test "https: starts the proxy, sets PUBLIC_URL after it, and prints the authority's file" {
  verb local/https
  assert_answer "$directory/ca.crt" "==> TLS proxy on https://127.0.0.1:8443"
  assert_equal "$(did)" "build,run --rm,run -d"
  assert_equal "$(tail -n 2 "$LOG")" $'scripts/set prod PUBLIC_URL\nhttps://127.0.0.1:8443'
  run grep '^docker run -d' "$LOG"
  for option in "--name test-https" "--network test" "--restart unless-stopped" "-p 127.0.0.1:8443:443" \
    "-v $directory/nginx:/etc/book-shop:ro"; do assert_output --partial " $option "; done
  cd "$directory/nginx"
  assert_equal "$(cat secret.conf)" "proxy_set_header X-Proxy-Secret $SECRET;"
  assert_equal "$(grep -c 'server 172.30.0.10:80' host.conf)" 3
  assert_equal "$(grep ^location locations.conf)" $'location ~ ^/static/ {\nlocation ~ ^/a/b/ {'
  assert_equal "$(find "$directory" -perm /077)" ""
  refute grep -q "$SECRET" "$LOG"
  assert_equal "$(cd .. && echo *)" "ca.crt loaded nginx tls.crt tls.key"
}

@test "https: a second run interrupts nothing; a changed configuration is loaded, another port is published" {
  verb local/https
  succeeds local/https
  assert_equal "$(did)" "run --rm,start"
  host_does "echo ${SECRET}00"
  succeeds local/https
  assert_equal "$(did)" "run --rm,start,kill"
  assert grep -q "^docker kill --signal HUP test-https" "$LOG"
  DELIVERY_HTTPS_PORT=9443 succeeds local/https
  assert_equal "$(did)" "build,run --rm,rm,run -d"
  assert grep -q -- "-p 127.0.0.1:9443:443" "$LOG"
  DELIVERY_HTTPS_PORT=9443 succeeds local/https
  assert_equal "$(did)" "run --rm,start"
  echo '# another' >>scripts/local/https-proxy/Dockerfile
  DELIVERY_HTTPS_PORT=9443 succeeds local/https
  assert_equal "$(did)" "build,run --rm,rm,run -d"
}

@test "https: a changed configuration is loaded after a run that failed to" {
  verb local/https
  host_does "echo ${SECRET}00"
  touch "$ENGINE/fails-kill"
  verb local/https
  assert_failed 1 "the engine fails to kill"
  rm "$ENGINE/fails-kill"
  succeeds local/https
  assert_equal "$(did)" "run --rm,start,kill"
  succeeds local/https
  assert_equal "$(did)" "run --rm,start"
}

@test "https: the URL has no default port" {
  DELIVERY_HTTPS_PORT=443 succeeds local/https
  assert_equal "$(tail -n 1 "$LOG")" https://127.0.0.1
  assert grep -q -- "-p 127.0.0.1:443:443" "$LOG"
}

@test "https: off removes PUBLIC_URL, then the proxy, and nothing without a proxy" {
  # shellcheck disable=SC2016 # the fake itself expands it
  fake_in_shop scripts/unset '[ ! -e "$ENGINE/unset-fails" ]'
  verb local/https
  touch "$ENGINE/unset-fails"
  next_verb local/https off
  assert_failure 1
  refute grep -q '^docker rm' "$LOG"
  rm "$ENGINE/unset-fails"
  next_verb local/https off
  assert_answer "" "==> removed the TLS proxy"
  assert_log "docker container inspect test-https
scripts/unset prod PUBLIC_URL
docker rm --force test-https"
  next_verb local/https off
  assert_answer "" ""
  assert_log "docker container inspect test-https"
}

@test "https: a configuration that NGINX refuses changes nothing" {
  verb local/https
  kept=$(cat "$directory"/nginx/*)
  host_does "echo ${SECRET}00"
  touch "$ENGINE/refuses"
  verb local/https
  assert_failed 1 "NGINX refuses the configuration of the TLS proxy"
  assert_equal "$(cat "$directory"/nginx/*)" "$kept"
}

@test "https: fails without a valid secret on the host, and with a path that NGINX would not match" {
  for secret in "" short "${SECRET};x" "$SECRET 1" "${SECRET^^}"; do
    host_does "echo '$secret'"
    next_verb local/https
    assert_failed 1 "no valid secret in /etc/book-shop/proxy-secret" "docker exec test-host"
    assert_equal "$(did)" ""
  done
  host_does 'echo "no such file" >&2; exit 2'
  next_verb local/https
  assert_failed 1 "no such file" "no valid secret"
  host_does "echo $SECRET"
  for path in '/static' 'static/*' '/*.css' '/a;b/*' '/a b/*' '/*' '/a/*/*'; do
    printf '{"cached": ["%s"]}' "$path" >application.json
    next_verb local/https
    assert_failed 1 "invalid path '$path' in application.json, 'cached'"
    assert_equal "$(did)" ""
  done
}

@test "https: an invalid name or an unset variable changes nothing" {
  for name in Shop ../shop -x 'a b'; do
    DELIVERY_DEMO=$name next_verb local/https
    assert_failed 2 "invalid demo name '$name'"
    assert_log ""
  done
  assert_demands local/https DEMO HTTPS_PORT
  [ ! -e "$XDG_CACHE_HOME" ]
}
