#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Failures of what a deploy depends on.
load faults.bash

teardown() {
  larger_disk
  docker start "$DELIVERY_DEMO-registry" >/dev/null
  on_host systemctl start postgresql registry-proxy.socket
  end_case
}

# new VERSION: an image that the host does not have.
new() {
  echo "# $1" >>"$SHOP/book-shop/manage.py"
  bad "$1"
}

@test "deploy fails while the registry is down, and succeeds afterwards" {
  image=$(new 1.11.0)
  docker stop "$DELIVERY_DEMO-registry" >/dev/null
  for environment in dev prod; do refused "$environment" "$image" "cannot pull '$image'"; done
  docker start "$DELIVERY_DEMO-registry" >/dev/null
  for environment in dev prod; do
    deploy "$environment" "$image"
    assert_success
    assert_heals "$environment"
  done
}

@test "deploy fails when the registry cuts off the pull or answers 429 or 500" {
  image=$(new 1.12.0)
  for fault in cut 429 500; do
    on_host systemctl stop registry-proxy.socket registry-proxy.service
    into_host python3 - "${DELIVERY_REPOSITORY//[!0-9]/}" registry:5000 "$fault" <"$FAULTS/bad_registry.py" 3>&- &
    until on_host curl -s -o /dev/null "http://${DELIVERY_REPOSITORY%%/*}/v2/"; do kill -0 $!; done
    for environment in dev prod; do refused "$environment" "$image" "cannot pull '$image'"; done
    on_host pkill -f "registry:5000 $fault"
    wait $! || true # it is killed
    on_host systemctl start registry-proxy.socket
  done
  for environment in dev prod; do assert_heals "$environment"; done
}

# The host's state moves to a small disk. A full large disk would affect the whole machine.
small_disk() {
  into_host sh -eu <<'SH'
mkdir -p /run/large /run/small
mount --bind /var/lib/book-shop /run/large
mount --make-private /run/large # or later mounts appear in both places
mount -t tmpfs -o size=1500m small /run/small
cp -a /var/lib/book-shop/. /run/small
mount --bind /run/small /var/lib/book-shop
SH
}
larger_disk() {
  into_host sh -eu <<'SH'
mountpoint -q /run/large || exit 0
find /run/large -mindepth 1 -delete
cp -a /run/small/. /run/large
umount /var/lib/book-shop /run/small /run/large
SH
}

@test "with a full disk, a deploy is refused and a rollback succeeds" {
  image=$(new 1.13.0)
  small_disk
  for environment in dev prod; do
    refused "$environment" "$image" "MB are free"
    run "$SHOP/scripts/rollback" "$environment"
    assert_success
  done
  larger_disk
  for environment in dev prod; do assert_heals "$environment"; done
}

@test "with a broken NGINX configuration, deploys succeed and the install script repairs it" {
  into_host sh -c 'cat >>/etc/nginx/conf.d/book-shop.conf' <<<'server { broken'
  for environment in dev prod; do
    watch "$environment"
    assert_heals "$environment"
    assert_served_throughout
  done
  install_host
  on_host nginx -t
  for environment in dev prod; do back_within_a_minute "$environment"; done
}

@test "the install script and a deploy restore a deleted table of the switch" {
  on_host nft delete table ip book_shop_switch
  install_host
  back_within_a_minute dev
  on_host nft delete table ip book_shop_switch
  assert_heals dev
}

@test "deploy fails at the migration while PostgreSQL is down, and succeeds afterwards" {
  for environment in dev prod; do
    image=$(good "$environment")
    on_host systemctl stop postgresql 'postgresql@*'
    before=$(serving "$environment")
    deploy "$environment" "$image"
    on_host systemctl start postgresql
    back_within_a_minute "$environment"
    assert_failed_deploy "$environment" "$before" "the migration failed"
    assert_heals "$environment"
  done
}

@test "dev heals after a restart of Docker at each step of a deploy" {
  # systemd refuses a fourth start within a minute; the deploys restart Docker as well.
  restart_docker() {
    on_host systemctl reset-failed docker
    on_host systemctl restart docker
  }
  for step in migrate "start slot" switch drain; do
    watch dev
    during dev "$(good dev)" "$step" restart_docker
    back_within_a_minute dev
    # A starting daemon rewrites its rules: the slot's port refuses connections for a moment.
    lost "Docker restarted at $step"
    # The output agrees with the result.
    if [ "$status" = 0 ]; then assert_output --partial "==> dev serves $(serving dev)"; else assert_output --partial "live"; fi
    assert_heals dev
  done
}

@test "prod heals after a restart of the kubelet or API server at each step of a deploy" {
  for unit in kubelet kube-apiserver; do
    for step in migrate "roll out" drain; do
      watch prod
      during prod "$(good prod)" "$step" on_host systemctl restart "$unit"
      back_within_a_minute prod
      # A starting kubelet may mark pods as not ready until a probe (kubernetes/kubernetes#100277).
      case $unit in
        kubelet) lost "kubelet restarted at $step" ;;
        *) assert_served_throughout ;;
      esac
      # Only Kubernetes knows which image is live after a failure.
      if [ "$status" = 0 ]; then assert_output --partial "==> prod serves $(serving prod)"; else assert_output --partial "Still live: "; fi
      assert_heals prod
    done
  done
}
