#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Forbidden actions fail with a clear error and the right exit status, and change nothing.
load e2e.bash

setup_file() { start_demo; }
setup() { good=$(head_of_shop); }
teardown() { git -C "$SHOP" reset -q --hard "$good"; }

verb() { "$SHOP/scripts/$1" "${@:2}"; }

@test "promote refuses a source that has no snapshot" {
  echo >>"$SHOP/book-shop/manage.py"
  bump 2.0.0
  commit "never built"
  run verb promote
  assert_failure 1
  assert_output --partial "make image push"
  assert_equal "$(digest_of 2.0.0)" None
}

@test "promote refuses a release tag that belongs to another digest" {
  version=$(verb version)
  released=$(digest_of "$version")
  echo >>"$SHOP/book-shop/manage.py"
  commit "forgot to bump the version"
  run shop image push
  assert_success
  run verb promote
  assert_failure 1
  assert_output --partial "bump the version in book-shop/pyproject.toml"
  assert_equal "$(digest_of "$version")" "$released"
}

@test "push refuses another image under the same snapshot tag" {
  tag=$(verb version snapshot)
  pushed=$(digest_of "$tag")
  other=$(docker images --quiet "$DELIVERY_DEMO-registry")
  kept=$(docker image inspect --format '{{.Id}}' "$DELIVERY_REPOSITORY:$tag")
  docker tag "$other" "$DELIVERY_REPOSITORY:$tag"
  run verb push
  docker tag "$kept" "$DELIVERY_REPOSITORY:$tag"
  assert_failure 1
  assert_output --partial "is not the image of this commit"
  assert_equal "$(digest_of "$tag")" "$pushed"
}

@test "the host deploys nothing but a digest of its repository" {
  before=$(identities)
  # shellcheck disable=SC2016 # deploy must not expand it either
  for image in "$DELIVERY_REPOSITORY:latest" "other/shop@sha256:$(printf '0%.0s' {1..64})" '$(reboot)' "--privileged"; do
    for environment in dev prod; do
      run on_host /opt/book-shop/bin/deploy "$environment" "$image"
      assert_failure 2
    done
  done
  assert_equal "$(identities)" "$before"
}

@test "demo names the owner of a taken port before it starts anything" {
  made() { docker ps --all --format '{{.ID}} {{.Names}}' | grep -E " ($DELIVERY_DEMO|book-shop-other)-"; }
  before=$(made)
  DELIVERY_HTTP_PORT=$DELIVERY_DEV_PORT DELIVERY_DEMO=book-shop-other run shop demo
  assert_failure
  assert_output --partial "port '$DELIVERY_DEV_PORT' is in use by container $DELIVERY_DEMO-host"
  assert_equal "$(made)" "$before"
}

@test "deploy-dev fails when there is no local host" {
  DELIVERY_DEMO=book-shop-nowhere run verb deploy dev
  assert_failure 1
  assert_output --partial "the local host is not running"
  assert_output --partial "make demo"
}
