#!/usr/bin/env bats
load ../lib/host.bash
setup() {
  start_host
  lay_ready
}
teardown() { stop_host; }

k="kubectl: --namespace book-shop"
web=app.kubernetes.io/component=web
migration=app.kubernetes.io/component=migration
version="curl -fsS -m 5 http://localhost:80/version"
serving="$k get deployment book-shop --ignore-not-found -o jsonpath={.spec.template.spec.containers[0].image}"
job="$k get job book-shop-migration -o jsonpath={.status.succeeded}/{.status.failed}"
rolled_out="$k rollout status deployment/book-shop --timeout"
cleaned_up='rm -rf WORK
docker ps -aq --filter name=^book-shop-manifests$
docker rm -f id-of-book-shop-manifests'

# What a deploy asks and builds before it changes anything, and how it migrates.
pre_flight() {
  echo "$k get deployments -o name"
  echo "docker image inspect $(image "$1")"
  [ "${2:-}" = known ] || printf 'df --output=avail --block-size=M /var/lib/book-shop\ndocker pull -q %s\n' "$(image "$1")"
  echo 'docker version -f {{.Server.Os}}/{{.Server.Arch}}'
  echo "docker image inspect -f {{.Os}}/{{.Architecture}} {{index .Config.Labels \"org.opencontainers.image.revision\"}} $(image "$1")"
  echo 'docker ps -aq --filter name=^book-shop-manifests$'
  echo "docker create --name book-shop-manifests $(image "$1")"
  echo "docker cp book-shop-manifests:/app/k8s WORK/k8s"
  echo "$k kustomize WORK"
  printf '%s' "$serving"
}
migrated() {
  echo "$k delete job book-shop-migration --ignore-not-found"
  echo "$k apply -f WORK/manifests.yaml -l $migration"
  printf '%s\nsleep 0.3\n%s\nsleep 0.3' "$job" "$job"
}
drained() { printf '%s' "$k get pods -l $web -o jsonpath={.items[?(@.spec.containers[0].image!='$(image "${1:-1}")')].metadata.name}"; }
# The pods' last words.
last_words() {
  echo "$k get pods -l $web -o jsonpath={.items[?(@.spec.containers[0].image=='$(image "$1")')].metadata.name}"
  local pod
  for pod in web-1 web-2; do
    echo "$k get pod $pod -o jsonpath={.status.phase} {.status.containerStatuses[0].state}"
    echo "$k logs $pod --tail 20"
  done
}
assert_still() { # NUMBER: it serves alone and is what is remembered
  assert_equal "$(served_in prod)" "$1"
  assert_equal "$(cat "$WORLD/deployment")" "$(image "$1")"
  assert_equal "$(remembered prod)" "$1 -"
  assert_equal "$(cat "$STATE/prod/manifests.yaml")" "$(manifests "$1")"
}
# from TEXT: the log from the line that has it on.
from() { awk -v text="$1" 'index($0, text) {on = 1} on' "$LOG"; }
assert_nothing_left() { assert_equal "$(find "$TMPDIR" "$WORLD/containers" -mindepth 1)" ""; }

@test "deploy-prod: the first time: pull, manifests, migration, rollout, check" {
  in_registry 1
  verb deploy-prod "$(image 1)"
  assert_success
  assert_output ""
  assert_log "$(pre_flight 1)
$(migrated)
$k apply -f WORK/manifests.yaml -l $web
$rolled_out=150s
$version
$(drained)
sleep 0.3
$(drained)
docker image ls --digests --format {{.Repository}}@{{.Digest}} $REPOSITORY
ctr --namespace k8s.io images ls
$cleaned_up"
  assert_still 1
  assert_deploy_log "unknown prod deploy $(image 1) ok"
  assert_last_words "==> prod serves $(image 1)"
  assert_nothing_left
}

@test "deploy-prod: the second time the first is remembered as what a rollback brings back" {
  deployed prod 1
  in_registry 2
  ACTOR=ann verb deploy-prod "$(image 2)"
  assert_success
  assert_equal "$(served_in prod)" 2
  assert_equal "$(remembered prod)" "2 1"
  assert_equal "$(cat "$STATE/prod/manifests.yaml")" "$(manifests 2)"
  assert_deploy_log "ann prod deploy $(image 2) ok"
  assert_equal "$(deploy_log | wc -l)" 2
}

