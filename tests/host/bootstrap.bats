#!/usr/bin/env bats
# tests/scripts/user-data.bats has a second run, and the upgrade from another release.
load ../lib/host.bash
setup() {
  start_host
  install_files
  touch "$WORLD/cluster"
}

calls() { grep -c "^$1$" "$LOG"; } # COMMAND: how often it was called

@test "bootstrap: a new machine becomes the host" {
  verb bootstrap
  assert_answer "" "==> packages
==> firewall, updates, logs, docker
==> address of db.internal
==> settings
==> postgresql
==> kubernetes
==> nginx
==> host ready (host files 0123456789ab)"
  for package in docker.io nginx-light postgresql openssl curl jq iptables nftables unattended-upgrades logrotate; do
    assert [ -e "$WORLD/installed/$package" ]
  done
  assert_equal "$(stat -c %a "$CONF" "$STATE" "$STATE/dev" "$STATE/prod" | xargs)" "700 755 755 755" # NGINX looks into dev/
  for file in apt book-shop/firewall.nft docker needrestart systemd/journald.conf.d; do
    diff -r "$ROOT/scripts/host/etc/$file" "$HOST_ROOT/etc/$file"
  done
  for unit in "$ROOT"/scripts/host/systemd/*; do cmp "$unit" "$HOST_ROOT/etc/systemd/system/${unit##*/}"; done
  assert_equal "$(grep -oE '^systemctl enable .*' "$LOG")" "systemctl enable --quiet book-shop-firewall.service
systemctl enable --now --quiet book-shop-db-address.service
systemctl enable --now --quiet book-shop-backup.timer
systemctl enable --quiet book-shop-switch.service nginx"
  # Units are read before they start; live-restore is taken up before Docker restarts.
  run grep -E '^systemctl (daemon-reload|restart (book-shop-f|systemd-j|docker)|reload-or-restart docker)' "$LOG"
  assert_output --partial "systemctl daemon-reload
systemctl restart book-shop-firewall.service
systemctl restart systemd-journald.service
systemctl reload-or-restart docker
systemctl restart docker"
}

