#!/usr/bin/env bats
load ../../lib/shop.bash
setup() {
  start_shop
  real demo/up demo/network
  tools cmp cp date mv timeout
  # shellcheck disable=SC2016 # the fake itself expands it
  fake_in_shop scripts/demo/check-port '[[ "$*" != "${TAKEN:-nothing} "* ]] || { echo "port taken" >&2; exit 1; }'
  fake_in_shop scripts/demo/base-image 'echo base:made'
  fake_in_shop scripts/demo/kubernetes-build 'echo /cache/kubernetes-1.2.3-abc'
  script_is "first script"
  logged sysctl 'echo "kernel.panic = 0"'
  logged curl 'exit 6'
  mkdir scripts/demo/host
  echo 'listen on REGISTRY_PORT' >scripts/demo/host/vendor-data
  # shellcheck disable=SC2016 # the fake itself expands it
  host_does 'case "$*" in
  "-i test-host python3 -") cat >"$ENGINE/ran"; [ ! -f "$ENGINE/script-fails" ] || { echo "apt is locked" >&2; exit 100; } ;;
  *cloud-init-output.log) echo "E: no such package" ;;
  "test-host sh -c"*) [ ! -f "$ENGINE/cloud-init-fails" ] ;;
esac'
  seed=$XDG_CACHE_HOME/book-shop/demo/test
}
teardown() { stop_shop; }

script_is() { fake_in_shop scripts/demo/user-data "echo '$1'"; } # what the install script is
# Each group of calls is one step of up; the two inspections of ports and label are those of a host that is there.
checked='scripts/demo/check-port HTTP_PORT 80 test-host
scripts/demo/check-port DEV_PORT 8080 test-host
scripts/demo/check-port REGISTRY_PORT 5000 test-registry
docker container inspect test-host'
inspected='docker inspect -f {{index .Config.Labels "kubernetes"}} test-host
docker inspect -f {{range .HostConfig.PortBindings}}{{(index . 0).HostPort}} {{end}} test-host'
saved='sysctl kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys kernel.keys.root_maxbytes vm.overcommit_memory'
waited='docker exec test-host sh -c until [ -f /run/cloud-init/result.json ]; do sleep 0.5; done; cloud-init status >/dev/null'
network='docker network inspect test
docker network create test-probe
docker network inspect -f {{(index .IPAM.Config 0).Subnet}} test-probe
docker network rm test-probe
docker network create --subnet 172.30.0.0/16 test
docker network inspect -f {{(index .IPAM.Config 0).Subnet}} test'
registry='docker container inspect test-registry
scripts/demo/base-image host
docker build --quiet --build-arg BASE_IMAGE=base:made --tag test-registry scripts/demo/registry
docker run -d --name test-registry --init --stop-signal SIGTERM --restart unless-stopped --network test --network-alias registry -p 127.0.0.1:5000:5000 -v test-registry:/var/lib/registry test-registry'
host() { # KUBERNETES TARGET...: its build and run
  echo "scripts/demo/base-image host
docker build --quiet --build-arg BASE_IMAGE=base:made ${*:2} --tag test-host --file scripts/demo/host/Dockerfile scripts/demo
docker volume inspect test-host
docker run -d --name test-host --hostname test-host --label kubernetes=$1 --network test --ip 172.30.0.10 --privileged --cgroupns private --stop-timeout 60 \
--tmpfs /run --tmpfs /run/lock -v test-host:/var -v $seed:/var/lib/cloud/seed/nocloud:ro -p 127.0.0.1:80:80 -p 127.0.0.1:8080:8080 test-host"
}
up_already="$checked
$inspected
scripts/demo/user-data
docker network inspect test
docker network inspect -f {{(index .IPAM.Config 0).Subnet}} test
scripts/demo/kubernetes-build
docker container inspect test-registry
docker start test-host test-registry
$waited"
files() { (cd "$seed" && sha256sum -- *); }

