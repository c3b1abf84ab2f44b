#!/usr/bin/env bats
load ../lib/host.bash
setup() {
  start_host
  lay
  mkdir -p "$STATE" "$HOST_ROOT/etc/nginx/sites-enabled"
  touch "$HOST_ROOT/etc/nginx/sites-enabled/default"
}
teardown() { stop_host; }

in_nginx() { (cd "$1" && find book-shop conf.d -type f -not -name allowed-hosts.conf -print0 | sort -z | xargs -0 sha256sum); }
allow() { printf 'REPOSITORY=%s\nALLOWED_HOSTS=%s\n' "$DELIVERY_REPOSITORY" "$1" >"$CONF/host.env"; }
known() { grep -v '^#' "$HOST_ROOT/etc/nginx/book-shop/allowed-hosts.conf"; }
reloads() { grep -c '^systemctl reload-or-restart nginx$' "$LOG"; }

@test "bootstrap-nginx: its files as they are in the repository, the names, and one reload" {
  verb bootstrap-nginx
  assert_success
  assert_output ""
  assert_errors_whole "==> nginx"
  assert_equal "$(grep -v '^rm -f /var/lib/book-shop/nginx-loaded$' "$LOG")" "rm -f /etc/nginx/sites-enabled/default
nginx -t -q
systemctl enable --quiet book-shop-switch.service nginx
systemctl restart book-shop-switch.service
systemctl reload-or-restart nginx
touch /var/lib/book-shop/nginx-loaded"
  assert_equal "$(in_nginx "$HOST_ROOT/etc/nginx")" "$(in_nginx "$ROOT/nginx")"
  assert_equal "$(known)" "127.0.0.1 1;
default 0;
localhost 1;"
  refute [ -e "$HOST_ROOT/etc/nginx/sites-enabled/default" ]
}

@test "bootstrap-nginx: the second run changes nothing and reloads nothing" {
  verb bootstrap-nginx
  before=$(tree "$HOST_ROOT")
  : >"$LOG"
  verb bootstrap-nginx
  assert_success
  assert_log "rm -f /etc/nginx/sites-enabled/default
rm /etc/nginx/book-shop/allowed-hosts.conf.new
nginx -t -q
systemctl enable --quiet book-shop-switch.service nginx
systemctl restart book-shop-switch.service
systemctl start nginx"
  assert_equal "$(tree "$HOST_ROOT")" "$before"
}

@test "bootstrap-nginx: a changed file is a reason for one reload, and so are other names" {
  verb bootstrap-nginx
  echo '# changed' >>"$HOST_ROOT/opt/book-shop/nginx/book-shop/proxy.conf"
  : >"$LOG"
  verb bootstrap-nginx
  assert_success
  assert_equal "$(reloads)" 1
  assert_equal "$(tail -n 1 "$HOST_ROOT/etc/nginx/book-shop/proxy.conf")" "# changed"
  allow shop.example.org
  for _ in first second; do verb bootstrap-nginx; done
  assert_success
  assert_equal "$(reloads)" 2
}

@test "bootstrap-nginx: the names of ALLOWED_HOSTS, each once as NGINX wants them, and localhost always" {
  names() { # ALLOWED_HOSTS LINE...
    allow "$1"
    verb bootstrap-nginx
    assert_success
    assert_equal "$(known | xargs)" "${*:2}"
  }
  names 'shop.example.org' '127.0.0.1 1; default 0; localhost 1; shop.example.org 1;'
  names 'localhost,127.0.0.1,LOCALHOST' '127.0.0.1 1; default 0; localhost 1;'
  names '.example.org,www.shop.example,203.0.113.7' '.example.org 1; 127.0.0.1 1; 203.0.113.7 1; default 0; localhost 1; www.shop.example 1;'
  names 'example.org,.Example.org' '.example.org 1; 127.0.0.1 1; default 0; localhost 1;'
  names '.example.org,example.org' '.example.org 1; 127.0.0.1 1; default 0; localhost 1;'
  names '*' 'default 1;'
  names 'shop.example.org,*' 'default 1;'
}

@test "bootstrap-nginx: a list that NGINX or Django would misread is refused before anything is touched" {
  verb bootstrap-nginx
  before=$(tree "$HOST_ROOT/etc/nginx")
  # shellcheck disable=SC2016 # nothing may expand them
  for wrong in '*.example.org' 'shop.*' '**' '.' 'a..b' 'a,' ',a' 'a,,b' 'a.' '' 'a:80' 'a;b' 'a b' '[::1]' '~.' 'a/b'; do
    allow "'$wrong'"
    : >"$LOG"
    verb bootstrap-nginx
    assert_refused 1 "invalid ALLOWED_HOSTS '$wrong': expected names with commas between"
  done
  assert_equal "$(tree "$HOST_ROOT/etc/nginx")" "$before"
}

@test "bootstrap-nginx: files that NGINX refused are loaded by the next run that succeeds" {
  : >"$WORLD/nginx-fails"
  verb bootstrap-nginx
  assert_equal "$status" 1
  refute grep -q "nginx$" "$LOG"
  rm "$WORLD/nginx-fails"
  : >"$LOG"
  verb bootstrap-nginx
  assert_success
  run tail -n 2 "$LOG"
  assert_output "systemctl reload-or-restart nginx
touch /var/lib/book-shop/nginx-loaded"
}

@test "bootstrap-nginx: a file that an earlier release had is removed, the owner's own stay, and NGINX loads that" {
  verb bootstrap-nginx
  earlier=$HOST_ROOT/opt/book-shop-releases/x/nginx
  mkdir -p "$earlier/conf.d" "$earlier/book-shop"
  cp "$HOST_ROOT/etc/nginx/conf.d/book-shop.conf" "$earlier/conf.d"
  for file in conf.d/renamed.conf book-shop/dropped.conf; do
    echo "server { }" | tee "$earlier/$file" >"$HOST_ROOT/etc/nginx/$file"
  done
  echo "# the owner's" >"$HOST_ROOT/etc/nginx/conf.d/own.conf"
  : >"$LOG"
  verb bootstrap-nginx
  assert_success
  assert_equal "$(cd "$HOST_ROOT/etc/nginx/conf.d" && echo *)" "book-shop.conf own.conf"
  refute [ -e "$HOST_ROOT/etc/nginx/book-shop/dropped.conf" ]
  assert_equal "$(reloads)" 1
  verb bootstrap-nginx
  assert_equal "$(reloads)" 1
}

@test "bootstrap-nginx: wrong calls" { assert_wrong_calls_on_host bootstrap-nginx x "--force"; }

@test "bootstrap-nginx: NGINX reads other files only while no deploy of dev runs" {
  verb bootstrap-nginx
  exec {deploy}>"$HOST_ROOT/run/lock/book-shop-dev"
  flock "$deploy"
  export DELIVERY_LOCK_WAIT=0
  verb bootstrap-nginx
  assert_success
  allow shop.example.org
  verb bootstrap-nginx
  assert_failed 1 "dev is locked by a deploy"
  assert_equal "$(reloads)" 1
  flock --unlock "$deploy"
  verb bootstrap-nginx
  assert_success
  assert_equal "$(reloads)" 2
}
