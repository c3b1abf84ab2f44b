#!/usr/bin/env bats
load ../lib/host.bash
setup() {
  start_host
  unset VERBS # the laptop's
  export SHOP=$ROOT
}
teardown() { stop_host; }

url=file:///seed/host-files.tar.gz
sum=$(printf '0123456789abcdef%.0s' {1..4})

# archived: the archive of $SHOP's files, and its SHA-256.
archived() {
  "$SHOP/scripts/host-archive" >"$TEST_DIR/host-files.tar.gz"
  sha256=$(sha256sum <"$TEST_DIR/host-files.tar.gz")
  sha256=${sha256%% *}
}
# install [allowed hosts]: the install script of $SHOP's files runs on the host.
install_host() {
  archived
  "$SHOP/scripts/user-data" "file://$TEST_DIR/host-files.tar.gz" "$sha256" "$DELIVERY_REPOSITORY" "${1:-localhost,127.0.0.1}" \
    >"$TEST_DIR/script"
  run env PATH="$TEST_DIR/bin" python3 - "$HOST_ROOT" <"$TEST_DIR/script"
}
# other_shop: $SHOP is a copy of the project, to be changed.
other_shop() {
  SHOP=$TEST_DIR/shop
  mkdir "$SHOP"
  cp -r "$ROOT/scripts" "$ROOT/nginx" "$ROOT/application.json" "$SHOP"
}

@test "user-data: one script, the same each time, small enough for EC2" {
  verb user-data "$url" "$sum" "$DELIVERY_REPOSITORY" localhost,127.0.0.1
  assert_success
  assert_errors_whole ""
  cp "$TEST_DIR/stdout" "$TEST_DIR/first"
  cd / # from anywhere
  verb user-data "$url" "$sum" "$DELIVERY_REPOSITORY" localhost,127.0.0.1
  cmp "$TEST_DIR/stdout" "$TEST_DIR/first"
  assert_equal "$(head -n 1 "$TEST_DIR/first")" "#!/usr/bin/env python3"
  run grep -E '^[A-Z0-9_]+ = "' "$TEST_DIR/first"
  assert_output "URL = \"$url\"
SHA256 = \"$sum\"
REPOSITORY = \"$DELIVERY_REPOSITORY\"
ALLOWED_HOSTS = \"localhost,127.0.0.1\""
  size=$(gzip -9 <"$TEST_DIR/first" | wc -c)
  [ "$size" -lt 16384 ] || fail "$size bytes compressed"
}

@test "user-data: run, it installs every file as it is, and makes the host; again, it changes nothing" {
  touch "$WORLD/cluster"
  install_host
  assert_success
  assert_line --regexp "^==> host ready \(host files ${sha256:0:12}\)$"
  mkdir "$TEST_DIR/expected"
  tar -xzf "$TEST_DIR/host-files.tar.gz" -C "$TEST_DIR/expected"
  run diff -r "$TEST_DIR/expected" "$HOST_ROOT/opt/book-shop"
  assert_output "Only in $HOST_ROOT/opt/book-shop: version"
  assert_equal "$(find "$HOST_ROOT/opt/book-shop" -type d ! -perm 755 -print)" ""
  assert_equal "$(cat "$CONF/host.env")" "REPOSITORY=$DELIVERY_REPOSITORY
ALLOWED_HOSTS=localhost,127.0.0.1"
  assert_equal "$(stat -c %a "$CONF")" 700

  before=$(tree "$HOST_ROOT")
  : >"$LOG"
  install_host
  assert_success
  assert_equal "$(tree "$HOST_ROOT")" "$before"
  refute grep -qE 'reload-or-restart|restart docker' "$LOG"

  # The verbs find their package there.
  export VERBS=$HOST_ROOT/opt/book-shop/bin
  for name in deploy rollback status backup restore; do
    verb "$name" -h
    assert_success
    assert_output --partial "Usage: $name"
  done
}

@test "user-data: a running host gets the files of another release, and loses those that it no longer has" {
  touch "$WORLD/cluster"
  install_host
  other_shop
  mv "$SHOP/nginx/book-shop/too-many.html" "$SHOP/nginx/book-shop/429.html"
  mv "$SHOP/nginx/conf.d/book-shop.conf" "$SHOP/nginx/conf.d/renamed.conf"
  mv "$SHOP/scripts/host/etc/apt/apt.conf.d/60book-shop" "$SHOP/scripts/host/etc/apt/apt.conf.d/61book-shop"
  rm "$SHOP/scripts/host/bin/backups" "$SHOP/scripts/delivery/references.py" "$SHOP/scripts/host/systemd/k3s.service"
  install_host
  assert_success
  for removed in etc/nginx/book-shop/too-many.html etc/nginx/conf.d/book-shop.conf etc/apt/apt.conf.d/60book-shop \
    etc/systemd/system/k3s.service opt/book-shop/bin/backups opt/book-shop/bin/delivery/references.py; do
    refute [ -e "$HOST_ROOT/$removed" ]
  done
  for added in etc/nginx/book-shop/429.html etc/nginx/conf.d/renamed.conf etc/apt/apt.conf.d/61book-shop; do
    assert [ -e "$HOST_ROOT/$added" ]
  done
  assert_equal "$(cd "$HOST_ROOT/opt" && echo *)" book-shop
}

