#!/usr/bin/env bats
load ../lib/shop.bash
setup() { start_shop; }

# assert_built COMMIT [OPTION...]: the answer is the snapshot of this commit, and it was built so.
assert_built() {
  assert_answer "$DELIVERY_REPOSITORY:$(snapshot_of "$1")"
  run grep '^docker buildx build' "$LOG"
  for option in "VERSION=1.0.0" "REVISION=$(head_of "$1")" "SOURCE=$(source_of "$1")" "SOURCE_DATE_EPOCH=$(git log -1 --format=%ct "$1")" "${@:2}"; do
    assert_output --partial " --build-arg $option "
  done
  assert_equal "$(tail -n 1 "$ENGINE/tags")" "$DELIVERY_REPOSITORY:$(snapshot_of "$1")"
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

# image_does BODY: what the build does in the directory of the image's files.
image_does() {
  printf '#!/bin/bash\n%s\n' "$1" >"$ENGINE/build"
  chmod +x "$ENGINE/build"
}

@test "image: line endings and attributes of the caller change nothing" {
  # shellcheck disable=SC2016 # Git expands the format
  change book-shop/a.txt '$Format:%H$'
  git config core.autocrlf true
  mkdir -p .git/info
  echo '*.txt export-subst eol=crlf' >.git/info/attributes
  echo 'shop.yaml export-ignore' >>.git/info/attributes
  git cat-file blob HEAD:book-shop/a.txt >"$TEST_DIR/expected"
  succeeds image
  cmp "$TEST_DIR/expected" "$ENGINE/context/a.txt"
  [ -e "$ENGINE/context/k8s/shop.yaml" ]
}

@test "image: names entries that no image can contain, and builds nothing" {
  printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n' >book-shop/cover.png
  ln -s ../README.md book-shop/readme
  commit "a pointer and a link"
  verb image
  assert_failed 1 "book-shop/cover.png: a Git LFS pointer" "book-shop/readme: a link out of its directory" "remedy: "
  assert_log "docker version
docker buildx version"
}

@test "image: gives no tag to an image that differs from its commit, and names the differences" {
  tools chmod
  change book-shop/a.txt text
  image_does 'rm a.txt; echo more >more.py; mkdir staticfiles; echo generated >staticfiles/a.css; chmod +x k8s/shop.yaml'
  verb image
  assert_failed 1 "a.txt: missing" "more.py: not in the commit" "k8s/shop.yaml: executable"
  refute_errors a.css
  [ ! -e "$ENGINE/tags" ]
}

@test "image: the labels name the base image and its digest" {
  digest=sha256:$(printf '1%.0s' {1..64})
  change book-shop/Dockerfile "ARG BASE_IMAGE=example.com/python:3.13@$digest"
  change book-shop/Dockerfile "FROM example.com/python:3.14@$digest AS pinned"
  while read -r version commit; do
    succeeds image "$commit"
    run grep '^docker buildx build' "$LOG"
    assert_output --partial " --label org.opencontainers.image.base.name=example.com/python:$version "
    assert_output --partial " --label org.opencontainers.image.base.digest=$digest "
  done <<<$'3.14 HEAD\n3.13 HEAD~1'
  DELIVERY_BASE_IMAGE=mirror.example.com/python:3 succeeds image
  assert grep -F -- " --label org.opencontainers.image.base.name=mirror.example.com/python:3 " "$LOG"
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