@test "deploy-prod: the same image again changes nothing" {
  deployed prod 1
  before=$(tree "$STATE" "$WORLD")
  verb deploy-prod "$(image 1)"
  assert_success
  assert_log "$(pre_flight 1 known)
$rolled_out=1s
$version
$(drained)
$cleaned_up"
  assert_equal "$(tree "$STATE" "$WORLD")" "$before"
  assert_errors_whole "==> prod serves $(image 1) already"
  assert_nothing_left
}

@test "deploy-prod: the same image, not rolled out to the end, is rolled out again" {
  deployed prod 1
  image 7 >"$WORLD/pods"
  verb deploy-prod "$(image 1)"
  assert_success
  assert_still 1
}

@test "deploy-prod: no cluster, no image, no manifests or manifests that do not build: nothing is touched" {
  deployed prod 1
  before=$(tree "$STATE" "$WORLD/deployment" "$WORLD/pods")
  rm "$WORLD/cluster"
  verb deploy-prod "$(image 2)"
  assert_failed 1 "Kubernetes does not answer. See: systemctl status k3s"
  assert_log "$k get deployments -o name"
  : >"$WORLD/cluster"

  verb deploy-prod "$(image 2)"
  assert_failed 1 "can't pull $(image 2)"
  in_registry 2 no-manifests
  verb deploy-prod "$(image 2)"
  assert_failed 1 "$(image 2) carries no manifests: build it by 'make image'"
  in_registry 2 unbuildable
  verb deploy-prod "$(image 2)"
  assert_failed 1 "the manifests in $(image 2) do not build"

  refute grep -Eq ' (apply|delete) ' "$LOG"
  assert_equal "$(tree "$STATE" "$WORLD/deployment" "$WORLD/pods")" "$before"
  assert_nothing_left
}

@test "deploy-prod: a failed migration: its last lines, and nothing is rolled out" {
  deployed prod 1
  in_registry 2 migrate
  verb deploy-prod "$(image 2)"
  assert_failed 1 "==> migration-1: Running" "the last lines of migration-1" "deploy-prod: the migration failed; its last lines are above. Still serving: $(image 1)"
  run from "delete job"
  assert_output "$k delete job book-shop-migration --ignore-not-found
$k apply -f WORK/manifests.yaml -l $migration
$job
$k get pods -l $migration -o jsonpath={.items[?(@.spec.containers[0].image=='$(image 2)')].metadata.name}
$k get pod migration-1 -o jsonpath={.status.phase} {.status.containerStatuses[0].state}
$k logs migration-1 --tail 20
$k delete job book-shop-migration
$serving
$cleaned_up"
  assert_still 1
  assert_deploy_log "unknown prod deploy $(image 2) failed"
  assert_nothing_left
}

@test "deploy-prod: a migration that does not end is given up at the limit" {
  deployed prod 1
  in_registry 2 hang
  MIGRATION_LIMIT=0 verb deploy-prod "$(image 2)"
  assert_failed 1 "the migration failed" "Still serving: $(image 1)"
  assert_still 1
}

@test "deploy-prod: a failed rollout is taken back by the manifests that served" {
  deployed prod 1
  in_registry 2 rollout
  verb deploy-prod "$(image 2)"
  assert_failed 1 "==> web-1: Running" "the last lines of web-1" "==> web-2: Running" "==> take back" \
    "deploy-prod: the rollout failed; the pods' last lines are above. Still serving: $(image 1)"
  run from "apply -f WORK/manifests.yaml -l $web"
  assert_output "$k apply -f WORK/manifests.yaml -l $web
$rolled_out=150s
$k get deployments -o name
$(last_words 2)
$k get deployments -o name
$k apply -f /var/lib/book-shop/prod/manifests.yaml -l $web
$rolled_out=150s
$serving
$cleaned_up"
  assert_still 1
  assert_deploy_log "unknown prod deploy $(image 2) failed"
  assert_nothing_left
}

@test "deploy-prod: a failed first rollout is deleted" {
  in_registry 1 rollout
  verb deploy-prod "$(image 1)"
  assert_failed 1 "the last lines of web-1" "==> take back" "the rollout failed; the pods' last lines are above. Still serving: nothing"
  run from "logs web-2"
  assert_output "$k logs web-2 --tail 20
$k delete -f WORK/manifests.yaml -l $web
$serving
$cleaned_up"
  assert_equal "$(find "$STATE/prod" -type f)" ""
  assert_deploy_log "unknown prod deploy $(image 1) failed"
}