@test "user-data: a host that was installed by the code before there were archives loses its old files as well" {
  touch "$WORLD/cluster"
  install_host
  # It never removed a file, under /opt/book-shop nor elsewhere.
  for file in nginx/conf.d/old.conf etc/apt/apt.conf.d/59book-shop systemd/old.service; do
    installed=$HOST_ROOT/etc/${file#etc/}
    installed=${installed/etc\/systemd/etc\/systemd\/system}
    echo old | tee "$HOST_ROOT/opt/book-shop/$file" >"$installed"
  done
  touch "$HOST_ROOT/opt/book-shop/lib/lay.sh" "$HOST_ROOT/opt/book-shop/bin/old-verb"
  install_host
  assert_success
  assert_equal "$(find "$HOST_ROOT" -name old.conf -o -name 59book-shop -o -name old.service -o -name lay.sh -o -name old-verb)" ""
}

@test "user-data: an upgrade that was killed leaves its old files to the next one, whichever release that is" {
  touch "$WORLD/cluster"
  other_shop
  echo '# old' >"$SHOP/nginx/conf.d/old.conf"
  install_host
  assert [ -e "$HOST_ROOT/etc/nginx/conf.d/old.conf" ]
  rm "$SHOP/nginx/conf.d/old.conf"
  : >"$WORLD/fails-nginx" # before NGINX's files are compared
  fake systemctl <<<'#!/bin/bash
exit 1'
  install_host
  assert_failure
  assert [ -e "$HOST_ROOT/etc/nginx/conf.d/old.conf" ]
  ln -sf world "$TEST_DIR/bin/systemctl"
  echo '# another' >>"$SHOP/nginx/conf.d/book-shop.conf"
  install_host
  assert_success
  refute [ -e "$HOST_ROOT/etc/nginx/conf.d/old.conf" ]
  assert_equal "$(cd "$HOST_ROOT/opt" && echo *)" book-shop
}

@test "user-data: invalid JSON in Docker's settings stops an upgrade before it changes anything" {
  touch "$WORLD/cluster"
  install_host
  echo '{' >"$HOST_ROOT/etc/docker/daemon.json"
  before=$(tree "$HOST_ROOT/etc" "$HOST_ROOT/opt/book-shop")
  other_shop
  echo '# changed' >>"$SHOP/nginx/conf.d/book-shop.conf"
  install_host example.org
  assert_failure 1
  assert_output --partial "invalid '$HOST_ROOT/etc/docker/daemon.json'"
  assert_equal "$(tree "$HOST_ROOT/etc" "$HOST_ROOT/opt/book-shop")" "$before"
}

@test "user-data: the words that Terraform replaces, and nothing else of that kind" {
  verb user-data @URL@ @SHA256@ @REPOSITORY@ @ALLOWED_HOSTS@
  assert_success
  assert_equal "$(grep -oE '@[A-Z0-9_]+@' <<<"$output" | xargs)" '@URL@ @SHA256@ @REPOSITORY@ @ALLOWED_HOSTS@'
  replaced=${output//@REPOSITORY@/$DELIVERY_REPOSITORY}
  replaced=${replaced//@ALLOWED_HOSTS@/localhost}
  replaced=${replaced//@URL@/$url}
  replaced=${replaced//@SHA256@/$sum}
  verb user-data "$url" "$sum" "$DELIVERY_REPOSITORY" localhost
  assert_equal "$replaced" "$output"
}

@test "user-data: wrong calls" {
  verb user-data -h
  assert_success
  assert_output --partial "Usage: scripts/user-data <url> <sha256> <repository> <allowed hosts>"
  for arguments in "" "$DELIVERY_REPOSITORY" "$url $sum $DELIVERY_REPOSITORY" "$url $sum $DELIVERY_REPOSITORY localhost more"; do
    # shellcheck disable=SC2086 # a list of words
    verb user-data $arguments
    assert_failed 2 "Usage: scripts/user-data"
  done
  # What would get into a script that root runs.
  # shellcheck disable=SC2016 # nothing may expand them
  for hostile in '' ' ' '-x' '$(reboot)' '`reboot`' 'a;reboot' 'a b' $'a\nreboot' $'a\n' "a'b" 'a"b' 'a&b' 'a\b' '@OTHER@' 'é'; do
    verb user-data "$url" "$sum" "$hostile" localhost
    assert_failed 2 "user-data: invalid repository '$hostile'"
    verb user-data "file:///$hostile\"" "$sum" "$DELIVERY_REPOSITORY" localhost
    assert_failed 2 "user-data: invalid URL 'file:///$hostile\"'"
    verb user-data "$url" "$sum$hostile" "$DELIVERY_REPOSITORY" localhost
    [ -z "$hostile" ] || assert_failed 2 "user-data: invalid SHA-256 '$sum$hostile'"
    [[ $hostile == -x ]] && continue # dashes are part of host names
    verb user-data "$url" "$sum" "$DELIVERY_REPOSITORY" "$hostile"
    assert_failed 2 "user-data: invalid host names '$hostile'"
  done
  for hosts in ',' 'a,' ',a' 'a,,b' 'a/b' 'a:80' 'a_b' '*.example.org' '.' 'a.' 'a..b' '..a' '**'; do
    verb user-data "$url" "$sum" "$DELIVERY_REPOSITORY" "$hosts"
    assert_failed 2 "invalid host names '$hosts': expected names with commas between, as in shop.example,.example.org"
  done
  for hosts in '*' '.example.org' 'Shop.example.org,203.0.113.7,*'; do
    verb user-data "$url" "$sum" "$DELIVERY_REPOSITORY" "$hosts"
    assert_success
  done
  for wrong in 'UPPER/x' '/x' '@REPOSITORY@x'; do
    verb user-data "$url" "$sum" "$wrong" localhost
    assert_failed 2 "invalid repository"
  done
  for wrong in 'ftp://example.org/x' 'example.org/x' '/x' '@URL@x'; do
    verb user-data "$wrong" "$sum" "$DELIVERY_REPOSITORY" localhost
    assert_failed 2 "invalid URL '$wrong'"
  done
}
