#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# Settings that are changed while the shop is used, that the application refuses, and that try to be
# more than a value.
load ../e2e/e2e.bash
load ../lib/buyers.bash

ENVIRONMENTS=(dev prod)
setup_file() { start_demo; }
teardown() { stop_runs; }

# set_to ENVIRONMENT NAME: changes a setting to the value on stdin. Sets $status and $output.
set_to() { run "$SHOP/scripts/set" "$1" "$2"; }
# everything ENVIRONMENT: the live containers and pods, the stored settings and the history.
everything() {
  identities
  on_host cat "/etc/book-shop/$1.env" /var/lib/book-shop/deploys.jsonl
}
# answer ENVIRONMENT HOST_NAME: the status of the shop's answer to a request with this name.
answer() { curl -s -o /dev/null -w '%{http_code}' -H "Host: $2" "http://localhost:$(port_of "$1")/book-list"; }
# answers ENVIRONMENT NAME STATUS...: those of the names.
answers() {
  while [ $# -gt 1 ]; do
    assert_equal "$2: $(answer "$1" "$2")" "$2: $3"
    set -- "$1" "${@:4}"
  done
}

@test "an install run with other host names changes none; set makes NGINX and the shop accept a name" {
  for environment in "${ENVIRONMENTS[@]}"; do answers "$environment" localhost 200 new.example 421; done
  run install_host localhost,new.example
  assert_success
  assert_output --partial "ALLOWED_HOSTS of dev and prod stays as it is stored"
  assert_output --partial "make set-dev SETTING=ALLOWED_HOSTS and make set-prod SETTING=ALLOWED_HOSTS"
  for environment in "${ENVIRONMENTS[@]}"; do answers "$environment" localhost 200 new.example 421; done

  set_to dev ALLOWED_HOSTS <<<"localhost,new.example"
  assert_success
  answers dev localhost 200 new.example 200 other.example 421
  answers prod localhost 200 new.example 421
  set_to prod ALLOWED_HOSTS <<<".example"
  assert_success
  answers prod localhost 200 new.example 200 other.example 200 example.org 421
  answers dev other.example 421

  # Words that NGINX's configuration reserves, and the longest name.
  label=$(printf 'x%.0s' {1..62})
  longest=$label.$label.$label.$label.x
  set_to dev ALLOWED_HOSTS <<<"localhost,new.example,default,include,$longest"
  assert_success
  answers dev default 200 include 200 "$longest" 200 other.example 421

  run install_host
  assert_success
  answers dev new.example 200 other.example 421
  answers prod other.example 200
  for environment in "${ENVIRONMENTS[@]}"; do
    set_to "$environment" ALLOWED_HOSTS <<<"localhost,127.0.0.1"
    assert_success
    answers "$environment" localhost 200 new.example 421
  done
}

@test "settings that were edited on the host are shown as pending, and a deploy of the live image applies them" {
  for environment in "${ENVIRONMENTS[@]}"; do
    on_host sh -c "echo EMAIL_HOST=edited.example >>/etc/book-shop/$environment.env"
    run "$SHOP/scripts/status"
    assert_success
    assert_output --partial "$environment: the stored settings are not the live ones. To apply them: make deploy-$environment IMAGE="
    read -ra command <<<"${lines[-1]##*To apply them: make }"
    shop "${command[@]}"
    assert_equal "$(live_setting "$environment" EMAIL_HOST)" edited.example
    run "$SHOP/scripts/status"
    refute_output --partial "the stored settings are not the live ones"
    "$SHOP/scripts/unset" "$environment" EMAIL_HOST
    run live_setting "$environment" EMAIL_HOST
    assert_failure
  done
}

@test "settings that change under 100 requests per second fail no request" {
  make_books
  start_steady_run kept 16566 on
  start_steady_run new 16567 off
  for environment in "${ENVIRONMENTS[@]}"; do
    {
      for value in one.example two.example; do "$SHOP/scripts/set" "$environment" EMAIL_HOST <<<"$value" || exit; done
      "$SHOP/scripts/unset" "$environment" EMAIL_HOST
    } >"$BATS_TEST_TMPDIR/$environment" 2>&1 3>&- &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job" || fail "$(tail -n 20 "$BATS_TEST_TMPDIR"/{dev,prod})"; done
  stop_run kept 16566
  stop_run new 16567
  jq -r '"# \(.metrics.http_reqs.count) requests, \(.metrics.http_req_failed.passes) failed"' "$BATS_TEST_TMPDIR"/{kept,new}.json >&3
}

@test "a value that the application refuses changes nothing" {
  for environment in "${ENVIRONMENTS[@]}"; do
    before=$(everything "$environment")
    while read -r name value; do
      set_to "$environment" "$name" <<<"$value"
      assert_failure 2
      refute_output --partial "$value"
    done <<'TABLE'
EMAIL_PORT $(id)
EMAIL_PORT 99999
EMAIL_SECURITY `reboot`;x
ALLOWED_HOSTS evil.example;}server{listen
ALLOWED_HOSTS $(id)
DATABASE_URL ;drop-database
SECRET_KEY short
COOKIE_SUFFIX a;b="c"
NO_SUCH_SETTING x-value
DEBUG 1
TABLE
    run "$SHOP/scripts/unset" "$environment" DATABASE_URL
    assert_failure 2
    assert_equal "$(everything "$environment")" "$before"
  done
}

@test "a value with which the application is never ready is not stored, and the old one stays in effect" {
  for environment in "${ENVIRONMENTS[@]}"; do
    before=$(live_setting "$environment" DATABASE_URL)
    set_to "$environment" DATABASE_URL <<<"${before/@db.internal/@127.0.0.1}"
    assert_failure 1
    assert_output --partial "$environment keeps its previous settings"
    assert_equal "$(stored_setting "$environment" DATABASE_URL)" "$before"
    assert_equal "$(live_setting "$environment" DATABASE_URL)" "$before"
    get "$environment" /readyz
    run "$SHOP/scripts/history" "$environment" 1
    assert_output --partial "set DATABASE_URL"
    assert_output --partial failed
  done
}

# watch_processes: prints the processes on the host with the trace of a value in their arguments or
# environment, until unwatch_processes. The application's own user may have it in its environment.
watch_processes() {
  # shellcheck disable=SC2016 # the shell on the host expands them
  on_host sh -c 'touch /run/watched; while [ -e /run/watched ]; do
    for file in $(grep -alse "tr[a]ce-of-a-value" /proc/[0-9]*/cmdline /proc/[0-9]*/environ); do
      case $file in
        */environ)
          user=$(stat -c %u "${file%/*}" 2>/dev/null) || continue # it has ended
          [ "$user" != 10001 ] || continue
          ;;
      esac
      echo "$file of user ${user:-}: $(tr "\0" " " 2>/dev/null <"${file%/*}/cmdline")"
    done
  done' >"$BATS_TEST_TMPDIR/processes" 2>&1 3>&- &
  WATCHER=$!
  until on_host test -e /run/watched; do kill -0 "$WATCHER"; done
}
unwatch_processes() {
  on_host rm /run/watched
  wait "$WATCHER"
}

@test "hostile values are stored exactly or refused, run nothing and leave no trace" {
  since=$(date --utc +%FT%TZ)
  # shellcheck disable=SC2016 # nothing may expand it
  hostile='trace-of-a-value "`touch /tmp/owned`$(touch /tmp/owned)${HOME}\n%s;#&|<>*?[a] = ü€😀 -'\'
  watch_processes
  for environment in "${ENVIRONMENTS[@]}"; do
    set_to "$environment" EMAIL_HOST_PASSWORD <<<"$hostile"
    assert_success
    refute_output --partial trace-of-a-value
    assert_equal "$(stored_setting "$environment" EMAIL_HOST_PASSWORD)" "$hostile"
    assert_equal "$(live_setting "$environment" EMAIL_HOST_PASSWORD)" "$hostile"
    run "$SHOP/scripts/settings" "$environment" --values
    assert_success
    refute_output --partial trace-of-a-value

    before=$(identities)
    for value in 'trace-of-a-value\n2' 'trace-of-a-value\0' 'trace-of-a-value\xff' 'trace-of-a-value\r' 'trace-of-a-value\e[2J' ''; do
      set_to "$environment" EMAIL_HOST_PASSWORD < <(printf %b "$value")
      assert_failure 2
      refute_output --partial trace-of-a-value
      run into_host /opt/book-shop/bin/set "$environment" EMAIL_HOST_PASSWORD < <(printf %b "$value")
      assert_failure 2
      refute_output --partial trace-of-a-value
    done
    set_to "$environment" EMAIL_HOST_PASSWORD < <(yes trace-of-a-value | tr -d '\n' | head -c 65536)
    assert_failure 2
    assert_equal "$(identities)" "$before"
    assert_equal "$(stored_setting "$environment" EMAIL_HOST_PASSWORD)" "$hostile"
  done
  unwatch_processes
  assert_equal "$(cat "$BATS_TEST_TMPDIR/processes")" ""
  run on_host ls /tmp/owned
  assert_failure

  {
    on_host journalctl --quiet --since "$(date --date "$since" '+%F %T')"
    on_host docker events --since "$since" --until "$(date --utc +%FT%TZ)"
    on_host sh -c 'docker ps --all --quiet --filter "name=book-shop-[^ab]" | xargs -r docker inspect'
    kubectl get events,pods,jobs,deployments,replicasets,configmaps --output json
    on_host sh -c 'cat /var/lib/book-shop/deploys.jsonl /var/lib/book-shop/prod/manifests.yaml /var/log/nginx/*.log'
    "$SHOP/scripts/history" dev
    "$SHOP/scripts/history" prod
    "$SHOP/scripts/status" json
    "$SHOP/scripts/logs" dev
    "$SHOP/scripts/logs" prod
  } >"$BATS_TEST_TMPDIR/traces" 2>&1
  run grep -a trace-of-a-value "$BATS_TEST_TMPDIR/traces"
  assert_failure 1
  for environment in "${ENVIRONMENTS[@]}"; do "$SHOP/scripts/unset" "$environment" EMAIL_HOST_PASSWORD; done
}
