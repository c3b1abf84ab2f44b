#!/usr/bin/env bats
# shellcheck disable=SC2016 # the fakes themselves expand what is quoted
# tests/e2e/1-demo.bats runs it twice, tests/faults/4-rebuild.bats after the host's container was removed.
load ../../lib/shop.bash
setup() {
  start_shop local/up
  tools cmp cp date mv sort timeout uniq
  fake_in_shop scripts/local/check-port '[[ "$*" != "${TAKEN:-nothing} "* ]] || { echo "port taken" >&2; exit 1; }'
  fake_in_shop scripts/local/base-image 'echo base:made'
  fake_in_shop scripts/local/kubernetes-build 'echo /cache/kubernetes-1.2.3-abc'
  fake_in_shop scripts/local/certificate
  fake_in_shop scripts/local/network 'echo 172.30.0.0/16'
  script_is "first script"
  logged sysctl 'echo "kernel.panic = 0"'
  public_servers no
  mkdir scripts/local/host
  echo 'listen on REGISTRY_PORT' >scripts/local/host/vendor-data
  echo renew >scripts/local/host/renew-var
  host_does 'case "$*" in
  "-i test-host python3 -") cat >"$ENGINE/ran"; [ ! -f "$ENGINE/script-fails" ] || { echo "apt is locked" >&2; exit 100; } ;;
  *cloud-init-output.log) echo "E: no such package" ;;
  "test-host sh -c"*) [ ! -f "$ENGINE/cloud-init-fails" ] ;;
esac'
  seed=$XDG_CACHE_HOME/book-shop/demo/test
}

script_is() { fake_in_shop scripts/local/user-data "echo '$1'"; } # the content of the install script
# everything_reachable: makes the public registry and k3s reachable.
everything_reachable() {
  fake_in_shop scripts/local/base-image
  public_servers yes
}
# did: prints the steps in short, for example "network,kubernetes-build,build,run -d,exec".
did() {
  sed -nE 's,^scripts/local/(network|kubernetes-build).*,\1,p; s/^(sysctl|reaches) .*/\1/p
s/^docker (build|run -d|run --rm|start|stop|rm|exec -i|exec).*/\1/p' "$LOG" | paste -sd,
}
# assert_run NAME OPTION...: the container was started with these.
assert_run() {
  run grep "^docker run -d --name $1 " "$LOG"
  for option in "${@:2}"; do assert_output --partial " $option "; done
}

@test "up: the first run creates the registry and the host, with the files for cloud-init" {
  verb local/up
  assert_answer "" $'==> registry on localhost:5000\n==> building the local host\n==> cloud-init'
  assert_equal "$(did)" "reaches,sysctl,network,kubernetes-build,build,run -d,build,run -d,exec"
  assert_equal "$(grep check-port "$LOG")" "scripts/local/check-port HTTP_PORT 80 test-host
scripts/local/check-port DEV_PORT 8080 test-host
scripts/local/check-port REGISTRY_PORT 5000 test-registry"
  assert_run test-registry "--network test --network-alias registry" "-p 127.0.0.1:5000:5000" \
    "-v test-registry:/var/lib/registry" "--restart unless-stopped"
  assert_run test-host "-p 127.0.0.1:80:80 -p 127.0.0.1:8080:8080" "--network test --ip 172.30.0.10" "-v test-host:/var" \
    "-v $seed:/var/lib/cloud/seed/nocloud:ro" "--hostname test-host" "--stop-timeout 60"
  run grep '^docker build' "$LOG"
  assert_line --partial "--build-arg BASE_IMAGE=base:made --tag test-registry scripts/local/registry"
  assert_line --partial "--build-arg BASE_IMAGE=base:made --target host-with-kubernetes \
--build-context kubernetes=/cache/kubernetes-1.2.3-abc --tag test-host"
  assert_equal "$(cat "$seed/user-data" "$seed/vendor-data" "$seed/sysctl")" $'first script\nlisten on 5000\nkernel.panic = 0'
  assert_equal "$(sed 's/[0-9]\{10,\}/NOW/' "$seed/meta-data")" $'instance-id: i-NOW\nlocal-hostname: test-host'
  assert_equal "$(ls "$seed")" $'meta-data\nports\nsysctl\nuser-data\nvendor-data'
}