@test "bootstrap: only root can read the secrets, and no argument list or output contains them" {
  verb bootstrap
  verb bootstrap
  assert_equal "$(stat -c %a "$CONF/dev.env" "$CONF/prod.env" "$CONF/deployer.kubeconfig" "$CONF/proxy-secret" | xargs)" "600 600 600 600"
  secrets=$(sed -n 's/^SECRET_KEY=//p; s,.*://[^:]*:\([^@]*\)@.*,\1,p' "$CONF"/*.env && sed -n 's/.*token: \([^}]*\)}.*/\1/p' "$CONF/deployer.kubeconfig" && cat "$CONF/proxy-secret")
  assert_equal "$(sort -u <<<"$secrets" | awk 'length >= 10' | wc -l)" 6 # two of each environment, one of the cluster, one of a proxy
  refute grep -rqF "$secrets" "$LOG" "$TEST_DIR/stdout" "$TEST_DIR/stderr" "$STATE" "$HOST_ROOT/opt" "$HOST_ROOT/etc/postgresql"
  assert_equal "$(find "$CONF" -name '*.new')" ""
}

@test "bootstrap: installs a missing package, and applies a changed setting of journald once" {
  verb bootstrap
  rm "$WORLD/installed/jq"
  echo '# changed' >>"$HOST_ROOT/opt/book-shop/etc/systemd/journald.conf.d/book-shop.conf"
  : >"$LOG"
  for _ in first second; do verb bootstrap; done
  assert_success
  assert_equal "$(calls 'apt-get .*')" 2 # update and install
  assert [ -e "$WORLD/installed/jq" ]
  assert_equal "$(calls 'systemctl restart systemd-journald.service')" 1
  assert_equal "$(tail -n 1 "$HOST_ROOT/etc/systemd/journald.conf.d/book-shop.conf")" "# changed"
}

@test "bootstrap: only a host whose settings are in Parameter Store gets the package for AWS" {
  verb bootstrap
  refute [ -e "$WORLD/installed/python3-boto3" ]
  printf 'AWS_REGION=eu-central-1\nPARAMETERS=/shop\nTRANSFER=bucket\n' >>"$CONF/host.env"
  verb bootstrap
  assert [ -e "$WORLD/installed/python3-boto3" ]
}

@test "bootstrap: keeps the owner's Docker settings, restarts Docker once, and refuses invalid settings" {
  mkdir -p "$HOST_ROOT/etc/docker"
  echo '{"log-opts": ' >"$HOST_ROOT/etc/docker/daemon.json"
  before=$(tree "$HOST_ROOT")
  verb bootstrap
  assert_refused 1 "invalid '$HOST_ROOT/etc/docker/daemon.json'" "correct the file, then install again: make demo"
  assert_equal "$(tree "$HOST_ROOT")" "$before"
  echo '{"log-opts": {"max-size": "5m"}, "userland-proxy": true}' >"$HOST_ROOT/etc/docker/daemon.json"
  for _ in first second; do verb bootstrap; done
  assert_success
  assert_equal "$(jq -c . "$HOST_ROOT/etc/docker/daemon.json")" \
    '{"log-opts":{"max-size":"5m"},"userland-proxy":false,"live-restore":true}'
  assert_equal "$(calls 'systemctl restart docker')" 1
}

@test "bootstrap: needrestart restarts the shop's services only during the hours of unattended upgrades" {
  # restarts HOUR SERVICE: succeeds if needrestart would restart the service at that hour.
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

@test "bootstrap: a run after a kill at any step has the result of an uninterrupted run" {
  echo 0 >"$WORLD/kill-at" # counts the changes
  succeeds bootstrap
  changes=$(($(wc -l <"$WORLD/changes") - 1)) # the last one removes the files of earlier releases
  # Secrets are new on each machine, so they are left out.
  without_secrets() {
    find "$HOST_ROOT" -printf '%M %P %l\n' | sort
    (cd "$HOST_ROOT/etc" && find . -type f -not -path './book-shop/*.env' -not -name 'proxy-secret*' -print0 | sort -z | xargs -0 sha256sum && grep -c . book-shop/*.env)
  }
  whole=$(without_secrets)
  for change in $(seq 2 5 "$changes") "$((changes - 2))" "$((changes - 1))" "$changes"; do
    start_host
    install_files
    touch "$WORLD/cluster"
    killed_at "$change" bootstrap 2>/dev/null
    : >"$LOG"
    succeeds bootstrap
    assert_equal "$(without_secrets)" "$whole"
    run tail -n 3 "$LOG"
    assert_output "systemctl reload-or-restart nginx
touch /var/lib/book-shop/nginx-loaded
rm -rf /opt/book-shop-releases"
  done
}

@test "bootstrap: changes nothing in the cluster before its node is ready" {
  touch "$WORLD/never-node"
  DELIVERY_NODE_LIMIT=0 verb bootstrap
  assert_equal "$status" 1
  assert_errors "the node of Kubernetes is not ready after 0 s."
  refute grep -qE '^kubectl as root: .*(apply|create)' "$LOG"
}

@test "bootstrap: -h and wrong usage change nothing, also for the scripts that it calls" {
  before=$(tree "$HOST_ROOT")
  for name in bootstrap bootstrap-kubernetes bootstrap-namespace bootstrap-nginx bootstrap-packages bootstrap-postgresql; do
    succeeds "$name" -h
    assert_output --partial "Usage: $name"
    assert_output --partial "Runs on: the host"
    assert_errors_whole ""
    for argument in x --force ";reboot"; do
      verb "$name" "$argument"
      assert_refused 2 "Usage: $name"
    done
  done
  assert_equal "$(tree "$HOST_ROOT")" "$before"
}
