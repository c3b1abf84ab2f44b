#!/usr/bin/env bats
load ../lib/host.bash
setup() {
  start_host
  lay
  touch "$WORLD/cluster"
}
teardown() { stop_host; }

packages="docker.io nginx-light postgresql openssl curl jq iptables nftables unattended-upgrades logrotate"
# bash puts the pattern of dpkg-query there as it is
asked="dpkg-query -W -f \${db:Status-Status}\\n $packages"
settings() { (cd "$1" && find apt book-shop/firewall.nft docker needrestart systemd/journald.conf.d -type f -print0 | sort -z | xargs -0 sha256sum); }
# What is laid is a list as long as there are files.
calls() { grep -v -e '^kubectl' -e '^rm -f /var/lib/book-shop/[a-z]*-loaded$' -e '^rm -f$' -e '^rm .*[.]new$' "$LOG"; }

@test "bootstrap: a new machine becomes the host" {
  verb bootstrap
  assert_success
  assert_output ""
  assert_errors_whole "==> packages
==> firewall, updates, logs, docker
==> address of db.internal
==> postgresql
==> kubernetes
==> nginx
==> host ready (host files 0123456789ab)"
  run calls
  assert_output "$asked
apt-get -qq -o DPkg::Lock::Timeout=600 update
apt-get -qq -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold install -y --no-install-recommends $packages
systemctl daemon-reload
systemctl enable --quiet book-shop-firewall.service
systemctl restart book-shop-firewall.service
systemctl restart systemd-journald.service
systemctl reload-or-restart docker
systemctl restart docker
touch /var/lib/book-shop/settings-loaded
systemctl enable --now --quiet book-shop-db-address.service
systemctl daemon-reload
runuser -u postgres -- psql -Atc show listen_addresses
systemctl restart postgresql
runuser -u postgres -- psql -q -v ON_ERROR_STOP=1
runuser -u postgres -- psql -q -v ON_ERROR_STOP=1
systemctl enable --now --quiet book-shop-backup.timer
sleep 1
sleep 1
rm -f /etc/nginx/sites-enabled/default
nginx -t -q
systemctl enable --quiet book-shop-switch.service nginx
systemctl restart book-shop-switch.service
systemctl reload-or-restart nginx
touch /var/lib/book-shop/nginx-loaded
rm -rf /opt/book-shop-releases"

  assert_equal "$(stat -c %a "$CONF" "$STATE" "$STATE/dev" "$STATE/prod" | xargs)" "700 755 755 755" # NGINX looks into dev/
  assert_equal "$(settings "$HOST_ROOT/etc")" "$(settings "$ROOT/scripts/host/etc")"
  for unit in "$ROOT"/scripts/host/systemd/*; do cmp "$unit" "$HOST_ROOT/etc/systemd/system/${unit##*/}"; done
}

@test "bootstrap: the second run changes nothing: no package, no reload of NGINX, no restart, no new secret" {
  verb bootstrap
  assert_success
  before=$(tree "$HOST_ROOT" "$WORLD/passwords" "$WORLD/secret")
  : >"$LOG"
  verb bootstrap
  assert_success
  run calls
  assert_output "$asked
systemctl daemon-reload
systemctl enable --quiet book-shop-firewall.service
systemctl restart book-shop-firewall.service
systemctl enable --now --quiet book-shop-db-address.service
systemctl daemon-reload
runuser -u postgres -- psql -Atc show listen_addresses
systemctl reload postgresql
runuser -u postgres -- psql -q -v ON_ERROR_STOP=1
runuser -u postgres -- psql -q -v ON_ERROR_STOP=1
systemctl enable --now --quiet book-shop-backup.timer
rm -f /etc/nginx/sites-enabled/default
nginx -t -q
systemctl enable --quiet book-shop-switch.service nginx
systemctl restart book-shop-switch.service
systemctl start nginx
rm -rf /opt/book-shop-releases"
  assert_equal "$(tree "$HOST_ROOT" "$WORLD/passwords" "$WORLD/secret")" "$before"
}

