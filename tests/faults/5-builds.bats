#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Images against their commit, built by the real engine: what the caller's git settings change, what
# no image can contain, and two builds of one commit. They need no host.
load ../e2e/e2e.bash
setup() { CLEAN=$(head_of_shop); }
teardown() { git -C "$SHOP" reset -q --hard "$CLEAN"; }

# content IMAGE PATH: prints a file of an image, which does not run.
content() {
  local container
  container=$(docker create "$1")
  docker cp "$container:/app/$2" - | tar -xO
  docker rm "$container" >/dev/null
}

@test "an image has the content of its commit, whatever the caller's git settings are" {
  # shellcheck disable=SC2016 # Git expands the format
  printf 'a\n$Format:%%H$\n' >"$SHOP/book-shop/a.txt"
  printf 'b\r\n' >"$SHOP/book-shop/b.bin"
  printf '*\n' >"$SHOP/book-shop/.dockerignore"
  printf 'a.txt export-ignore\n*.po export-ignore\n*.bin binary\n' >"$SHOP/book-shop/.gitattributes"
  commit "files that git archive would change"
  git -C "$SHOP" config core.autocrlf true
  echo '*.txt export-subst eol=crlf' >"$SHOP/.git/info/attributes"
  run --separate-stderr shop image
  git -C "$SHOP" config --unset core.autocrlf
  rm "$SHOP/.git/info/attributes"
  assert_success
  image=${lines[-1]}
  for file in a.txt b.bin .dockerignore .gitattributes locale/ar/LC_MESSAGES/django.po Dockerfile; do
    assert_equal "$(content "$image" "$file" | git hash-object --stdin --no-filters)" \
      "$(git -C "$SHOP" rev-parse "HEAD:book-shop/$file")"
  done
}

@test "a build that drops or changes a file of the commit fails, and there is no image to push" {
  sed -i 's,^COPY \. \./$,&\nRUN rm -r k8s/overlays \&\& echo >>manage.py,' "$SHOP/book-shop/Dockerfile"
  commit "a Dockerfile that changes files"
  run shop image
  assert_failure
  assert_line --regexp '^ +k8s/overlays: missing$'
  assert_line --regexp '^ +manage.py: changed$'
  run docker image inspect "$DELIVERY_REPOSITORY:$("$SHOP/scripts/version" snapshot)"
  assert_failure
}

@test "two builds of a commit from nothing, in two clones at two times, are the same image" {
  shop image
  git -C "$SHOP" commit -q --allow-empty -m "another commit with the same content" # as is in the builder's cache
  docker image inspect --format '{{.Id}} {{.RootFS.Layers}}' "$(shop image)" >"$BATS_TEST_TMPDIR/first"
  git clone -q "$SHOP" "$BATS_TEST_TMPDIR/elsewhere"
  # The builder's cache would make them equal.
  mkdir "$BATS_TEST_TMPDIR/bin"
  # shellcheck disable=SC2016 # the shim itself expands them
  printf '#!/bin/bash\nif [ "$1 $2" = "buildx build" ]; then set -- buildx build --no-cache "${@:3}"; fi\nexec %s "$@"\n' \
    "$(type -P docker)" >"$BATS_TEST_TMPDIR/bin/docker"
  chmod +x "$BATS_TEST_TMPDIR/bin/docker"
  (umask 077 && PATH=$BATS_TEST_TMPDIR/bin:$PATH TZ=Asia/Tokyo "$BATS_TEST_TMPDIR/elsewhere/scripts/image") >"$BATS_TEST_TMPDIR/image"
  docker image inspect --format '{{.Id}} {{.RootFS.Layers}}' "$(<"$BATS_TEST_TMPDIR/image")" >"$BATS_TEST_TMPDIR/second"
  assert_equal "$(<"$BATS_TEST_TMPDIR/second")" "$(<"$BATS_TEST_TMPDIR/first")"
  echo "# $(<"$BATS_TEST_TMPDIR/first")" >&3
}
