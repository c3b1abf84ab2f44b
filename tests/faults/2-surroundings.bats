#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# What a deploy depends on fails.
load faults.bash
setup_file() { start_faults; }
setup() { start_case; }
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
refused() { # ENVIRONMENT IMAGE TEXT
  local before
  before=$(serving "$1")
  watch "$1"
  deploy "$1" "$2"
  assert_failed_deploy "$1" "$before" "$3"
  assert_served_throughout
}

@test "the registry is down" {
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

@test "the registry breaks off during the pull, or answers 429 or 500" {
  image=$(new 1.12.0)
  for fault in cut 429 500; do
    on_host systemctl stop registry-proxy.socket registry-proxy.service
    docker exec -i "$DELIVERY_DEMO-host" python3 - "${DELIVERY_REPOSITORY//[!0-9]/}" registry:5000 "$fault" <"$FAULTS/bad_registry.py" 3>&- &
    until on_host curl -s -o /dev/null "http://${DELIVERY_REPOSITORY%%/*}/v2/"; do kill -0 $!; done
    for environment in dev prod; do refused "$environment" "$image" "cannot pull '$image'"; done
    on_host pkill -f "registry:5000 $fault"
    wait $! || true # it was killed
    on_host systemctl start registry-proxy.socket
  done
  for environment in dev prod; do assert_heals "$environment"; done
}

# What the host remembers lies on a small disk, as if the large one were nearly full: to fill that would be felt by all on this machine.
small_disk() {
  docker exec -i "$DELIVERY_DEMO-host" sh -eu <<'SH'
mkdir -p /run/large /run/small
mount --bind /var/lib/book-shop /run/large
mount --make-private /run/large # or what is mounted over the one is over the other too
mount -t tmpfs -o size=1500m small /run/small
cp -a /var/lib/book-shop/. /run/small
mount --bind /run/small /var/lib/book-shop
SH
}
larger_disk() {
  docker exec -i "$DELIVERY_DEMO-host" sh -eu <<'SH'
mountpoint -q /run/large || exit 0
find /run/large -mindepth 1 -delete
cp -a /run/small/. /run/large
umount /var/lib/book-shop /run/small /run/large
SH
}

@test "the disk is full: a deploy is refused, a rollback is not" {
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

@test "NGINX's configuration is broken by hand: deploys go on, and the install script mends it" {
  docker exec -i "$DELIVERY_DEMO-host" sh -c 'cat >>/etc/nginx/conf.d/book-shop.conf' <<<'server { broken'
  for environment in dev prod; do
    watch "$environment"
    assert_heals "$environment"
    assert_served_throughout
  done
  "$SHOP/scripts/demo/user-data" | docker exec -i "$DELIVERY_DEMO-host" python3 -
  on_host nginx -t
  for environment in dev prod; do back_within_a_minute "$environment"; done
}

@test "the table of the switch is deleted by hand: the install script loads it again, and so does a deploy" {
  on_host nft delete table ip book_shop_switch
  "$SHOP/scripts/demo/user-data" | docker exec -i "$DELIVERY_DEMO-host" python3 -
  back_within_a_minute dev
  on_host nft delete table ip book_shop_switch
  assert_heals dev
}

@test "PostgreSQL is down: the deploy fails before anything serves, and all is well once it is back" {
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

@test "Docker restarts in the middle of a deploy to dev, at each step" {
  # systemd refuses a fourth start within a minute; the deploys restart Docker as well.
  restart_docker() {
    on_host systemctl reset-failed docker
    on_host systemctl restart docker
  }
  for step in migrate "start slot" switch drain; do
    watch dev
    during dev "$(good dev)" "$step" restart_docker
    back_within_a_minute dev
    # A daemon that starts writes its rules anew: for some tenths of a second nobody is behind the slot's port.
    lost "Docker restarted at $step"
    # Whichever way it ended, it said so.
    if [ "$status" = 0 ]; then assert_output --partial "==> dev serves $(serving dev)"; else assert_output --partial "live"; fi
    assert_heals dev
  done
}

@test "Kubernetes restarts in the middle of a deploy to prod, at each step" {
  for unit in kubelet kube-apiserver; do
    for step in migrate "roll out" drain; do
      watch prod
      during prod "$(good prod)" "$step" on_host systemctl restart "$unit"
      back_within_a_minute prod
      # A starting kubelet may mark pods as not ready until their first probe (kubernetes/kubernetes#100277).
      case $unit in
        kubelet) lost "kubelet restarted at $step" ;;
        *) assert_served_throughout ;;
      esac
      if [ "$status" = 0 ]; then assert_output --partial "==> prod serves $(serving prod)"; else assert_output --partial "Still live: "; fi # which one, only Kubernetes can tell
      assert_heals prod
    done
  done
}
