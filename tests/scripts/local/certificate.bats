#!/usr/bin/env bats
load ../../lib/shop.bash
setup() {
  start_shop local/certificate
  mkdir -p scripts/local/https-proxy
  cp "$ROOT/scripts/local/https-proxy/openssl.cnf" scripts/local/https-proxy
  tools cp openssl
  directory="$TEST_DIR/a place"
}
expires_in() { # DAYS: replaces the certificate and the authority by one that expires then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=old -days "$1" \
    -keyout "$directory/tls.key" -out "$directory/tls.crt" 2>/dev/null
  cp "$directory/tls.crt" "$directory/ca.crt"
}

@test "certificate: a strict client trusts it for this machine only, and no other user can read the keys" {
  verb local/certificate "$directory"
  assert_answer "" "==> certificate for https://127.0.0.1"
  cd "$directory"
  for name in "-verify_ip 127.0.0.1" "-verify_hostname localhost"; do
    # shellcheck disable=SC2086 # two words
    openssl verify -x509_strict -purpose sslserver $name -CAfile ca.crt tls.crt
  done
  refute openssl verify -verify_hostname example.org -CAfile ca.crt tls.crt
  refute openssl verify -purpose sslserver tls.crt
  assert_equal "$(openssl x509 -in tls.crt -noout -pubkey)" "$(openssl pkey -in tls.key -pubout)"
  assert_equal "$(find . -type f -perm /077)" ""
}

@test "certificate: nothing can sign another certificate" {
  verb local/certificate "$directory"
  public=$(openssl x509 -in "$directory/ca.crt" -noout -pubkey)
  find "$TEST_DIR" -type f -exec grep -l 'PRIVATE KEY' {} + >"$BATS_TEST_TMPDIR/keys"
  assert_equal "$(cat "$BATS_TEST_TMPDIR/keys")" "$directory/tls.key"
  refute [ "$(openssl pkey -in "$directory/tls.key" -pubout)" = "$public" ]
}

@test "certificate: keeps valid files, and replaces them if one is missing, invalid or expires within a month" {
  verb local/certificate "$directory"
  kept=$(cat "$directory"/*)
  verb local/certificate "$directory"
  assert_answer "" ""
  assert_equal "$(cat "$directory"/*)" "$kept"
  expires_in 31
  kept=$(cat "$directory"/*)
  verb local/certificate "$directory"
  assert_answer "" ""
  assert_equal "$(cat "$directory"/*)" "$kept"
  for damage in "rm tls.crt" "rm ca.crt" "rm tls.key" "expires_in 29" "truncate -s 100 tls.crt"; do
    case $damage in
      expires*) $damage ;;
      *) (cd "$directory" && $damage) ;;
    esac
    verb local/certificate "$directory"
    assert_answer "" "==> certificate for https://127.0.0.1"
    openssl verify -CAfile "$directory/ca.crt" "$directory/tls.crt"
  done
}

@test "certificate: shows the error of openssl and keeps the old files" {
  verb local/certificate "$directory"
  expires_in 29
  kept=$(cat "$directory"/*)
  fake openssl <<'FAKE'
#!/bin/bash
[ "$1" = x509 ] || { echo "no entropy" >&2 && exit 1; }
exit 1
FAKE
  verb local/certificate "$directory"
  assert_failed 1 "no entropy"
  assert_equal "$(cat "$directory"/*)" "$kept"
}
