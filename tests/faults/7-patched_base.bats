#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# The runbook docs/operations/rebuild-on-a-patched-base.md, with a base image in the host's registry.
load faults.bash

teardown() {
  end_case
  git -C "$SHOP" switch -q main
}

runbook() { python3 "$E2E/../lib/runbook.py" rebuild-on-a-patched-base.md "$1"; }

@test "a release is rebuilt on a patched base image as a new patch version, with the code of the release" {
  # The live release has the base image of this registry. Its tag then moves to a patched image.
  base=${DELIVERY_REPOSITORY%/*}/base:3.13
  docker tag "$("$SHOP/scripts/local/base-image" app)" "$base"
  docker push -q "$base"
  pinned=$base@$(docker buildx imagetools inspect "$base" | sed -n 's/^Digest: *//p')
  sed -i -E "s#[^ =]+@sha256:[0-9a-f]{64}#$pinned#" "$SHOP/book-shop/Dockerfile"
  bump 1.2.0
  commit "the live release"
  DELIVERY_BASE_IMAGE=$pinned shop image push promote deploy-prod
  git -C "$SHOP" tag v1.2.0
  released=$(head_of_shop)
  printf 'FROM %s\nRUN echo patched >/etc/patched\n' "$base" | docker build -q -t "$base" -
  docker push -q "$base"

  cd "$SHOP"
  title=$(sed -n 's/^# //p' docs/operations/rebuild-on-a-patched-base.md)
  commands="$(runbook "$title")
$(runbook "Prepare the commit")
export DELIVERY_BASE_IMAGE=\$patched
$(runbook "Release it without GitHub")"
  GIT_PAGER='cat' bash -euo pipefail -c "$commands"

  assert_revision "$(head_of_shop)" dev prod
  assert_equal "$(get prod /version | python3 -c 'import json, sys; print(json.load(sys.stdin)["version"])')" 1.2.1
  assert_equal "$(kubectl exec deployment/book-shop -- cat /etc/patched)" patched
  assert_equal "$(git diff --name-only "$released" HEAD)" $'book-shop/Dockerfile\nbook-shop/pyproject.toml'
  shop rollback-prod # to the old base image
  assert_revision "$released" prod
  run kubectl exec deployment/book-shop -- cat /etc/patched
  assert_failure
  git tag -d v1.2.0
}