@test "bootstrap: secrets are root's alone, and in no argument list, no output" {
  verb bootstrap
  verb bootstrap
  assert_equal "$(stat -c %a "$CONF/dev.env" "$CONF/prod.env" "$CONF/deployer.kubeconfig" | xargs)" "600 600 600"
  secrets=$(sed -n 's/^SECRET_KEY=//p; s,.*://[^:]*:\([^@]*\)@.*,\1,p' "$CONF"/*.env && sed -n 's/.*token: \([^}]*\)}.*/\1/p' "$CONF/deployer.kubeconfig")
  assert_equal "$(sort -u <<<"$secrets" | awk 'length >= 10' | wc -l)" 5 # two of each environment, one of the cluster
  refute grep -rqF "$secrets" "$LOG" "$TEST_DIR/stdout" "$TEST_DIR/stderr" "$STATE" "$HOST_ROOT/opt" "$HOST_ROOT/etc/postgresql"
  assert_equal "$(find "$CONF" -name '*.new')" ""
}

@test "bootstrap: one missing package is reason enough to ask apt" {
  verb bootstrap
  rm "$WORLD/installed/jq"
  : >"$LOG"
  verb bootstrap
  assert_success
  assert_equal "$(grep -c '^apt-get' "$LOG")" 2
}

@test "bootstrap: a changed setting is laid, and journald reads it, once" {
  verb bootstrap
  echo '# changed' >>"$HOST_ROOT/opt/book-shop/etc/systemd/journald.conf.d/book-shop.conf"
  : >"$LOG"
  verb bootstrap
  assert_success
  assert_equal "$(grep -c 'restart systemd-journald' "$LOG")" 1
  assert_equal "$(tail -n 1 "$HOST_ROOT/etc/systemd/journald.conf.d/book-shop.conf")" "# changed"
  verb bootstrap
  assert_equal "$(grep -c 'restart systemd-journald' "$LOG")" 1
}

@test "bootstrap: what only an earlier release had is removed from every place, and a unit is stopped first" {
  verb bootstrap
  earlier=$HOST_ROOT/opt/book-shop-releases/x
  files=(etc/apt/apt.conf.d/59book-shop etc/book-shop/doors.nft systemd/book-shop-old.timer nginx/conf.d/old.conf)
  for file in "${files[@]}"; do
    installed=$HOST_ROOT/etc/${file#etc/}
    installed=${installed/etc\/systemd/etc\/systemd\/system}
    mkdir -p "$earlier/${file%/*}"
    echo old | tee "$earlier/$file" >"$installed"
    removed+=("$installed")
  done
  # Docker's settings are the owner's too, whatever an earlier release had there.
  mkdir "$earlier/etc/docker"
  echo '{}' >"$earlier/etc/docker/daemon.json"
  before=$(tree "$HOST_ROOT/etc")
  : >"$LOG"
  verb bootstrap
  assert_success
  for file in "${removed[@]}"; do refute [ -e "$file" ]; done
  assert_equal "$(tree "$HOST_ROOT/etc")" "$(grep -vE "59book-shop|doors.nft|book-shop-old|conf.d/old.conf" <<<"$before")"
  assert grep -xF "systemctl disable --now --quiet book-shop-old.timer" "$LOG"
  refute [ -e "$HOST_ROOT/opt/book-shop-releases" ]
}

@test "bootstrap: the owner's settings of Docker stay, and Docker reads the host's once" {
  mkdir -p "$HOST_ROOT/etc/docker"
  echo '{"log-opts": {"max-size": "5m"}, "userland-proxy": true}' >"$HOST_ROOT/etc/docker/daemon.json"
  for _ in first second; do verb bootstrap; done
  assert_success
  assert_equal "$(jq -c . "$HOST_ROOT/etc/docker/daemon.json")" \
    '{"log-opts":{"max-size":"5m"},"userland-proxy":false,"live-restore":true}'
  assert_equal "$(grep -c '^systemctl restart docker$' "$LOG")" 1
}

@test "bootstrap: invalid JSON in Docker's settings stops it before it changes anything" {
  mkdir -p "$HOST_ROOT/etc/docker"
  echo '{"log-opts": ' >"$HOST_ROOT/etc/docker/daemon.json"
  before=$(tree "$HOST_ROOT")
  verb bootstrap
  assert_refused 1 "invalid '$HOST_ROOT/etc/docker/daemon.json'" "correct the file, then install again: make demo"
  assert_equal "$(tree "$HOST_ROOT")" "$before"
}

@test "bootstrap: its setting for needrestart: what serves is restarted in the hours of the unattended upgrades alone" {
  # restarts HOUR SERVICE: as needrestart reads the file, at that hour.
  restarts() {
    HOUR=$1 perl -e 'BEGIN { *CORE::GLOBAL::localtime = sub { (0, 0, $ENV{HOUR}) } } our %nrconf; do $ARGV[0]; die $@ if $@;
      exit grep { $ARGV[1] =~ $_ } keys %{$nrconf{override_rc}}' "$ROOT/scripts/host/etc/needrestart/conf.d/book-shop.conf" "$2"
  }
  for service in containerd.service k3s.service nginx.service postgresql@16-main.service; do
    for hour in 6 7; do restarts $hour $service; done
    for hour in 0 5 8 16 17; do refute restarts $hour $service; done
  done
  restarts 12 cron.service
}

@test "bootstrap: killed here or there, the next run ends as if it had not been" {
  KILL_AT=0 verb bootstrap # never
  assert_success
  changes=$(($(wc -l <"$WORLD/changes") - 1)) # the last one removes the files of earlier releases
  # Secrets are new on each machine, so they are left out.
  without_secrets() {
    find "$HOST_ROOT" -printf '%M %P %l\n' | sort
    (cd "$HOST_ROOT/etc" && find . -type f -not -path './book-shop/*.env' -print0 | sort -z | xargs -0 sha256sum && grep -c . book-shop/*.env)
  }
  whole=$(without_secrets)
  for change in $(seq 2 5 "$changes") "$((changes - 2))" "$((changes - 1))" "$changes"; do
    stop_host
    start_host
    lay
    touch "$WORLD/cluster"
    killed_at "$change" bootstrap 2>/dev/null
    : >"$LOG"
    verb bootstrap
    assert_success
    assert_equal "$(without_secrets)" "$whole"
    run tail -n 3 "$LOG"
    assert_output "systemctl reload-or-restart nginx
touch /var/lib/book-shop/nginx-loaded
rm -rf /opt/book-shop-releases"
  done
}

@test "bootstrap: wrong calls" { assert_wrong_calls_on_host bootstrap x "--force" ";reboot"; }
