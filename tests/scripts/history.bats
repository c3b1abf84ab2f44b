#!/usr/bin/env bats
load ../lib/shop.bash
setup() {
  start_shop
  real history
  host_runs
}
teardown() { stop_shop; }

@test "history: a table of the last deploys, as the host logged them" {
  host_does 'cat <<JSON
{"time": "2026-01-02T03:04:05Z", "actor": "ann", "environment": "dev", "verb": "deploy", "commit": "abcdef0123456789", "digest": "sha256:0123456789abcdef", "result": "ok", "seconds": 13}
{"time": "2026-01-02T04:04:05Z", "actor": "dependabot[bot]", "environment": "dev", "verb": "rollback", "commit": "", "digest": "sha256:0123456789abcdef", "result": "failed", "seconds": 7}
JSON'
  verb history dev
  assert_success
  assert_output "\
TIME                 ACTOR            VERB      COMMIT        DIGEST               RESULT  SECONDS
2026-01-02T03:04:05Z ann              deploy    abcdef012345  sha256:0123456789ab  ok      13
2026-01-02T04:04:05Z dependabot[bot]  rollback                sha256:0123456789ab  failed  7"
  verb history prod 5
  assert_equal "$(grep exec "$LOG")" "docker exec --env DELIVERY_ACTOR=tester test-host /opt/book-shop/bin/history dev 20
docker exec --env DELIVERY_ACTOR=tester test-host /opt/book-shop/bin/history prod 5"
}

@test "history: nothing was deployed yet" {
  verb history dev
  assert_success
  assert_output "TIME                 ACTOR            VERB      COMMIT        DIGEST               RESULT  SECONDS"
}

@test "history: the host's failure is passed on; without a host it names make demo" {
  host_does 'echo "no jq" >&2; exit 5'
  verb history prod
  assert_failed 5 "no jq"
  rm "$ENGINE/containers/test-host"
  verb history dev
  assert_failed 1 "there is no local host to reach" "remedy: make demo"
}

@test "history: -h and wrong calls" {
  for lines in "" 0 100000 ten '1;id'; do
    verb history dev "$lines"
    assert_failed 2 "invalid number of lines" "expected 1 to 99999"
  done
  verb history stage
  assert_failed 2 "invalid environment 'stage'" "expected dev or prod"
  assert_wrong_calls history "dev 1 2"
}
