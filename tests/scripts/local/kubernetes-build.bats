#!/usr/bin/env bats
load ../../lib/shop.bash

# The project's script and modules, over a Go that writes a file for each tool and a compiler that writes "pause".
setup() {
  start_shop local/kubernetes-build
  tools awk cksum cp cut find flock grep head mv seq sha256sum sort tail touch
  called_by root
  logged apt-get
  mkdir scripts/local/kubernetes
  cp -r "$ROOT/scripts/local/kubernetes/modules" scripts/local/kubernetes/
  # shellcheck disable=SC2016 # the fakes themselves expand them
  {
    logged gcc 'while [ "$1" != -o ]; do shift; done; echo pause >"$2"'
    logged go 'module=${PWD##*/}
case $1 in
  list) sed -n "s,^[a-z]*[[:space:]]*${!#} \(v[^ ]*\).*,\1,p" go.mod ;;
  build)
    [ "${GO_FAILS:-}" != "$module" ] || { echo "main.go:1: $module is broken"; exit 1; }
    while [ "$1" != -o ]; do shift; done
    for tool in $(grep -oE "[a-z0-9.]+/[^ ]+$" go.mod); do echo "$module" >"$2/${tool##*/}"; done
    for number in $(seq 501); do echo "package/$number"; done ;;
esac'
    fake_in_shop scripts/local/go 'echo go'
  }
}

builds() { grep -c '^go build' "$LOG" || true; }

@test "kubernetes-build: builds every program once, shows its progress and prints their directory" {
  verb local/kubernetes-build
  directory=$output
  assert_regex "$directory" "^$XDG_CACHE_HOME/book-shop/kubernetes-1\.[0-9]+\.[0-9]+-[0-9a-f]{12}\$"
  for name in kube-apiserver kube-controller-manager kube-proxy kube-scheduler kubectl kubelet \
    containerd containerd-shim-runc-v2 ctr kine pause; do
    [ -s "$directory/$name" ] || fail "$name is missing"
  done
  assert_equal "$(cat "$directory/pause.tar")" "saved localhost/pause:1"
  assert_errors "==> building kubernetes
    250 packages compiled
    500 packages compiled
==> building containerd"
  refute_errors package/1
  next_verb local/kubernetes-build
  assert_answer "$directory" ""
  assert_log ""
}

@test "kubernetes-build: shows the cause of a failure, and continues there in the next run" {
  for module in kubernetes containerd kine; do
    GO_FAILS=$module verb local/kubernetes-build
    assert_failed 1 "main.go:1: $module is broken"
  done
  for command in import save; do
    touch "$ENGINE/fails-$command"
    next_verb local/kubernetes-build
    assert_failed 1 "the engine fails to $command"
    rm "$ENGINE/fails-$command"
    # kubernetes and containerd were built before, at the second time kine as well.
    assert_equal "$(builds)" "$([ "$command" = import ] && echo 1 || echo 0)"
  done
  succeeds local/kubernetes-build
  assert_equal "$(builds)" 0
}

@test "kubernetes-build: builds again if a file is missing or damaged" {
  verb local/kubernetes-build
  built=$(cksum "$output"/*)
  for damage in "rm kubelet" "truncate -s 1 ctr" "rm pause.tar" "rm -r $output"; do
    (cd "$output" && $damage)
    succeeds local/kubernetes-build
    assert_errors "==> the build in '$output' is damaged, building it again"
    assert_equal "$(cksum "$output"/*)" "$built"
  done
  verb local/kubernetes-build
  assert_errors_whole ""
}

@test "kubernetes-build: a second build waits for the first" {
  directory=$(verb local/kubernetes-build && echo "$output")
  exec 8>"$directory.lock"
  flock 8
  timeout 60 env PATH="$TEST_DIR/bin" "$SHOP/scripts/local/kubernetes-build" >"$TEST_DIR/second" 2>&1 3>&- 8>&- &
  until grep -q "waiting for another build" "$TEST_DIR/second"; do kill -0 $!; done
  exec 8>&-
  wait $!
  assert_equal "$(tail -n 1 "$TEST_DIR/second")" "$directory"
}

@test "kubernetes-build: builds again if a go.sum has changed" {
  verb local/kubernetes-build
  first=$output
  for module in kubernetes containerd kine; do
    echo "example.org/module v1.0.0 h1:x=" >>"scripts/local/kubernetes/modules/$module/go.sum"
    succeeds local/kubernetes-build
    [ "$output" != "$first" ]
    assert_equal "$(builds)" 3
  done
}

@test "kubernetes-build: installs a missing C compiler" {
  rm "$TEST_DIR/bin/gcc"
  verb local/kubernetes-build # the fake apt-get installs nothing
  assert_equal "$(grep '^apt-get' "$LOG")" "$(apt_get update)
$(apt_get install -y --no-install-recommends gcc libc6-dev)"
}
