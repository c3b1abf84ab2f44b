#!/usr/bin/env bats
load ../lib/host.bash
setup() {
  start_host
  lay_ready
}
teardown() { stop_host; }

# planned ENVIRONMENT NUMBER: the plan is made, and nothing that serves or is remembered has changed.
planned() {
  local before
  before=$(tree "$STATE" "$WORLD/containers" "$WORLD/deployment" "$WORLD/pods" 2>/dev/null || true)
  : >"$LOG"
  verb plan "$1" "$(image "$2")"
  assert_success
  assert_equal "$(tree "$STATE" "$WORLD/containers" "$WORLD/deployment" "$WORLD/pods" 2>/dev/null || true)" "$before"
  refute grep -Eq ' (apply|delete|rollout|stop|-d) |^(touch|rm -f) /var' "$LOG"
}

@test "plan dev: from what to what, and the migrations that would run" {
  in_registry 1
  planned dev 1
  assert_output "image: none
    -> $(image 1) (commit $(revision 1))
Planned operations of $(revision 1)"
  assert grep -qxF "docker run --rm $IN_DEV $(image 1) python3 manage.py migrate --plan" "$LOG"
  deployed dev 1
  in_registry 2
  planned dev 2
  assert_output --partial "image: $(image 1)
    -> $(image 2) "
}

@test "plan prod: the manifests' difference as well" {
  deployed prod 1
  in_registry 2
  planned prod 2
  assert_output "image: $(image 1)
    -> $(image 2) (commit $(revision 2))
Planned operations of $(revision 2)
+image: $(image 2)"
  planned prod 1
  assert_output --partial "manifests: no difference"
  assert_equal "$(find "$TMPDIR" -mindepth 1)" ""
}

@test "plan prod: a difference that can't be told is an error" {
  in_registry 1
  rm "$WORLD/cluster"
  verb plan prod "$(image 1)"
  assert_equal "$status" 1
  assert_errors "connection to the server was refused"
}

@test "plan: an image that can't be pulled" {
  verb plan dev "$(image 1)"
  assert_failed 1 "can't pull $(image 1)"
}

@test "plan: wrong calls" { assert_wrong_calls_on_host plan "" dev "stage $(image 1)" "dev $(image 1) x"; }

@test "plan: hostile images" {
  for environment in dev prod; do
    verb plan "$environment" "$REPOSITORY:latest"
    assert_refused 2 "not an image at a digest"
  done
}
