#!/usr/bin/env bats
# The install script on a new host, on one of the same release and on one of another release.
load ../lib/host.bash
setup() {
  start_host
  unset VERBS # the laptop's
  export SHOP=$ROOT
  touch "$WORLD/cluster"
}

url=file:///seed/host-files.tar.gz
sum=$(printf '0123456789abcdef%.0s' {1..4})

# install_host: the install script of $SHOP's files runs on the host.
install_host() {
  "$SHOP/scripts/host-archive" >"$TEST_DIR/host-files.tar.gz"
  sha256=$(sha256sum <"$TEST_DIR/host-files.tar.gz" | cut -d' ' -f1)
  "$SHOP/scripts/user-data" "file://$TEST_DIR/host-files.tar.gz" "$sha256" "$DELIVERY_REPOSITORY" localhost,127.0.0.1 \
    >"$TEST_DIR/script"
  : >"$LOG"
  run env PATH="$TEST_DIR/bin" python3 - "$HOST_ROOT" <"$TEST_DIR/script"
}
# other_release: $SHOP is a copy of the project, to be changed.
other_release() {
  SHOP=$TEST_DIR/shop
  mkdir "$SHOP"
  cp -r "$ROOT/scripts" "$ROOT/nginx" "$ROOT/application.json" "$SHOP"
}
# on_host PATH...: prints those that exist on the host.
on_host() { (cd "$HOST_ROOT" && find "$@" -maxdepth 0 -printf '%p ' 2>/dev/null) || true; }

@test "user-data: prints the same script with its values in each run and from any directory" {
  succeeds user-data "$url" "$sum" "$DELIVERY_REPOSITORY" localhost,127.0.0.1
  assert_errors_whole ""
  cp "$TEST_DIR/stdout" "$TEST_DIR/first"
  cd /
  verb user-data "$url" "$sum" "$DELIVERY_REPOSITORY" localhost,127.0.0.1
  cmp "$TEST_DIR/stdout" "$TEST_DIR/first"
  assert_equal "$(head -n 1 "$TEST_DIR/first")" "#!/usr/bin/env python3"
  run grep -E '^[A-Z0-9_]+ = "' "$TEST_DIR/first"
  assert_output "URL = \"$url\"
SHA256 = \"$sum\"
REPOSITORY = \"$DELIVERY_REPOSITORY\"
ALLOWED_HOSTS = \"localhost,127.0.0.1\"
AWS_REGION = \"\"
PARAMETERS = \"\"
TRANSFER = \"\"
PUBLIC_URL_PROD = \"\"
PUBLIC_URL_DEV = \"\""
}

