#!/usr/bin/env bats
# The verbs that ask a cluster, and what it remembers.
load ../lib/cluster.bash
setup() { start_cluster; }
teardown() { stop_host; }

@test "status of a cluster: prod alone, and which cluster" {
  deployed prod 1
  deployed prod 2
  verb status --json
  assert_success
  run jq -c 'del(.environments[].last)' <<<"$output"
  assert_output '{"environments":[{"environment":"prod","version":"1.0.0","revision":"'"$(revision 2)"'","digest":"sha256:'"$(hex 2)"'","healthy":true,"previous":"sha256:'"$(hex 1)"'","deploying":null}],"cluster":"the-cluster"}'
}

@test "status of a cluster: one that has no address yet serves nobody" {
  rm "$WORLD/address"
  verb status --json
  assert_success
  assert_equal "$(jq -c '.environments[0] | [.digest, .healthy]' <<<"$output")" "[null,false]"
}

@test "history of a cluster: who deployed what; of more than it has room for the last" {
  for number in 1 2 1; do ACTOR=ann deployed prod "$number"; done
  verb history prod 2
  assert_success
  assert_equal "$(jq -r '[.actor, .digest, .result] | join(" ")' <<<"$output")" "ann sha256:$(hex 2) ok
ann sha256:$(hex 1) ok"
  jq --arg log "$(for ((line = 1; line <= 600; line++)); do echo "{\"environment\": \"prod\", \"line\": $line}"; done)" '.data["deploys.jsonl"] = $log + "\n"' \
    "$WORLD/memory.json" >"$WORLD/new"
  mv "$WORLD/new" "$WORLD/memory.json"
  deployed prod 3
  assert_equal "$(wc -l <"$STATE/deploys.jsonl")" 500
  assert_equal "$(jq -s 'map(.line) | [.[0], .[-2]]' -c "$STATE/deploys.jsonl")" "[102,600]"
}

@test "logs of a cluster: the release's; without one it says so" {
  verb logs prod
  assert_failed 1 "prod serves nothing"
  deployed prod 1
  verb logs prod 5
  assert_success
  assert_output "the last 5 lines of the release"
}

@test "plan on a cluster: image, migrations by a Job of its own that is gone afterwards, manifests; nothing else changes" {
  deployed prod 1
  before=$(tree "$WORLD/deployment" "$WORLD/pods" "$WORLD/memory.json" "$WORLD/lease.json")
  in_registry 2
  verb plan prod "$(image 2)"
  assert_success
  assert_output "image: $(image 1)
    -> $(image 2) (commit $(revision 2))
Planned operations of $(revision 2)
+image: $(image 2)"
  assert grep -qF 'apply ["Job","book-shop-plan",{"template":{"spec":{"containers":[{"image":"'"$(image 2)"'","command":["python3","manage.py","migrate","--noinput","--plan"]}]}}}]' "$LOG"
  refute [ -e "$WORLD/plan" ]
  assert_equal "$(tree "$WORLD/deployment" "$WORLD/pods" "$WORLD/memory.json" "$WORLD/lease.json")" "$before"
}

@test "plan on a cluster: migrations that can't be told are an error, with the pod's last words" {
  in_registry 2 migrate
  verb plan prod "$(image 2)"
  assert_equal "$status" 1
  assert_errors "the last lines of migration-1" "the migrations can't be told"
}

@test "rollback-prod on a cluster: nothing before, never served, failed: refused as on a host" {
  verb rollback-prod
  assert_failed 1 "nothing to roll back to: prod has served no other image yet"
  deployed prod 1
  verb rollback-prod "$(image 3)"
  assert_failed 1 "prod has never served $(image 3)"
  in_registry 2 migrate
  verb deploy-prod "$(image 2)"
  verb rollback-prod "$(image 2)"
  assert_failed 1 "$(image 2) failed when it was last deployed to prod"
  assert_equal "$(holder)" ""
}

@test "url of a cluster: CLUSTER_URL, else the address of its Ingress, else nothing" {
  verb url
  assert_success
  assert_output ""
  deployed prod 1
  verb url
  assert_output http://cluster.example.org
  CLUSTER_URL=https://shop.example.org verb url
  assert_output https://shop.example.org
  verb url x
  assert_failed 2 "Usage: url"
}

@test "a cluster that was not set up says so" {
  rm "$WORLD/lease.json" "$WORLD/memory.json"
  echo '{}' >"$WORLD/memory.json"
  in_registry 1
  verb deploy-prod "$(image 1)"
  assert_failed 1 "there is no lock to take. Run: make cluster-setup"
}