@test "deploy-prod: manifests that Kubernetes refuses are taken back" {
  deployed prod 1
  in_registry 2 refused
  verb deploy-prod "$(image 2)"
  assert_failed 1 "admission webhook denied the request" "Kubernetes refused the manifests. Still serving: $(image 1)"
  assert_still 1
}

@test "deploy-prod: a wrong answer on :80 is taken back" {
  deployed prod 1
  in_registry 2 wrong
  ANSWER_LIMIT=0 verb deploy-prod "$(image 2)"
  assert_failed 1 "the last lines of web-1" ":80 did not answer with revision $(revision 2). Still serving: $(image 1)"
  assert_still 1
  assert_deploy_log "unknown prod deploy $(image 2) failed"
}

@test "deploy-prod: a take-back that fails as well is said, and the deploy is logged as failed" {
  deployed prod 1
  echo "image: $(image 3)" >"$STATE/prod/manifests.yaml"
  in_registry 3 refused
  in_registry 2 rollout
  verb deploy-prod "$(image 2)"
  assert_failed 1 "==> that failed as well" "deploy-prod: the rollout failed"
  assert_deploy_log "unknown prod deploy $(image 2) failed"
}

@test "deploy-prod: an image for another kind of machine, or a full disk: nothing is touched" {
  deployed prod 1
  in_registry 2 foreign
  verb deploy-prod "$(image 2)"
  assert_failed 1 "$(image 2) is built for linux/arm64, this host is linux/amd64"
  in_registry 3
  echo 2047 >"$WORLD/free"
  verb deploy-prod "$(image 3)"
  assert_failed 1 "2047 MB are free on the disk"
  refute grep -Eq ' (apply|delete) ' "$LOG"
  assert_still 1
}

@test "deploy-prod: what prod neither serves nor would roll back to goes, from Kubernetes' store too" {
  for number in 1 2 3; do deployed prod "$number"; done
  assert_equal "$(images_here)" "2 3"
  assert_equal "$(in_store)" "2 3"
  deployed dev 7 # of no concern to that store
  assert_equal "$(in_store)" "2 3"
  : >"$HOST_ROOT/usr/local/bin/k3s"
  chmod +x "$HOST_ROOT/usr/local/bin/k3s"
  ln -s world "$TEST_DIR/bin/k3s"
  deployed prod 4
  assert_equal "$(in_store)" "3 4"
}

@test "deploy-prod: Kubernetes that restarts during the rollout is waited for" {
  deployed prod 1
  in_registry 2
  # The watch breaks, and for two looks nothing answers.
  mv "$TEST_DIR/bin/kubectl" "$TEST_DIR/bin/kubectl-that-answers"
  fake kubectl <<'FAKE'
#!/bin/bash
PATH=/usr/local/bin:/usr/bin:/bin
if [[ $* == *"rollout status"* ]] && [ ! -e "$WORLD/restarted" ]; then echo 2 >"$WORLD/restarted"; exit 1; fi
left=$(cat "$WORLD/restarted" 2>/dev/null || echo 0)
if [ "$left" -gt 0 ]; then echo $((left - 1)) >"$WORLD/restarted"; echo "connection refused" >&2; exit 1; fi
exec "${0%/*}/kubectl-that-answers" "$@"
FAKE
  verb deploy-prod "$(image 2)"
  assert_success
  assert_equal "$(served_in prod)" 2
}

@test "deploy-prod: after each failure the next image is served" {
  deployed prod 1
  for fault in migrate hang refused rollout wrong; do
    in_registry 2 "$fault"
    MIGRATION_LIMIT=1 ANSWER_LIMIT=0 verb deploy-prod "$(image 2)"
    assert_equal "$status" 1
    assert_still 1
  done
  deployed prod 3
  assert_equal "$(served_in prod)" 3
  assert_equal "$(remembered prod)" "3 1"
}

@test "deploy-prod: killed before any change: something serves, and the next run heals it" {
  deployed prod 1
  count_as_changes mv jq
  assert_healed_after_any_kill prod 12
}

@test "deploy-prod: wrong calls" { assert_wrong_calls_on_host deploy-prod "" "a b"; }

@test "deploy-prod: hostile images" { assert_hostile_images_refused deploy-prod; }
