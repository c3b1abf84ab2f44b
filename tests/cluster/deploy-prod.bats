#!/usr/bin/env bats
# The host's verb is tested in tests/host; here is what a cluster has of its own.
load ../lib/cluster.bash
setup() { start_cluster; }
teardown() { stop_host; }

@test "deploy-prod on a cluster: the host's steps, with the cluster's overlay, lock, address and memory" {
  in_registry 1
  ACTOR=ann verb deploy-prod "$(image 1)"
  assert_success
  assert_output ""
  assert_errors "==> migrate" "==> roll out" "==> drain the pods before"
  assert_last_words "==> prod serves $(image 1)"
  assert_equal "$(served_in prod)" 1
  assert_equal "$(remembered prod)" "1 -"
  assert_equal "$(cat "$STATE/prod/manifests.yaml")" "$(manifests 1)"
  assert_deploy_log "ann prod deploy $(image 1) ok"
  assert_equal "$(holder)" ""
  run grep -vE ' get job |^sleep |^docker |^df |^rm ' "$LOG"
  k="kubectl: --namespace book-shop"
  assert_output "$k get lease book-shop-deploys -o json
$k replace Lease
$k get configmap book-shop-deploys -o json
$k get deployments -o name
$k kustomize WORK
$k get deployment book-shop --ignore-not-found -o jsonpath={.spec.template.spec.containers[0].image}
$k delete job book-shop-migration --ignore-not-found
$k apply -f WORK/manifests.yaml -l app.kubernetes.io/component=migration
$k apply -f WORK/manifests.yaml -l app.kubernetes.io/component=web
$k rollout status deployment/book-shop --timeout=600s
$k get ingress book-shop --ignore-not-found -o jsonpath={.status.loadBalancer.ingress[0].hostname}{.status.loadBalancer.ingress[0].ip}
curl -fsS -m 5 http://cluster.example.org/version
$k replace ConfigMap
$k get pods -l app.kubernetes.io/component=web -o jsonpath={.items[?(@.spec.containers[0].image!='$(image 1)')].metadata.name}
$k get pods -l app.kubernetes.io/component=web -o jsonpath={.items[?(@.spec.containers[0].image!='$(image 1)')].metadata.name}
$k patch lease /spec/holderIdentity"
}

@test "deploy-prod on a cluster: CLUSTER_URL is where it has to answer" {
  in_registry 1
  rm "$WORLD/address"
  CLUSTER_URL=http://cluster.example.org verb deploy-prod "$(image 1)"
  assert_success
  assert grep -qx "curl -fsS -m 5 http://cluster.example.org/version" "$LOG"
}

@test "deploy-prod on a cluster: no address yet, or a wrong answer there, is taken back" {
  deployed prod 1
  in_registry 2 wrong
  ANSWER_LIMIT=0 verb deploy-prod "$(image 2)"
  assert_failed 1 "http://cluster.example.org did not answer with revision $(revision 2). Still serving: $(image 1)"
  assert_equal "$(served_in prod)" 1
  assert_equal "$(remembered prod)" "1 -"
  assert_deploy_log "unknown prod deploy $(image 2) failed"
  assert_equal "$(holder)" ""
  rm "$WORLD/address"
  in_registry 3
  ANSWER_LIMIT=0 verb deploy-prod "$(image 3)"
  assert_failed 1 "did not answer with revision $(revision 3). Still serving: $(image 1)"
  assert_equal "$(served_in prod)" 1
}

@test "deploy-prod on a cluster: the same image again changes nothing" {
  deployed prod 1
  verb deploy-prod "$(image 1)"
  assert_success
  assert_errors_whole "==> prod serves $(image 1) already"
  refute grep -Eq " (apply|delete|replace ConfigMap)" "$LOG"
  assert_equal "$(deploy_log | wc -l)" 1
}

@test "deploy-prod on a cluster: a failed migration, rollout or manifest is undone, and the next image is served" {
  deployed prod 1
  for fault in migrate hang refused rollout; do
    in_registry 2 "$fault"
    MIGRATION_LIMIT=1 verb deploy-prod "$(image 2)"
    assert_equal "$status" 1
    assert_equal "$(served_in prod)" 1
    assert_equal "$(cat "$WORLD/deployment")" "$(image 1)"
    assert_equal "$(remembered prod)" "1 -"
    assert_equal "$(holder)" ""
  done
  deployed prod 3
  assert_equal "$(remembered prod)" "3 1"
}

@test "deploy-prod on a cluster: an image that its nodes can't run is refused before anything" {
  in_registry 2 foreign
  verb deploy-prod "$(image 2)"
  assert_failed 1 "$(image 2) is built for linux/arm64"
  refute grep -Eq ' (apply|delete) ' "$LOG"
}

@test "deploy-prod on a cluster: killed before any change: something serves, and the next run heals it" {
  deployed prod 1
  export LEASE_LIMIT=0 # its lock is not waited for
  assert_healed_after_any_kill prod 12
}

@test "deploy-prod on a cluster: hostile images reach nobody" { assert_hostile_images_refused deploy-prod; }