@test "up: the first time network, registry and host are made, in this order, with what cloud-init reads" {
  verb demo/up
  assert_success
  assert_output ""
  assert_errors_whole $'==> registry on localhost:5000\n==> machine in a container\n==> cloud-init'
  assert_log "$checked
scripts/demo/user-data
$saved
$network
curl -fsSL -m 10 -o /dev/null -I https://github.com/k3s-io/k3s/releases
scripts/demo/kubernetes-build
$registry
$(host kubernetes-1.2.3-abc --target host-with-kubernetes --build-context kubernetes=/cache/kubernetes-1.2.3-abc)
$waited"
  assert_equal "$(cat "$seed/user-data")" "first script"
  assert_equal "$(cat "$seed/vendor-data")" "listen on 5000"
  assert_equal "$(sed 's/[0-9]\{10,\}/NOW/' "$seed/meta-data")" $'instance-id: i-NOW\nlocal-hostname: test-host'
  assert_equal "$(cat "$seed/sysctl")" "kernel.panic = 0"
  assert_equal "$(ls "$seed")" $'meta-data\nports\nsysctl\nuser-data\nvendor-data'
}

@test "up: where public registry and k3s can be reached nothing is made here, and the ports are those chosen" {
  fake_in_shop scripts/demo/base-image
  logged curl
  DELIVERY_HTTP_PORT=81 DELIVERY_DEV_PORT=8081 DELIVERY_REGISTRY_PORT=5001 verb demo/up
  assert_success
  assert_equal "$(grep -E '^docker (build|run)' "$LOG")" "$(
    {
      sed '1,2d; s/127.0.0.1:5000:/127.0.0.1:5001:/' <<<"$registry"
      host k3s --target host | sed -e '/inspect\|base-image/d' -e 's/127.0.0.1:80:80 -p 127.0.0.1:8080:/127.0.0.1:81:80 -p 127.0.0.1:8081:/'
    } | sed 's/--build-arg BASE_IMAGE=base:made //'
  )"
  refute grep kubernetes-build "$LOG"
  assert_equal "$(cat "$seed/vendor-data")" "listen on 5001"
}

@test "up: DELIVERY_CLOSED_NETWORK=1 builds Kubernetes where k3s could be reached, and nothing is asked" {
  logged curl
  DELIVERY_CLOSED_NETWORK=1 verb demo/up
  assert_success
  refute grep curl "$LOG"
  assert grep -xF "scripts/demo/kubernetes-build" "$LOG"
  assert grep -F -- "--target host-with-kubernetes" "$LOG"
}

@test "up: the second time it starts nothing new and writes nothing" {
  verb demo/up
  before=$(files)
  : >"$LOG"
  verb demo/up
  assert_success
  assert_errors_whole "==> cloud-init"
  assert_log "$up_already"
  assert_equal "$(files)" "$before"
  [ ! -e "$ENGINE/ran" ]
}

@test "up: a host with k3s keeps it, and nothing is asked or built" {
  fake_in_shop scripts/demo/base-image
  logged curl
  verb demo/up
  : >"$LOG"
  logged curl 'exit 6' # GitHub is out of reach now
  verb demo/up
  assert_success
  refute grep -E 'curl|kubernetes-build|docker (build|run|stop)' "$LOG"
}

@test "up: a host whose container was removed is rebuilt on its volume, which is renewed first" {
  echo renew >scripts/demo/host/renew-var
  verb demo/up
  rm "$ENGINE/containers/test-host"
  : >"$LOG"
  verb demo/up
  assert_success
  assert_errors "==> keeping the data in the volume test-host"
  assert_equal "$(grep -oE '^docker (run --rm|run -d|stop|rm)' "$LOG")" $'docker run --rm\ndocker run -d'
  assert_equal "$(cat "$ENGINE/given")" renew
}

@test "up: a host that was made with another Kubernetes is rebuilt, with the secrets that are not in its volume" {
  echo renew >scripts/demo/host/renew-var
  verb demo/up
  for made_with in "" kubernetes-1.2.2-abc; do # none: before hosts had the label
    echo "$made_with" >"$ENGINE/labels/test-host"
    : >"$LOG"
    : >"$ENGINE/given"
    verb demo/up
    assert_success
    assert_errors "rebuilding it with kubernetes-1.2.3-abc and its data"
    assert_equal "$(grep -oE '^docker (stop|rm|run -d)' "$LOG")" $'docker stop\ndocker rm\ndocker run -d'
    case $made_with in
      "") assert_equal "$(cat "$ENGINE/given")" $'files of - test-host:/etc/book-shop\nrenew' ;;
      *) assert_equal "$(cat "$ENGINE/given")" renew ;;
    esac
    assert_equal "$(cat "$ENGINE/labels/test-host")" kubernetes-1.2.3-abc
  done
}

