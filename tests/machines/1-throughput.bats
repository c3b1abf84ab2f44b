#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# What the catalogue's list bears with 1, 2, 4 and 8 pods; what was seen goes to $REPORT. Twenty visitors ask again as soon as they are answered.
load ../e2e/road.bash
load machines.bash

SECONDS_EACH=20

# ticks: of this machine's processors since it started, idle ones and all.
ticks() { awk '/^cpu / {for (i = 2; i <= 9; i++) all += $i; print $5 + $6, all}' /proc/stat; }
# may_take CPU: what each pod may take of the processors, null is all that it gets. It is no part of the manifests: a deploy leaves it alone.
may_take() { kubectl patch deployment/book-shop -p "{\"spec\": {\"template\": {\"spec\": {\"containers\": [{\"name\": \"web\", \"resources\": {\"limits\": {\"cpu\": $1}}}]}}}}"; }

@test "throughput with 1, 2, 4 and 8 pods: every request is answered" {
  table=$BATS_TEST_TMPDIR/table seen=$BATS_TEST_TMPDIR/seen.json
  cat >"$table" <<REPORT
# The catalogue on many pods

Made by \`make test-machines\` on $(date -u +%F): three machines, each a container on one with $(nproc) processors, and what asks beside them.
Twenty visitors ask for \`/book-list\` again and again, for $SECONDS_EACH s. Pods, database, load balancer, Kubernetes and what asks
share the processors: where those are busy by nine tenths, they are the limit. So each number of pods is measured twice: with pods that
are held to a fifth of a processor, as on machines that have room, and with pods that take what they get.

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
  in_cluster "$SHOP/scripts/deploy" prod 1.1.0 # and the autoscaler has its say again
  cp "$table" "$REPORT"
}
