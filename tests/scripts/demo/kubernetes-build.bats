#!/usr/bin/env bats
load ../../lib/shop.bash
setup() {
  start_shop
  real demo/kubernetes-build
  tools mv
  fake_in_shop scripts/demo/base-image 'echo base:made'
  directory=$TEST_DIR/cache/kubernetes
  mkdir -p "$directory" # BuildKit makes it
}
teardown() { stop_shop; }

@test "kubernetes-build: builds the servers and the pause image into the directory" {
  verb demo/kubernetes-build "$directory"
  assert_success
  assert_output ""
  assert_errors "==> building Kubernetes"
  assert_log "scripts/demo/base-image host
docker build --quiet --build-arg BASE_IMAGE=base:made --target servers --output type=local,dest=$directory scripts/demo/kubernetes
docker build --quiet --build-arg BASE_IMAGE=base:made --target pause --tag localhost/pause:1 scripts/demo/kubernetes
docker save localhost/pause:1"
  assert_equal "$(cat "$directory/pause.tar")" "saved localhost/pause:1"
}

@test "kubernetes-build: the second time it does nothing" {
  verb demo/kubernetes-build "$directory"
  : >"$LOG"
  verb demo/kubernetes-build "$directory"
  assert_success
  assert_errors_whole ""
  assert_log ""
}

@test "kubernetes-build: what fails half-way is done again" {
  for command in build save; do
    touch "$ENGINE/fails-$command"
    verb demo/kubernetes-build "$directory"
    assert_failed 1 "the engine fails to $command"
    rm "$ENGINE/fails-$command"
    : >"$LOG"
    verb demo/kubernetes-build "$directory"
    assert_success
    assert_equal "$(wc -l <"$LOG")" 4
    rm "$directory/pause.tar"
  done
}

@test "kubernetes-build: -h and wrong calls" { assert_wrong_calls demo/kubernetes-build relative/directory "/a /b"; }
