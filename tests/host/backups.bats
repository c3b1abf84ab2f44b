#!/usr/bin/env bats
load ../lib/host.bash
setup() {
  start_host
  lay_ready
  mkdir -p "$BACKUPS/dev" "$BACKUPS/prod"
}
teardown() { stop_host; }

@test "backups: none" {
  verb backups
  assert_success
  assert_output ""
  assert_errors_whole ""
}

@test "backups: environment, name and bytes, the newest first; nothing that is no dump" {
  echo 1 >"$BACKUPS/prod/20261125T031500Z.dump"
  echo 22 >"$BACKUPS/prod/20261124T031500Z.dump"
  echo 333 >"$BACKUPS/prod/20261124T120000Z-replaced.dump"
  echo 4444 >"$BACKUPS/dev/20261123T031500Z.dump"
  echo half >"$BACKUPS/dev/new"
  verb backups
  assert_success
  assert_output "dev 20261123T031500Z 5
prod 20261125T031500Z 2
prod 20261124T120000Z-replaced 4
prod 20261124T031500Z 3"
  assert_log ""
}

@test "backups: wrong calls" { assert_wrong_calls_on_host backups dev "-x" "--json"; }
