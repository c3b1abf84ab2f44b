#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# How many requests for the catalogue's list 1, 2, 4 and 8 pods answer. The figures are written to
# $REPORT. Each of twenty visitors sends the next request as soon as the last one is answered.
load ../e2e/e2e.bash
load machines.bash

SECONDS_EACH=20

# ticks: the idle ticks of this machine's processors, and all of them.
ticks() { awk '/^cpu / {for (i = 2; i <= 9; i++) all += $i; print $5 + $6, all}' /proc/stat; }
# may_take CPU: limits each pod; null removes the limit. Deploys keep it: the manifests have none.
may_take() { kubectl patch deployment/book-shop -p "{\"spec\": {\"template\": {\"spec\": {\"containers\": [{\"name\": \"web\", \"resources\": {\"limits\": {\"cpu\": $1}}}]}}}}"; }

@test "1, 2, 4 and 8 pods answer every request of twenty visitors" {
  table=$BATS_TEST_TMPDIR/table seen=$BATS_TEST_TMPDIR/seen.json
  cat >"$table" <<REPORT
# The catalogue on many pods

Made by \`make test-machines\` on $(date -u +%F): three machines, each a container on one with $(nproc) processors, which also makes the load.
Twenty visitors request \`/book-list\` for $SECONDS_EACH s. Pods, database, load balancer, Kubernetes and the load share the processors,
which are the limit where they are 90 % busy. So each number of pods is measured twice: with a limit of a fifth of a processor
per pod, as on machines with spare capacity, and without a limit.

| pods | each may take | requests a second | median | p99 | processors busy | the limit |
|---|---|---|---|---|---|---|
REPORT
  kubectl delete hpa book-shop
  for cpu in 0.2 null; do
    for pods in 1 2 4 8; do
      kubectl scale deployment/book-shop --replicas="$pods"
      may_take "$cpu"
      kubectl rollout status deployment/book-shop --timeout=200s
      await web_pods "$pods"
      read -r idle all < <(ticks)
      k6 run --quiet --no-usage-report --address 127.0.0.1:0 --summary-export "$seen" --env URL="http://localhost:$DELIVERY_HTTP_PORT" --env VISITORS=20 \
        --env PAGES=/book-list --env SECONDS="$SECONDS_EACH" "$BATS_TEST_DIRNAME/../bench/load.js"
      read -r idle_then all_then < <(ticks)
      jq -r --arg pods "$pods" --argjson cpu "$cpu" --argjson busy $((100 - 100 * (idle_then - idle) / (all_then - all))) '.metrics |
        (if $cpu then "\($cpu) of a processor" else "all" end) as $may |
        (if $busy >= 90 then "the processors" elif $cpu then "what the pods may take" else "not known" end) as $limit |
        "| \($pods) | \($may) | \(.http_reqs.rate | round) | \(.http_req_duration.med | round) ms | \(.http_req_duration["p(99)"] | round) ms | \($busy) % | \($limit) |"' \
        "$seen" | tee -a "$table" >&3
      assert_equal "$pods pods: $(jq .metrics.http_req_failed.passes "$seen") failed" "$pods pods: 0 failed"
    done
  done
  kubectl scale deployment/book-shop --replicas=2
  forced_in_cluster "$SHOP/scripts/deploy" prod 1.1.0 # restores the autoscaler
  cp "$table" "$REPORT"
}