@test "up: publishes other ports, and saves them for the next verbs" {
  DELIVERY_HTTP_PORT=81 DELIVERY_DEV_PORT=8081 DELIVERY_REGISTRY_PORT=5001 succeeds local/up
  assert_run test-registry "-p 127.0.0.1:5001:5000"
  assert_run test-host "-p 127.0.0.1:81:80 -p 127.0.0.1:8081:8080"
  assert_equal "$(cat "$seed/vendor-data")" "listen on 5001"
  assert_equal "$(cat "$seed/ports")" "DELIVERY_HTTP_PORT ?= 81
DELIVERY_DEV_PORT ?= 8081
DELIVERY_REGISTRY_PORT ?= 5001"
}

@test "up: saves HTTPS for the next verbs, and checks its port" {
  DELIVERY_HTTPS=1 DELIVERY_HTTPS_PORT=9443 succeeds local/up
  assert_equal "$(grep check-port "$LOG" | tail -n 1)" "scripts/local/check-port HTTPS_PORT 9443 test-https"
  assert grep -qxF "scripts/local/certificate $seed/https" "$LOG"
  assert_equal "$(tail -n 3 "$seed/ports")" "export DELIVERY_HTTPS ?= 1
export DELIVERY_HTTPS_PORT ?= 9443
export DELIVERY_CA_FILE ?= $seed/https/ca.crt"
  DELIVERY_HTTPS=0 succeeds local/up
  refute grep HTTPS "$seed/ports"
  refute grep -E 'HTTPS_PORT|certificate' "$LOG"
}

@test "up: refuses another HTTPS than 0 or 1, and a port that is used twice, before any change" {
  for https in yes 2 true ' ' "1 " 01; do
    DELIVERY_HTTPS=$https DELIVERY_HTTPS_PORT=8443 next_verb local/up
    assert_failed 2 "invalid HTTPS '$https': expected 0 or 1"
    assert_log ""
  done
  (unset DELIVERY_HTTPS_PORT && DELIVERY_HTTPS=1 next_verb local/up && assert_failed 1 "DELIVERY_HTTPS_PORT: ")
  while read -r http dev registry https same; do
    DELIVERY_HTTP_PORT=$http DELIVERY_DEV_PORT=$dev DELIVERY_REGISTRY_PORT=$registry DELIVERY_HTTPS=1 \
      DELIVERY_HTTPS_PORT=$https next_verb local/up
    assert_failed 2 "port '$same' is used twice"
    refute grep -v check-port "$LOG"
  done <<'TABLE'
80 80 5000 8443 80
80 8080 8080 8443 8080
80 8080 5000 80 80
8443 8080 5000 8443 8443
81 81 81 81 81
TABLE
  DELIVERY_HTTP_PORT=5000 next_verb local/up
  assert_failed 2 "port '5000' is used twice"
  TAKEN=HTTPS_PORT DELIVERY_HTTPS=1 DELIVERY_HTTPS_PORT=9443 next_verb local/up
  assert_failed 1 "port taken"
  [ ! -e "$XDG_CACHE_HOME" ]
}

@test "up: builds nothing if the public registry and k3s are reachable, and keeps a host with k3s" {
  everything_reachable
  succeeds local/up
  assert_equal "$(did)" "reaches,sysctl,network,build,run -d,build,run -d,exec"
  refute grep BASE_IMAGE "$LOG"
  assert grep -F -- "--target host --tag" "$LOG"
  public_servers no # GitHub is out of reach now
  succeeds local/up
  assert_equal "$(did)" "network,start,exec"
}

@test "up: fails before any change if GitHub is slow or answers with an error" {
  public_servers fail
  verb local/up
  assert_failed 1 "the server is slow"
  assert_equal "$(did)" reaches
}

