#!/usr/bin/env bats
# tests/scripts/user-data.bats has a second run, and files that only an earlier release had.
load ../lib/host.bash
setup() {
  start_host
  install_files
  mkdir -p "$STATE" "$HOST_ROOT/etc/nginx/sites-enabled"
  touch "$HOST_ROOT/etc/nginx/sites-enabled/default"
  for environment in dev prod; do allow "$environment" localhost; done
}

# allow ENVIRONMENT NAMES; known ENVIRONMENT: prints NGINX's list
allow() { echo "ALLOWED_HOSTS=$2" >"$CONF/$1.env"; }
known() { xargs <"$HOST_ROOT/etc/nginx/book-shop/allowed-hosts-$1.conf"; }
reloads() { grep -c '^systemctl reload-or-restart nginx$' "$LOG"; }

@test "bootstrap-nginx: installs the files of the repository, checks them, and loads them once" {
  verb bootstrap-nginx
  assert_answer "" "==> nginx"
  for part in book-shop conf.d; do
    diff -r --exclude 'allowed-hosts-*.conf' --exclude secrets "$ROOT/nginx/$part" "$HOST_ROOT/etc/nginx/$part"
  done
  refute [ -e "$HOST_ROOT/etc/nginx/sites-enabled/default" ]
  # The table of the switch comes before the files that depend on it.
  assert_equal "$(grep -E '^(nginx|systemctl) ' "$LOG")" "nginx -t -q
systemctl enable --quiet book-shop-switch.service nginx
systemctl restart book-shop-switch.service
systemctl reload-or-restart nginx"
}

@test "bootstrap-nginx: reloads NGINX once after a change of a file or of the allowed hosts" {
  verb bootstrap-nginx
  echo '# changed' >>"$HOST_ROOT/opt/book-shop/nginx/book-shop/proxy.conf"
  succeeds bootstrap-nginx
  assert_equal "$(reloads)" 1
  assert_equal "$(tail -n 1 "$HOST_ROOT/etc/nginx/book-shop/proxy.conf")" "# changed"
  allow prod shop.example.org
  for _ in first second; do verb bootstrap-nginx; done
  assert_success
  assert_equal "$(reloads)" 2
  assert_equal "$(tail -n 1 "$LOG")" "systemctl start nginx"
}

@test "bootstrap-nginx: converts ALLOWED_HOSTS to a list without duplicates, and always allows localhost" {
  while IFS='|' read -r hosts names; do
    allow dev "$hosts"
    succeeds bootstrap-nginx
    assert_equal "$(known dev)" "$names"
    assert_equal "$(known prod)" "127.0.0.1 1; default 0; localhost 1;"
  done <<'TABLE'
localhost|127.0.0.1 1; default 0; localhost 1;
shop.example.org|127.0.0.1 1; default 0; localhost 1; shop.example.org 1;
localhost,127.0.0.1,LOCALHOST|127.0.0.1 1; default 0; localhost 1;
.example.org,www.shop.example,203.0.113.7|.example.org 1; 127.0.0.1 1; 203.0.113.7 1; default 0; localhost 1; www.shop.example 1;
example.org,.Example.org|.example.org 1; 127.0.0.1 1; default 0; localhost 1;
.example.org,example.org|.example.org 1; 127.0.0.1 1; default 0; localhost 1;
*|default 1;
shop.example.org,*|default 1;
 a.example , b.example,,|127.0.0.1 1; a.example 1; b.example 1; default 0; localhost 1;
TABLE
}

@test "bootstrap-nginx: refuses a list that NGINX or Django would misread, before any change" {
  verb bootstrap-nginx
  before=$(tree "$HOST_ROOT/etc/nginx")
  for wrong in '*.example.org' 'shop.*' '**' '.' 'a..b' 'a.' 'a:80' 'a;b' 'a b' '[::1]' '~.' 'a/b' 'a.-b'; do
    allow prod "$wrong"
    next_verb bootstrap-nginx
    assert_refused 2 "nginx-settings: invalid ALLOWED_HOSTS: nothing was changed" "expected names separated by commas"
  done
  assert_equal "$(tree "$HOST_ROOT/etc/nginx")" "$before"
}

@test "bootstrap-nginx: only root can read the secrets, and only NGINX and adm the log of refused requests" {
  echo PREVIEW_PASSWORD=a-long-password >>"$CONF/dev.env"
  secrets=$HOST_ROOT/etc/nginx/book-shop/secrets log=$HOST_ROOT/var/log/nginx/refused.log
  for _ in first second; do
    succeeds bootstrap-nginx
    assert_equal "$(stat -c %a "$secrets"/*.conf "$log" | xargs)" "600 600 640"
    grep -x "chown www-data:adm /var/log/nginx/refused.log" "$LOG"
    refute grep -E "a-long-password|$(cat "$CONF/proxy-secret")" "$LOG" "$TEST_DIR/stdout" "$TEST_DIR/stderr"
    echo "a line" >>"$log"
  done
  assert_equal "$(grep -c "a line" "$log")" 2
}

