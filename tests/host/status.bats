#!/usr/bin/env bats
load ../lib/host.bash
setup() {
  start_host
  lay_ready
}
teardown() { stop_host; }

@test "status: a fresh host serves nothing" {
  verb status --json
  assert_success
  assert_errors_whole ""
  run jq -c . <<<"$output"
  nothing='"version":null,"revision":null,"digest":null,"healthy":false,"previous":null,"deploying":null,"last":null'
  assert_output '{"environments":[{"environment":"dev",'"$nothing"'},{"environment":"prod",'"$nothing"'}],"host_files":"0123456789ab"}'
}

@test "status: what serves, what a rollback would bring back" {
  deployed dev 1
  deployed dev 2
  deployed prod 1
  verb status --json
  assert_success
  assert_equal "$(jq -r '.environments[].last | [.actor, .verb, .digest, .result] | join(" ")' <<<"$output")" "unknown deploy sha256:$(hex 2) ok
unknown deploy sha256:$(hex 1) ok"
  run jq -c '.environments[] | del(.last)' <<<"$output"
  assert_output '{"environment":"dev","version":"1.0.0","revision":"'"$(revision 2)"'","digest":"sha256:'"$(hex 2)"'","healthy":true,"previous":"sha256:'"$(hex 1)"'","deploying":null}
{"environment":"prod","version":"1.0.0","revision":"'"$(revision 1)"'","digest":"sha256:'"$(hex 1)"'","healthy":true,"previous":null,"deploying":null}'
}

@test "status: the same as a table" {
  deployed dev 10
  deployed dev 2
  verb status
  assert_success
  assert_errors_whole ""
  assert_output "ENVIRONMENT  VERSION   REVISION      DIGEST               HEALTHY  PREVIOUS
dev          1.0.0     a00000000000  sha256:000000000000  true     sha256:000000000000
prod         -         -             -                    false    -"
}

@test "status: asks, and changes nothing" {
  deployed dev 1
  before=$(tree "$HOST_ROOT" "$WORLD")
  verb status
  assert_equal "$(tree "$HOST_ROOT" "$WORLD")" "$before"
  assert_log 'curl -fsS -m 5 -o /dev/null http://localhost:8080/readyz
curl -fsS -m 5 http://localhost:8080/version
docker ps --no-trunc --filter name=^book-shop-b$ --format {{.Image}}
curl -fsS -m 5 -o /dev/null http://localhost:80/readyz
curl -fsS -m 5 http://localhost:80/version
kubectl: --namespace book-shop get deployment book-shop --ignore-not-found -o jsonpath={.spec.template.spec.containers[0].image}'
}

@test "status: who deploys now, and how the last deploy ended" {
  deployed dev 1
  in_registry 2 crash
  ACTOR=ann verb deploy-dev "$(image 2)"
  exec 8<>"$HOST_ROOT/run/lock/book-shop-prod"
  echo "deploy-prod x, by bob, process 1, since then" >&8
  verb status --json
  assert_equal "$(jq -r '.environments[].deploying' <<<"$output")" null$'\n'null # the lock's file alone says nothing
  flock 8
  verb status --json
  exec 8>&-
  assert_equal "$(jq -r '.environments[].deploying' <<<"$output")" $'null\ndeploy-prod x, by bob, process 1, since then'
  assert_equal "$(jq -r '.environments[0].last | [.actor, .digest, .result] | join(" ")' <<<"$output")" "ann sha256:$(hex 2) failed"
}

@test "status: the cluster is down: says so, and still tells of dev" {
  deployed dev 1
  rm "$WORLD/cluster"
  verb status --json
  assert_success
  assert_errors "connection to the server was refused"
  assert_equal "$(jq -r '.environments[0].healthy, .environments[1].healthy' <<<"$output")" $'true\nfalse'
}

@test "status: wrong calls" { assert_wrong_calls_on_host status "--jsonx" "json" "dev" "--json --json" ";reboot"; }
