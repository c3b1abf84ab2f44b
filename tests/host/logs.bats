#!/usr/bin/env bats
load ../lib/host.bash
setup() {
  start_host
  lay_ready
}
teardown() { stop_host; }

@test "logs: dev: of the live slot, both streams, 100 lines if not said otherwise" {
  deployed dev 1
  verb logs dev
  assert_success
  assert_output "the last 100 lines of $(revision 1)
and those of its stderr"
  deployed dev 2
  verb logs dev 5
  assert_output --partial "the last 5 lines of $(revision 2)"
  run tail -n 1 "$LOG"
  assert_output "docker logs --tail 5 book-shop-a"
}

@test "logs: prod: of the web pods" {
  deployed prod 1
  verb logs prod
  assert_success
  assert_output "the last 100 lines of the release"
  verb logs prod 99999
  assert_output "the last 99999 lines of the release"
  run tail -n 1 "$LOG"
  assert_output "kubectl: --namespace book-shop logs -l app.kubernetes.io/component=web --tail 99999"
}

@test "logs: where nothing serves, it says so" {
  for environment in dev prod; do
    verb logs $environment
    assert_failed 1 "logs: $environment serves nothing: deploy an image first (make deploy-$environment)"
  done
}

@test "logs: wrong calls" {
  assert_wrong_calls_on_host logs "" "test" "dev 0" "dev -1" "dev 1e3" "dev 100000" "dev 5 5" "dev --follow" "--follow dev" "-x" "dev 5;reboot" "2dev" "prod all"
  for arguments in "dev 5" $'dev\n' "" " dev" "dev\$(reboot)"; do
    verb logs "$arguments"
    assert_refused 2 "Usage: logs"
    verb logs dev "$arguments"
    assert_refused 2 "Usage: logs"
  done
}