@test "up: builds Kubernetes without a network request with DELIVERY_CLOSED_NETWORK=1" {
  everything_reachable
  DELIVERY_CLOSED_NETWORK=1 succeeds local/up
  assert_equal "$(did)" "sysctl,network,kubernetes-build,build,run -d,build,run -d,exec"
  assert grep -F -- "--target host-with-kubernetes" "$LOG"
}

@test "up: rebuilds a host with another Kubernetes, and keeps secrets that are not in its volume" {
  verb local/up
  while IFS='|' read -r made_with steps given; do
    echo "$made_with" >"$ENGINE/labels/test-host"
    : >"$ENGINE/given"
    succeeds local/up
    assert_errors "rebuilding it with kubernetes-1.2.3-abc and its data" "keeping the data in the volume test-host"
    assert_equal "$(did)" "${steps},run --rm,run -d,exec"
    assert_equal "$(paste -sd, "$ENGINE/given")" "$given"
    assert_equal "$(cat "$ENGINE/labels/test-host")" kubernetes-1.2.3-abc
  done <<'TABLE'
kubernetes-1.2.2-abc|network,kubernetes-build,build,stop,rm|renew
|reaches,network,kubernetes-build,build,stop,run --rm,rm|files of - test-host:/etc/book-shop,renew
TABLE
}

@test "up: creates a missing registry and keeps the host" {
  verb local/up
  rm "$ENGINE/containers/test-registry"
  succeeds local/up
  assert_equal "$(did)" "network,kubernetes-build,build,run -d,start,exec"
  assert_run test-registry
  assert_success
}

@test "up: runs a changed install script on the running host until it succeeds, then not again" {
  verb local/up
  script_is "second script"
  touch "$ENGINE/script-fails"
  verb local/up
  assert_failed 1 "apt is locked" "the install script failed on the local host" "make demo"
  assert_equal "$(cat "$seed/user-data")" "first script"
  rm "$ENGINE/script-fails" "$ENGINE/ran"
  succeeds local/up
  assert_errors "==> the install script has changed"
  assert_equal "$(did)" "network,kubernetes-build,start,exec,exec -i"
  assert_equal "$(cat "$ENGINE/ran" "$seed/user-data")" $'second script\nsecond script'
  succeeds local/up
  assert_equal "$(did)" "network,kubernetes-build,start,exec"
}

@test "up: shows the last lines of a failed first boot in each run" {
  touch "$ENGINE/cloud-init-fails"
  for _ in first second; do
    verb local/up
    assert_failed 1 "E: no such package" "the install script failed on the local host, see above" \
      "docker rm -f test-host && make demo" "make demo-down demo"
  done
}

@test "up: creates the host if the previous run failed to" {
  for command in build run; do
    touch "$ENGINE/fails-$command"
    verb local/up
    assert_failed 1 "the engine fails to $command"
    rm "$ENGINE/fails-$command"
  done
  succeeds local/up
  # Without sysctl: the kernel's settings as they were the first time.
  assert_equal "$(did)" "reaches,network,kubernetes-build,build,run -d,build,run -d,exec"
}

@test "up: refuses a port in use, an invalid name or setting and an invalid install script before any change" {
  for TAKEN in HTTP_PORT DEV_PORT REGISTRY_PORT; do
    TAKEN=$TAKEN verb local/up
    assert_failed 1 "port taken"
  done
  refute grep -v check-port "$LOG"
  for name in Shop ../shop -x 'a b' 1 "$(printf 'a%.0s' {1..42})"; do
    DELIVERY_DEMO=$name next_verb local/up
    assert_failed 2 "invalid demo name '$name'"
    assert_log ""
  done
  assert_demands local/up DEMO REPOSITORY HTTP_PORT DEV_PORT REGISTRY_PORT
  [ ! -e "$XDG_CACHE_HOME" ]
  fake_in_shop scripts/local/user-data 'echo "not a repository" >&2; exit 2'
  verb local/up
  assert_failure 2
  assert_equal "$(did)" ""
}

@test "up: reports the ports of an existing host if they differ" {
  verb local/up
  DELIVERY_HTTP_PORT=81 next_verb local/up
  assert_failed 1 "with the ports '80 8080'" "make demo-down demo"
  assert_equal "$(did)" ""
}
