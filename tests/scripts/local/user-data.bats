#!/usr/bin/env bats
load ../../lib/shop.bash
setup() {
  start_shop local/user-data host-archive user-data
  rm "$SHOP/scripts/delivery" # a link, for the laptop's verbs
  # Tests that run at the same time write compiled modules there.
  tar -C "$ROOT/scripts" --exclude __pycache__ -c host delivery | tar -C "$SHOP/scripts" -x
  cp -r "$ROOT/nginx" "$ROOT/application.json" "$SHOP"
  tools cp gzip mv sha256sum
  seed=$XDG_CACHE_HOME/book-shop/demo/test
}

value() { sed -n "s/^$1 = \"\(.*\)\"$/\1/p" "$TEST_DIR/stdout"; }

@test "user-data: prints the install script, and saves the archive that it names in the seed" {
  succeeds local/user-data
  assert_errors_whole ""
  assert_equal "$(value URL)" "file:///var/lib/cloud/seed/nocloud/host-files.tar.gz"
  assert_equal "$(value REPOSITORY) $(value ALLOWED_HOSTS)" "$DELIVERY_REPOSITORY localhost,127.0.0.1"
  assert_equal "$(ls "$seed")" host-files.tar.gz
  assert_equal "$(sha256sum <"$seed/host-files.tar.gz")" "$(value SHA256)  -"
  echo changed >>"$SHOP/nginx/book-shop/proxy.conf"
  verb local/user-data example.org
  assert_equal "$(sha256sum <"$seed/host-files.tar.gz")" "$(value SHA256)  -"
  assert_equal "$(value ALLOWED_HOSTS)" example.org
}

@test "user-data: keeps the archive of the running host if the install script is invalid" {
  verb local/user-data
  before=$(sha256sum "$seed/host-files.tar.gz")
  echo changed >>"$SHOP/nginx/book-shop/proxy.conf"
  verb local/user-data 'a b'
  assert_failed 2 "invalid host names 'a b'"
  assert_equal "$(sha256sum "$seed/host-files.tar.gz")" "$before"
  assert_demands local/user-data DEMO REPOSITORY
}