@test "bootstrap-nginx: no change of a setting can load files while they are written" {
  program=$HOST_ROOT/opt/book-shop/bin/nginx-settings
  mv "$program" "$program-real"
  lock=$HOST_ROOT/run/lock/book-shop-nginx
  cat >"$program" <<PROGRAM
#!/bin/bash
flock --nonblock '$lock' touch '$TEST_DIR/free'
touch '$TEST_DIR/asked'
exec '$program-real'
PROGRAM
  chmod +x "$program"
  succeeds bootstrap-nginx
  assert [ -e "$TEST_DIR/asked" ]
  refute [ -e "$TEST_DIR/free" ]
  flock --nonblock "$lock" true
}

@test "bootstrap-nginx: follows the password of dev and the secret of a proxy, each with one reload" {
  verb bootstrap-nginx
  secrets=$HOST_ROOT/etc/nginx/book-shop/secrets
  echo PREVIEW_PASSWORD=a-long-password >>"$CONF/dev.env"
  for _ in first second; do verb bootstrap-nginx; done
  assert_equal "$(reloads)" 2
  assert_equal "$(head -n 1 "$secrets/preview-password.conf")" "default wrong;"
  sed -i /PREVIEW_PASSWORD/d "$CONF/dev.env"
  for _ in first second; do verb bootstrap-nginx; done
  assert_equal "$(reloads)" 3
  assert_equal "$(cat "$secrets/preview-password.conf")" "default unset;"
  openssl rand -hex 16 >"$CONF/proxy-secret"
  for _ in first second; do verb bootstrap-nginx; done
  assert_success
  assert_equal "$(reloads)" 4
  grep -F "$(cat "$CONF/proxy-secret")" "$secrets/proxy-secret.conf"
}

@test "bootstrap-nginx: an invalid secret of a proxy is refused before NGINX's files change" {
  verb bootstrap-nginx
  echo '# changed' >>"$HOST_ROOT/opt/book-shop/nginx/book-shop/proxy.conf"
  before=$(tree "$HOST_ROOT/etc/nginx")
  echo secret >"$CONF/proxy-secret"
  verb bootstrap-nginx
  assert_failed 1 "invalid secret of the proxy" "rm $CONF/proxy-secret && /opt/book-shop/bin/bootstrap"
  assert_equal "$(tree "$HOST_ROOT/etc/nginx")" "$before"
  assert_equal "$(reloads)" 1
  rm "$CONF/proxy-secret"
  succeeds bootstrap-nginx
}

@test "bootstrap-nginx: deletes the list of an earlier release, which both environments shared" {
  verb bootstrap-nginx
  touch "$HOST_ROOT/etc/nginx/book-shop/allowed-hosts.conf"
  succeeds bootstrap-nginx
  refute [ -e "$HOST_ROOT/etc/nginx/book-shop/allowed-hosts.conf" ]
}

@test "bootstrap-nginx: a later run loads files that NGINX refused before" {
  : >"$WORLD/nginx-fails"
  fails bootstrap-nginx
  refute grep -q "nginx$" "$LOG"
  rm "$WORLD/nginx-fails"
  succeeds bootstrap-nginx
  assert_equal "$(reloads)" 1
}

@test "bootstrap-nginx: loads changed files only while no deploy to dev is running" {
  verb bootstrap-nginx
  exec {deploy}>"$HOST_ROOT/run/lock/book-shop-dev"
  flock "$deploy"
  echo "deploy by ann" >&"$deploy"
  export DELIVERY_LOCK_WAIT=0
  verb bootstrap-nginx
  assert_success
  allow dev shop.example.org
  verb bootstrap-nginx
  assert_failed 1 "dev is locked by a deploy. After it has ended, run: "
  assert_errors "==> dev is locked by: deploy by ann. Waiting up to 0 s"
  assert_equal "$(reloads)" 1
  flock --unlock "$deploy"
  verb bootstrap-nginx
  assert_success
  assert_equal "$(reloads)" 2
}

@test "bootstrap-nginx: an invalid limit is refused before anything is touched" {
  for wrong in abc -1 1.5 '5 s' 999999; do
    DELIVERY_LOCK_WAIT=$wrong next_verb bootstrap-nginx
    assert_refused 2 "invalid DELIVERY_LOCK_WAIT '$wrong': expected a number of seconds"
  done
  DELIVERY_LOCK_WAIT='' next_verb bootstrap-nginx
  assert_success
}
