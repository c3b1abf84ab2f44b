#!/usr/bin/env bats
load ../lib/shop.bash
setup() { start_shop; }
teardown() { stop_shop; }

built() { # [COMMIT [BASE]]: the log of a build
  printf 'docker version\ndocker buildx version\n'
  [ -n "${2:-}" ] || printf 'scripts/demo/base-image app\n'
  printf 'docker buildx build --load --build-arg VERSION=1.0.0 --build-arg REVISION=%s --build-arg SOURCE=%s ' "$(head_of "$1")" "$(source_of "$1")"
  printf -- '%s--tag %s:%s CONTEXT' "${2:+--build-arg BASE_IMAGE=$2 }" "$DELIVERY_REPOSITORY" "$(snapshot_of "$1")"
}

@test "image: builds the commit with k8s/ inside and prints the reference alone" {
  mkdir -p book-shop/books && echo 'a' >book-shop/books/models.py && commit more
  verb image
  assert_success
  assert_output "$DELIVERY_REPOSITORY:$(snapshot_of)"
  assert_errors_whole $'==> building '"$(snapshot_of)"$'\nbuilt by the engine'
  assert_log "$(built HEAD)"
  run diff -r k8s "$ENGINE/context/k8s"
  assert_success
  rm -r "$ENGINE/context/k8s"
  run diff -r book-shop "$ENGINE/context"
  assert_success
}

@test "image: a dirty tree changes nothing in the image and is told" {
  echo 'changed' >>k8s/shop.yaml
  echo 'new' >book-shop/new.py
  verb image
  assert_success
  assert_errors "the work tree differs from commit $(head_of)" "book-shop/new.py, k8s/shop.yaml"
  assert_equal "$(cat "$ENGINE/context/k8s/shop.yaml")" "kind: Deployment"
  [ ! -e "$ENGINE/context/new.py" ]
}

@test "image: a change outside book-shop/ and k8s/ is no dirty tree" {
  echo x >README.md
  verb image
  assert_success
  refute_errors differs
}

@test "image: an older commit is built as it was" {
  change book-shop/new.py later
  verb image HEAD~1
  assert_success
  assert_output "$DELIVERY_REPOSITORY:$(snapshot_of HEAD~1)"
  assert_log "$(built HEAD~1)"
  [ ! -e "$ENGINE/context/new.py" ]
}

@test "image: BASE_IMAGE from the environment wins, else what scripts/demo/base-image prints" {
  DELIVERY_BASE_IMAGE=base:mine verb image
  assert_success
  assert_log "$(built HEAD base:mine)"
  : >"$LOG"
  fake_in_shop scripts/demo/base-image 'echo base:local'
  verb image
  assert_success
  assert_log "$(built HEAD base:local | sed '2a scripts/demo/base-image app')"
}

@test "image: a base image that can't be had stops it before the build" {
  fake_in_shop scripts/demo/base-image 'echo "no base" >&2; exit 1'
  verb image
  assert_failed 1 "no base"
  assert_log $'docker version\ndocker buildx version\nscripts/demo/base-image app'
}

@test "image: run twice it gives the same call" {
  verb image
  mv "$LOG" "$TEST_DIR/once"
  verb image
  assert_success
  assert_log "$(cat "$TEST_DIR/once")"
}

@test "image: nothing is left behind, whether the build succeeds or fails" {
  verb image
  touch "$ENGINE/fails"
  verb image
  assert_failed 1 "built by the engine"
  rmdir "$TMPDIR"
}

@test "image: a commit without k8s/ is refused before anything is touched" {
  rm -r k8s
  commit "no manifests"
  verb image
  assert_failed 1 "commit $(head_of) can't become an image" "no directory k8s/" "remedy: git log --oneline -- k8s"
  assert_log ""
}

@test "image: an unknown commit and a commit without VERSION touch nothing" {
  verb image nowhere
  assert_failed 2 "'nowhere' names no commit here"
  verb image ""
  assert_failed 2 "'' names no commit here"
  mv book-shop/{pyproject.toml,x}
  commit "no version"
  verb image
  assert_failed 1 "has no VERSION"
  assert_log ""
}

@test "image: without an engine it names make setup and builds nothing" {
  rm -r "$ENGINE"
  verb image
  assert_failed 1 "the Docker engine doesn't answer" "make setup" "Cannot connect"
  assert_log "docker version"
  rm "$TEST_DIR/bin/docker"
  verb image
  assert_failed 1 "there is no Docker engine here" "make setup"
}

@test "image: an engine without BuildKit names make setup and builds nothing" {
  touch "$ENGINE/no-buildx"
  verb image
  assert_failed 1 "docker has no BuildKit" "make setup"
  assert_log $'docker version\ndocker buildx version'
}

@test "image: REPOSITORY is demanded" {
  unset DELIVERY_REPOSITORY
  verb image
  assert_failed 1 "REPOSITORY: is not set: call this through make"
  assert_log ""
}

@test "image: -h and wrong calls" { assert_wrong_calls image; }
