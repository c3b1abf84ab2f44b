#!/usr/bin/env bats
load ../lib/shop.bash
setup() { start_shop; }

# assert_built COMMIT [OPTION...]: the answer is the snapshot of this commit, and it was built so.
assert_built() {
  assert_answer "$DELIVERY_REPOSITORY:$(snapshot_of "$1")"
  run grep '^docker buildx build' "$LOG"
  for option in "VERSION=1.0.0" "REVISION=$(head_of "$1")" "SOURCE=$(source_of "$1")" "${@:2}"; do
    assert_output --partial " --build-arg $option "
  done
}
not_built() { refute grep 'buildx build' "$LOG"; }

@test "image: builds the commit with k8s/ and prints only the reference" {
  mkdir -p book-shop/books && echo 'a' >book-shop/books/models.py && commit more
  echo x >README.md # not a part of the image
  verb image
  assert_errors_whole $'==> building '"$(snapshot_of)"$'\nbuilt by the engine'
  assert_built HEAD
  diff -r k8s "$ENGINE/context/k8s"
  rm -r "$ENGINE/context/k8s"
  diff -r book-shop "$ENGINE/context"
}

@test "image: reports a dirty work tree and ignores its changes" {
  echo 'changed' >>k8s/shop.yaml
  echo 'new' >book-shop/new.py
  succeeds image
  assert_errors "the content of commit $(head_of), without the changes of the work tree: book-shop/new.py, k8s/shop.yaml"
  assert_equal "$(cat "$ENGINE/context/k8s/shop.yaml")" "kind: Deployment"
  [ ! -e "$ENGINE/context/new.py" ]
}

@test "image: builds an older commit from its own files" {
  change book-shop/new.py later
  verb image HEAD~1
  assert_built HEAD~1
  [ ! -e "$ENGINE/context/new.py" ]
}

@test "image: labels the image with the pages of the commit, and refuses an invalid list before the build" {
  change book-shop/smoke.json $'[\n{"path": "/", "status": 200, "marker": "x y"}\n]'
  verb image
  assert_built HEAD
  run grep '^docker buildx build' "$LOG"
  assert_output --partial ' --label book-shop.smoke=[{"path":"/","status":200,"marker":"x y"}] '
  : >"$LOG"
  change book-shop/smoke.json '[{"path": "http://example.org/", "status": 200, "marker": "x"}]'
  next_verb image
  assert_failed 1 "invalid book-shop/smoke.json in commit $(head_of)" "path must begin with one /"
  not_built
}

@test "image: uses DELIVERY_BASE_IMAGE, or else the output of scripts/local/base-image" {
  DELIVERY_BASE_IMAGE=base:mine verb image
  assert_built HEAD BASE_IMAGE=base:mine
  refute grep base-image "$LOG"
  fake_in_shop scripts/local/base-image '[ "$*" = app ] && echo base:local'
  next_verb image
  assert_built HEAD BASE_IMAGE=base:local
  fake_in_shop scripts/local/base-image # the Dockerfile's own
  next_verb image
  assert_built HEAD
  refute grep BASE_IMAGE "$LOG"
  fake_in_shop scripts/local/base-image 'echo "no base" >&2; exit 1'
  next_verb image
  assert_failed 1 "no base"
  not_built
}

@test "image: is for amd64 on AWS and a cluster, and for this machine on the local host" {
  while read -r host prod platform; do
    DELIVERY_HOST=$host DELIVERY_PROD=$prod next_verb image
    assert_success
    assert_equal "$(grep -oE -- '--platform [^ ]+' "$LOG")" "${platform:+--platform $platform}"
  done <<'TABLE'
local host
local cluster linux/amd64
aws host linux/amd64
aws cluster linux/amd64
TABLE
}

@test "image: two runs build in the same way, and no run leaves temporary files, even if it fails" {
  verb image
  mv "$LOG" "$TEST_DIR/once"
  succeeds image
  assert_log "$(cat "$TEST_DIR/once")"
  touch "$ENGINE/fails"
  verb image
  assert_failed 1 "built by the engine"
  rmdir "$TMPDIR"
}

@test "image: refuses an unknown commit, one without k8s/, and a missing REPOSITORY before any change" {
  verb image nowhere
  assert_failed 2 "commit 'nowhere' not found"
  verb image ""
  assert_failed 2 "commit '' not found"
  rm -r k8s
  commit "no manifests"
  verb image
  assert_failed 1 "cannot build an image of commit $(head_of)" "no directory k8s/" "remedy: git log --oneline -- k8s"
  assert_log ""
  assert_demands image REPOSITORY
}

@test "image: without an engine or BuildKit, names make setup-image and builds nothing" {
  touch "$ENGINE/no-buildx"
  verb image
  assert_failed 1 "docker has no BuildKit" "make setup"
  rm -r "$ENGINE"
  verb image
  assert_failed 1 "the Docker engine does not answer" "make setup" "Cannot connect"
  rm "$TEST_DIR/bin/docker"
  verb image
  assert_failed 1 "docker is not on the PATH" "make setup"
  not_built
}
