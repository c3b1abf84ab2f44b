#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Three machines under 100 requests a second with orders: one is drained, one is lost.
load ../e2e/e2e.bash
load machines.bash

teardown() { stop_runs; }

@test "a drained worker fails no request, and loses or duplicates no order" {
  start_runs
  kubectl drain worker-1 --ignore-daemonsets --delete-emptydir-data --timeout=200s
  kubectl rollout status deployment/book-shop --timeout=100s
  end_runs
  kubectl uncordon worker-1
  # shellcheck disable=SC2154 # end_runs sets them
  assert_equal "$failures failed, $lost lost, $doubled doubled" "0 failed, 0 lost, 0 doubled"
}

@test "a killed worker fails requests for at most 40 s, and loses or duplicates no order" {
  # The drain has left both pods on one worker. A deleted pod is replaced on the other one.
  kubectl delete "$(kubectl get pods -l app.kubernetes.io/component=web -o name | tail -n 1)"
  await web_on worker-1 worker-2 # and no previous pod remains
  start_runs
  killed=$(date +%s)
  docker kill "$DELIVERY_DEMO-worker-2" >/dev/null
  sleep 60 # the measured time
  end_runs
  last=$(last_failure "$killed")
  echo "# a worker was killed: $failures requests failed, the last one $((last - killed)) s later" >&3
  [ $((last - killed)) -le 40 ]
  [ "$failures" -le 200 ]
  assert_equal "$lost lost, $doubled doubled" "0 lost, 0 doubled"
  kubectl delete node worker-2 # as a cloud does after a loss; this also deletes the worker's pod
}