@test "user-data: keeps the placeholders that Terraform replaces, and has no others" {
  placeholders=(@URL@ @SHA256@ @REPOSITORY@ @ALLOWED_HOSTS@ @AWS_REGION@ @PARAMETERS@ @TRANSFER@
    @PUBLIC_URL_PROD@ @PUBLIC_URL_DEV@)
  succeeds user-data "${placeholders[@]}"
  assert_equal "$(grep -oE '@[A-Z0-9_]+@' <<<"$output" | xargs)" "${placeholders[*]}"
  replaced=$(sed "s|@URL@|$url|; s|@SHA256@|$sum|; s|@REPOSITORY@|$DELIVERY_REPOSITORY|; s|@ALLOWED_HOSTS@|localhost|
    s|@AWS_REGION@|eu-central-1|; s|@PARAMETERS@|/shop|; s|@TRANSFER@|bucket|
    s|@PUBLIC_URL_PROD@|https://shop.example|; s|@PUBLIC_URL_DEV@|http://shop.example:8080|" <<<"$output")
  verb user-data "$url" "$sum" "$DELIVERY_REPOSITORY" localhost eu-central-1 /shop bucket \
    https://shop.example http://shop.example:8080
  assert_answer "$replaced"
}

@test "user-data: installs every file unchanged and sets up the host; a second run changes nothing" {
  install_host
  assert_success
  assert_line --regexp "^==> host ready \(host files ${sha256:0:12}\)$"
  mkdir "$TEST_DIR/expected"
  tar -xzf "$TEST_DIR/host-files.tar.gz" -C "$TEST_DIR/expected"
  run diff -r --exclude __pycache__ "$TEST_DIR/expected" "$HOST_ROOT/opt/book-shop"
  assert_output "Only in $HOST_ROOT/opt/book-shop: version"
  assert_equal "$(find "$HOST_ROOT/opt/book-shop" -type d ! -perm 755 -print)" ""
  assert_equal "$(cat "$CONF/host.env")" "REPOSITORY=$DELIVERY_REPOSITORY
ALLOWED_HOSTS=localhost,127.0.0.1"

  before=$(tree "$HOST_ROOT" "$WORLD/roles" "$WORLD/secret")
  install_host
  assert_success
  assert_equal "$(tree "$HOST_ROOT" "$WORLD/roles" "$WORLD/secret")" "$before"
  refute grep -E '^apt-get|reload-or-restart|restart (docker|postgresql|systemd-journald)' "$LOG"

  # The verbs find their package there.
  export VERBS=$HOST_ROOT/opt/book-shop/bin
  for name in deploy rollback status backup restore; do
    succeeds "$name" -h
    assert_output --partial "Usage: $name"
  done
}

@test "user-data: an upgrade installs the new files, removes obsolete ones and keeps the owner's" {
  install_host
  echo "# the owner's" | tee "$HOST_ROOT/etc/nginx/conf.d/own.conf" >"$HOST_ROOT/etc/apt/apt.conf.d/own"
  other_release
  mv "$SHOP/nginx/book-shop/429.html" "$SHOP/nginx/book-shop/too-many.html"
  mv "$SHOP/nginx/conf.d/book-shop.conf" "$SHOP/nginx/conf.d/renamed.conf"
  mv "$SHOP/scripts/host/etc/apt/apt.conf.d/60book-shop" "$SHOP/scripts/host/etc/apt/apt.conf.d/61book-shop"
  echo '{}' >"$SHOP/scripts/host/etc/docker/daemon.json" # these settings are the owner's too
  rm "$SHOP/scripts/host/bin/backups" "$SHOP/scripts/delivery/ecr.py" "$SHOP/scripts/host/systemd/k3s.service"
  before=$(cat "$HOST_ROOT/etc/docker/daemon.json")
  install_host
  assert_success
  assert_equal "$(on_host etc/nginx/book-shop/429.html etc/nginx/conf.d/book-shop.conf etc/apt/apt.conf.d/60book-shop \
    etc/systemd/system/k3s.service opt/book-shop/bin/backups opt/book-shop/bin/delivery/ecr.py)" ""
  added="etc/nginx/book-shop/too-many.html etc/nginx/conf.d/renamed.conf etc/apt/apt.conf.d/61book-shop"
  own="etc/nginx/conf.d/own.conf etc/apt/apt.conf.d/own"
  # shellcheck disable=SC2086 # lists of words
  assert_equal "$(on_host $added $own)" "$added $own "
  assert_equal "$(cat "$HOST_ROOT/etc/docker/daemon.json")" "$before"
  assert grep -xF "systemctl disable --now --quiet k3s.service" "$LOG"
  assert_equal "$(grep -c '^systemctl reload-or-restart nginx$' "$LOG")" 1
  assert_equal "$(cd "$HOST_ROOT/opt" && echo *)" book-shop
}

@test "user-data: removes obsolete files of a host that was installed before archives existed" {
  install_host
  # It never removed a file, under /opt/book-shop nor elsewhere.
  echo old | tee "$HOST_ROOT/opt/book-shop/nginx/conf.d/old.conf" >"$HOST_ROOT/etc/nginx/conf.d/old.conf"
  echo old | tee "$HOST_ROOT/opt/book-shop/etc/apt/apt.conf.d/old" >"$HOST_ROOT/etc/apt/apt.conf.d/old"
  echo old | tee "$HOST_ROOT/opt/book-shop/systemd/old.service" >"$HOST_ROOT/etc/systemd/system/old.service"
  touch "$HOST_ROOT/opt/book-shop/lib/old.sh" "$HOST_ROOT/opt/book-shop/bin/old-verb"
  install_host
  assert_success
  assert_equal "$(find "$HOST_ROOT" -name 'old*')" ""
}

@test "user-data: the next upgrade to any release completes an interrupted one" {
  other_release
  echo '# old' >"$SHOP/nginx/conf.d/old.conf"
  install_host
  rm "$SHOP/nginx/conf.d/old.conf"
  fake systemctl <<<$'#!/bin/bash\nexit 1' # before NGINX's files are compared
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
