#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Rollout and rollback on three machines under 100 requests a second with orders.
load ../e2e/e2e.bash
load machines.bash

setup_file() { start_machines; }
teardown() { stop_runs; }
two_available() { [ "$(kubectl get deployment book-shop -o 'jsonpath={.status.availableReplicas}')" = 2 ]; }

@test "create the database, set up the cluster and deploy; a second deploy changes nothing" {
  url=$(DELIVERY_ADMIN_URL=$(admin_url) in_cluster "$SHOP/scripts/cluster-data-create")
  DATABASE_URL=$url ALLOWED_HOSTS=localhost in_cluster "$SHOP/scripts/cluster-setup" -y
  in_cluster "$SHOP/scripts/deploy" prod 1.0.1
  # The first rollout starts one pod; the autoscaler adds the second.
  await two_available
  run --separate-stderr in_cluster "$SHOP/scripts/deploy" prod 1.0.1
  assert_success
  # shellcheck disable=SC2154 # bats sets it
  [[ $stderr == *"cluster $DELIVERY_DEMO, https://127.0.0.1:$DELIVERY_API_PORT"*"prod serves $output already" ]] || fail "$stderr"
  assert_revision "$(head_of_shop ^)" prod
  run in_cluster "$SHOP/scripts/smoke" prod
  assert_failure # HEAD is another version
  # One pod on each worker.
  assert_equal "$(web_nodes)" "worker-1 worker-2"
}

@test "a rollout and a rollback fail no request, and lose or duplicate no order" {
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

@test "settings and secrets change under load without a failed request; a command gets them" {
  start_runs
  printf %s localhost,shop.example | in_cluster "$SHOP/scripts/set" prod ALLOWED_HOSTS
  in_cluster "$SHOP/scripts/rotate" prod secret-key
  DELIVERY_ADMIN_URL=$(admin_url) in_cluster "$SHOP/scripts/rotate" prod database
  end_runs
  assert_equal "$failures failed, $lost lost, $doubled doubled" "0 failed, 0 lost, 0 doubled"

  run --separate-stderr in_cluster "$SHOP/scripts/manage" prod \
    'shell -v0 -c "import os, sys; print(os.environ[\"ALLOWED_HOSTS\"], sys.stdin.read()); sys.exit(7)"' <<<input
  assert_failure 7
  assert_output "localhost,shop.example input"
  assert_equal "$(kubectl get pods -l app.kubernetes.io/component=command --field-selector status.phase=Running -o name)" ""
  # Each password works only while its role is in use.
  login() { docker exec "$DELIVERY_DEMO-database" psql -Atc "select string_agg(rolname, ' ') from pg_roles where rolcanlogin and rolname like 'book%'"; }
  assert_equal "$(login)" book_shop_prod_b
}

@test "a release that is never ready is rolled back, with the reason" {
  bump 1.2.0
  sed -i 's/^wsgi_app = .*/wsgi_app = "book_shop.none"/' "$SHOP/book-shop/gunicorn.conf.py"
  sed -i 's/progressDeadlineSeconds: 300/progressDeadlineSeconds: 40/' "$SHOP/k8s/overlays/original/nodes.yaml"
  commit "an image that does not start"
  shop image push promote
  run in_cluster "$SHOP/scripts/deploy" prod
  assert_failure 1
  assert_output --partial "ModuleNotFoundError"
  assert_output --partial "Still live: $DELIVERY_REPOSITORY@"
  assert_revision "$(head_of_shop '~2')" prod
}
