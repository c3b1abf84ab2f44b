#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# The release on three machines under 100 requests a second, real orders among them: a worker is drained, a worker is lost.
load ../e2e/road.bash
load machines.bash

teardown() { stop_runs; }

@test "drain of a worker: no request fails" {
  start_runs
  kubectl drain worker-1 --ignore-daemonsets --delete-emptydir-data --timeout=200s
  kubectl rollout status deployment/book-shop --timeout=100s
  end_runs
  kubectl uncordon worker-1
  # shellcheck disable=SC2154 # end_runs sets them
  assert_equal "$failures failed, $lost lost, $doubled doubled" "0 failed, 0 lost, 0 doubled"
}

@test "a worker that is killed: what fails was under way there, and it is over within 40 s; no order is lost or doubled" {
  # One pod each: the drain has left both on one worker, and the one that follows a deleted one comes to the other.
  kubectl delete "$(kubectl get pods -l app.kubernetes.io/component=web -o name | tail -n 1)"
  await web_on worker-1 worker-2 # those of before have gone
  start_runs
  killed=$(date +%s)
  docker kill "$DELIVERY_DEMO-worker-2" >/dev/null
  sleep 60 # what is measured is what happens in this time
  end_runs
  last=$(last_failure "$killed")
  echo "# a worker was killed: $failures requests failed, the last one $((last - killed)) s later" >&3
  [ $((last - killed)) -le 40 ]
  [ "$failures" -le 200 ]
  assert_equal "$lost lost, $doubled doubled" "0 lost, 0 doubled"
  kubectl delete node worker-2 # as a cloud does when a machine is gone: its pod, which nobody there can end, goes with it
}
