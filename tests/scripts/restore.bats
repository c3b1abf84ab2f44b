#!/usr/bin/env bats
load ../lib/shop.bash
setup() {
  start_shop
  real restore
  host_runs
  latest=$(ago "3 hours") older=$(ago "2 days") replaced=$(ago "1 hour")-replaced
  # shellcheck disable=SC2016 # the fake itself expands them
  host_does "case \$* in
    *backups) printf '%s\n' 'dev $older 10000' 'prod $replaced 30000' 'prod $latest 20000' 'prod $older 10000' ;;
    *) echo the path && echo '==> done' >&2 ;;
  esac"
}
teardown() { stop_shop; }

ago() { date -u -d "$1 ago" +%Y%m%dT%H%M%SZ; }
asked="docker container inspect --format {{.State.Running}} test-host
docker exec --env DELIVERY_ACTOR=tester test-host /opt/book-shop/bin/backups"
assert_restored() { # ENVIRONMENT NAME
  assert_success
  assert_output ""
  assert_log "$asked
docker exec --env DELIVERY_ACTOR=tester test-host /opt/book-shop/bin/restore $1 $2"
}

@test "restore: the latest that no restore has made; it says what goes and asks for the environment's name" {
  verb restore prod <<<prod
  assert_restored prod "$latest"
  assert_errors_whole "==> prod (http://localhost:80) gets the data of ${latest:0:4}-${latest:4:2}-${latest:6:2} ${latest:9:2}:${latest:11:2}:${latest:13:2} UTC
prod  $latest               20 kB  3 h ago
Changes made there in the last 3 h are removed and kept as a backup.
The data is replaced. Type prod to continue: the path
==> done"
}

@test "restore: any by its name; -y doesn't ask" {
  verb restore -y prod "$replaced" </dev/null
  assert_restored prod "$replaced"
  refute_errors "Type"
  : >"$LOG"
  verb restore dev latest -y </dev/null
  assert_restored dev "$older"
}

@test "restore: not confirmed: the host is told nothing" {
  for answer in "" yes y dev PROD; do
    : >"$LOG"
    verb restore prod <<<"$answer"
    assert_failed 1 "not confirmed: nothing was changed" "expected 'prod'"
    assert_log "$asked"
  done
  verb restore prod </dev/null
  assert_failed 1 "not confirmed"
}

@test "restore: prod's data is not here when PROD says that it runs on a cluster" {
  DELIVERY_PROD=cluster verb restore prod <<<prod
  assert_failed 2 "prod's data is not on the host" "make cluster-data-dump"
  assert_log ""
  DELIVERY_PROD=cluster verb restore dev <<<dev
  assert_restored dev "$older"
}

@test "restore: no such backup, or none of that environment" {
  verb restore dev "$latest" <<<dev
  assert_failed 1 "dev has no backup $latest" "remedy: make backups"
  assert_log "$asked"
  host_does "echo 'prod $replaced 1'"
  for environment in dev prod; do
    verb restore -y $environment
    assert_failed 1 "$environment has no backup latest"
  done
}

@test "restore: the host's failure is passed on" {
  # shellcheck disable=SC2016 # the fake itself expands it
  host_does 'case $* in *backups) echo "dev 20261125T031500Z 1" ;; *) echo "damaged" >&2 && exit 3 ;; esac'
  verb restore -y dev
  assert_failed 3 "damaged"
  host_does 'echo "no such directory" >&2; exit 5'
  verb restore -y dev
  assert_failed 5 "no such directory"
}

@test "restore: -h and wrong calls" {
  for name in "" x "../$latest" "$latest.dump" "${latest,,}" $'latest\n' "$latest;id" "٢٠٢٦١١٢٥T٠٣١٥٠٠Z"; do
    verb restore prod "$name"
    assert_failed 2 "invalid name of a backup" "remedy: make backups"
  done
  verb restore stage
  assert_failed 2 "invalid environment 'stage'"
  verb restore
  assert_failed 2 "the following arguments are required: environment"
  assert_wrong_calls restore "prod latest x"
}
