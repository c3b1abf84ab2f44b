#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# The release on three machines under 100 requests a second, real orders among them: rollout and rollback.
load ../e2e/road.bash
load machines.bash

setup_file() { start_machines; }
teardown() { stop_runs; }
two_available() { [ "$(kubectl get deployment book-shop -o 'jsonpath={.status.availableReplicas}')" = 2 ]; }

@test "the shop's database, its place and its first release: each by one verb; the second time nothing changes" {
  url=$(DELIVERY_ADMIN_URL=$(admin_url) in_cluster "$SHOP/scripts/cluster-data" create)
  DATABASE_URL=$url ALLOWED_HOSTS=localhost in_cluster "$SHOP/scripts/cluster-setup" -y
  in_cluster "$SHOP/scripts/deploy" prod 1.0.1
  # The first one begins with one pod; the autoscaler makes them two.
  await two_available
  run --separate-stderr in_cluster "$SHOP/scripts/deploy" prod 1.0.1
  assert_success
  # shellcheck disable=SC2154 # bats sets it
  [[ $stderr == *"cluster $DELIVERY_DEMO, https://127.0.0.1:$DELIVERY_API_PORT"*"prod serves $output already" ]] || fail "$stderr"
  assert_equal "$(revision_at "$DELIVERY_HTTP_PORT")" "$(git -C "$SHOP" rev-parse HEAD^)"
  run in_cluster "$SHOP/scripts/smoke" prod
  assert_failure # HEAD is another version
  # Each worker has one.
  assert_equal "$(web_nodes)" "worker-1 worker-2"
}

@test "rollout and rollback: no request fails, no order is lost or doubled" {
  start_runs
  in_cluster "$SHOP/scripts/deploy" prod 1.1.0
  in_cluster "$SHOP/scripts/smoke" prod
  in_cluster "$SHOP/scripts/rollback" prod
  end_runs
  # shellcheck disable=SC2154 # end_runs sets them
  assert_equal "$failures failed, $lost lost, $doubled doubled" "0 failed, 0 lost, 0 doubled"
  run in_cluster "$SHOP/scripts/history" prod
  assert_output --regexp "deploy .* ok .*deploy .* ok .*rollback .* ok "
}

@test "a release that never gets ready is taken back, and says why" {
  bump 1.2.0
  sed -i 's/^wsgi_app = .*/wsgi_app = "book_shop.none"/' "$SHOP/book-shop/gunicorn.conf.py"
  sed -i 's/progressDeadlineSeconds: 300/progressDeadlineSeconds: 40/' "$SHOP/k8s/overlays/original/nodes.yaml"
  commit "a shop that does not start"
  shop image push promote
  run in_cluster "$SHOP/scripts/deploy" prod
  assert_failure 1
  assert_output --partial "ModuleNotFoundError"
  assert_output --partial "Still live: $DELIVERY_REPOSITORY@"
  assert_equal "$(revision_at "$DELIVERY_HTTP_PORT")" "$(git -C "$SHOP" rev-parse HEAD~2)"
}
