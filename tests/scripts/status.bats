#!/usr/bin/env bats
load ../lib/shop.bash
setup() {
  start_shop
  real status
  host_runs
  export DIGEST=sha256:0123456789abcdef
  # shellcheck disable=SC2016 # the fake itself expands it
  host_does 'cat <<JSON
{"environments": [
  {"environment": "dev", "version": "1.1.0", "revision": "abcdef0123456789", "digest": "$DIGEST", "healthy": true, "previous": null,
   "last_backup": null, "backup_overdue": false, "deploying": null, "last": {"time": "2026-01-02T03:04:05Z", "actor": "ann", "verb": "deploy", "result": "failed"}},
  {"environment": "prod", "version": null, "revision": null, "digest": null, "healthy": false, "previous": "$DIGEST",
   "deploying": "deploy-prod x, by bob, process 1, since then", "last": null}
], "host_files": "aaa"}
JSON'
}
teardown() { stop_shop; }

@test "status: a table of both environments, at the ports of this machine; a dash is what isn't there" {
  DELIVERY_DEV_PORT=8081 DELIVERY_HTTP_PORT=81 verb status
  assert_success
  assert_output "\
      URL                      VERSION   REVISION      DIGEST               HEALTHY  PREVIOUS             BACKUP   LAST DEPLOY
dev   http://localhost:8081    1.1.0     abcdef012345  sha256:0123456789ab  yes      -                    -        deploy failed 2026-01-02T03:04:05Z by ann
prod  http://localhost:81      -         -             -                    NO       sha256:0123456789ab  -        now: deploy-prod x, by bob, process 1, since then"
  assert_errors_whole ""
  assert_log "docker container inspect --format {{.State.Running}} test-host
docker exec --env DELIVERY_ACTOR=tester test-host /opt/book-shop/bin/status"
}

@test "status json: the host's answer as it is" {
  verb status json
  assert_success
  assert_output "$("$ENGINE/exec")"
}

@test "status: a backup that is overdue is shown with its age, and fails" {
  for form in "" json; do
    for last in '"20200102T030405Z"' null; do
      export BACKUP="\"last_backup\": $last, \"backup_overdue\": true"
      # shellcheck disable=SC2016 # the fake itself expands it
      host_does 'cat <<JSON
{"environments": [{"environment": "prod", "version": "1.1.0", "revision": "abcdef0123456789", "digest": "$DIGEST",
  "healthy": true, "previous": null, "deploying": null, "last": null, $BACKUP}]}
JSON'
      # shellcheck disable=SC2086 # without a form there is one argument less
      verb status $form
      assert_equal "$status" 1
      assert_errors "the backup of prod is overdue" "remedy: make backup"
      [[ $output == *1.1.0* ]]
      if [ "$last" = null ]; then assert_errors "none was ever made"; else assert_errors " days old"; fi
    done
  done
}

@test "status: the host's failure is passed on and nothing is printed" {
  host_does 'echo "{"; echo "no kubectl" >&2; exit 4'
  verb status
  assert_failed 4 "no kubectl"
  verb status json
  assert_failed 4 "no kubectl"
}

@test "status: without a host it names make demo" {
  host_runs false
  verb status
  assert_failed 1 "container test-host is stopped" "remedy: make demo"
}

@test "status: -h and wrong calls" {
  verb status yaml
  assert_failed 2 "invalid choice: 'yaml'" "Usage: scripts/status [json]"
  verb status ""
  assert_failed 2 "invalid choice: ''"
  assert_wrong_calls status "json json"
}