@test "up: the next verbs find the ports" {
  DELIVERY_HTTP_PORT=8000 DELIVERY_DEV_PORT=8001 DELIVERY_REGISTRY_PORT=5001 DELIVERY_REPOSITORY=localhost:5001/book-shop verb demo/up
  assert_success
  assert_equal "$(cat "$XDG_CACHE_HOME/book-shop/demo/test/ports")" "DELIVERY_HTTP_PORT ?= 8000
DELIVERY_DEV_PORT ?= 8001
DELIVERY_REGISTRY_PORT ?= 5001"
}

@test "up: a host that is there on other ports is named with them" {
  verb demo/up
  DELIVERY_HTTP_PORT=81 verb demo/up
  assert_failed 1 "on the ports 80 8080" "make demo-down demo"
}

@test "up: a host that lost its registry gets a new one and stays itself" {
  verb demo/up
  rm "$ENGINE/containers/test-registry"
  : >"$LOG"
  verb demo/up
  assert_success
  assert_equal "$(grep -E '^docker (build|run|start)' "$LOG")" "$(sed 1,2d <<<"$registry")
docker start test-host test-registry"
}

@test "up: a changed install script is run on the living host, once" {
  verb demo/up
  script_is "second script"
  : >"$LOG"
  verb demo/up
  assert_success
  assert_errors "==> the install script has changed"
  assert_log "$up_already
docker exec -i test-host python3 -"
  assert_equal "$(cat "$ENGINE/ran")" "second script"
  : >"$LOG"
  verb demo/up
  assert_success
  assert_log "$up_already"
}

@test "up: a changed install script that fails is not taken for done" {
  verb demo/up
  script_is "second script"
  touch "$ENGINE/script-fails"
  verb demo/up
  assert_failed 1 "apt is locked" "the install script failed on the local host" "make demo"
  assert_equal "$(cat "$seed/user-data")" "first script"
  rm "$ENGINE/script-fails" "$ENGINE/ran"
  verb demo/up
  assert_success
  assert_equal "$(cat "$ENGINE/ran")" "second script"
  assert_equal "$(cat "$seed/user-data")" "second script"
}

@test "up: a first boot that fails shows its last lines" {
  touch "$ENGINE/cloud-init-fails"
  verb demo/up
  assert_failed 1 "E: no such package" "the install script failed on the local host; its last lines are above" "docker rm -f test-host && make demo" "make demo-down demo"
  assert grep -xF "docker exec test-host tail -n 30 /var/log/cloud-init-output.log" "$LOG"
  verb demo/up # again: the failure is not forgotten
  assert_failed 1 "E: no such package"
}

@test "up: a host that could not be made is made the next time" {
  for command in build run; do
    touch "$ENGINE/fails-$command"
    verb demo/up
    assert_failed 1 "the engine fails to $command"
    rm "$ENGINE/fails-$command"
  done
  : >"$LOG"
  verb demo/up
  assert_success
  assert_equal "$(grep -c '^docker run' "$LOG")" 2
  refute grep "^$saved" "$LOG" # the kernel's settings as they were the first time
}

@test "up: a taken port, a bad name and an unset variable stop it before anything is touched" {
  for TAKEN in HTTP_PORT DEV_PORT REGISTRY_PORT; do
    export TAKEN
    verb demo/up
    assert_failed 1 "port taken"
  done
  refute grep -v check-port "$LOG"
  : >"$LOG"
  for name in Shop ../shop -x 'a b' 1 "$(printf 'a%.0s' {1..42})"; do
    DELIVERY_DEMO=$name verb demo/up
    assert_failed 2 "invalid demo name '$name'"
  done
  for name in DEMO REPOSITORY HTTP_PORT DEV_PORT REGISTRY_PORT; do
    declare -x "DELIVERY_$name="
    verb demo/up
    assert_failed 1 "DELIVERY_$name: call it by make"
    declare -x "DELIVERY_$name=x"
  done
  assert_log ""
  [ ! -e "$XDG_CACHE_HOME" ]
}

@test "up: an install script that can't be rendered touches nothing" {
  fake_in_shop scripts/demo/user-data 'echo "not a repository" >&2; exit 2'
  verb demo/up
  assert_failure 2
  assert_equal "$(grep -vE '^scripts/|^docker container inspect' "$LOG" || true)" ""
}

@test "up: -h and wrong calls" { assert_wrong_calls demo/up; }
