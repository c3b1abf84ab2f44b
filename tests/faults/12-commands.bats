#!/usr/bin/env bats
# shellcheck disable=SC2154 # $stderr is bats' own
bats_require_minimum_version 1.5.0
# One-off commands, logs and copies of data, on a real host.
load faults.bash

# manage ENVIRONMENT COMMAND: with the test's stdin. Sets $status, $output and $stderr.
manage() { run --separate-stderr "$SHOP/scripts/manage" "$@"; }
leftovers() { on_host docker ps --all --filter label=book-shop.owner --format '{{.Names}}'; }
following() { on_host pgrep -f 'bin/logs dev' || [ $? -eq 1 ]; } # 1: there is none
# await_none COMMAND: waits until it prints nothing, for at most a minute.
await_none() {
  local found
  for _ in {1..300}; do
    found=$("$1")
    [ -n "$found" ] || return 0
    sleep 0.2
  done
  fail "$1 still prints: $found"
}
last_verb() { "$SHOP/scripts/history" "$1" | tail -n 1; }

@test "manage: passes arguments, streams and the exit status on exactly" {
  # shellcheck disable=SC2016 # nothing may expand them
  local words='["a\u0027b", "\"", "$(touch /tmp/x)", "`id`", "a\nb", "", "--", "{{x}}", "\\", "*", "\u00e9"]'
  manage dev "$(python3 -c 'import json, shlex, sys
code = f"import json; print(json.dumps({json.loads(sys.argv[1])!r}))"
print(shlex.join(["shell", "-v0", "-c", code]))' "$words")" </dev/null
  assert_success
  assert_equal "$output" "${words//\\u0027/\'}"
  manage prod "shell -v0 -c 'import sys; print(sys.stdin.read()[::-1]); print(1, file=sys.stderr); sys.exit(77)'" <<<"abc"
  assert_failure 77
  assert_output $'\ncba'
  assert_equal "$stderr" 1
  assert_equal "$(leftovers)" ""
}

@test "manage: a command that fails, is killed or does not exist has its exit status and is recorded" {
  manage dev nosuch </dev/null
  assert_failure 1
  assert_regex "$(last_verb dev)" "manage nosuch .* failed"
  manage dev "shell -v0 -c 'import os; os._exit(126)'" </dev/null
  assert_failure 126
  manage prod "shell -v0 -c 'x = [b\"x\" * 2**20 for _ in range(5000)]'" </dev/null
  assert_failure 137
  assert_regex "$stderr" "needed more memory"
  manage prod check </dev/null
  assert_success
  assert_regex "$(last_verb prod)" "manage check .* ok"
}

@test "manage: a pipe that never ends, and a closed stdin, do not hold it" {
  mkfifo "$BATS_TEST_TMPDIR/pipe" # opened for reading and writing, it has no end
  run timeout 60 "$SHOP/scripts/manage" dev check <>"$BATS_TEST_TMPDIR/pipe"
  assert_success
  run timeout 60 "$SHOP/scripts/manage" dev check <&-
  assert_success
}

@test "manage: runs while a deploy does, and neither loses a request or its entry" {
  local next
  next=$(good dev)
  watch dev
  mkfifo "$BATS_TEST_TMPDIR/pipe"
  "$SHOP/scripts/manage" dev "shell -v0 -c 'import sys; sys.stdin.read()'" <>"$BATS_TEST_TMPDIR/pipe" 3>&- &
  local command=$!
  until [ -n "$(leftovers)" ]; do kill -0 "$command"; done
  during dev "$next" drain "$SHOP/scripts/manage" dev check
  assert_equal "$status" 0
  assert_served_throughout
  assert_equal "$(serving dev)" "$next"
  kill "$command" # as CI ends a job
  status=0
  wait "$command" || status=$?
  assert_equal "$status" 130
  assert_equal "$(leftovers)" ""
  "$SHOP/scripts/history" dev | tail -n 3 >"$BATS_TEST_TMPDIR/history"
  assert_equal "$(grep -c ' manage check .* ok' "$BATS_TEST_TMPDIR/history")" 1
  assert_equal "$(grep -c " manage shell .* failed" "$BATS_TEST_TMPDIR/history")" 1
}

@test "manage: the container of a verb that was killed is removed by the next command" {
  mkfifo "$BATS_TEST_TMPDIR/pipe"
  "$SHOP/scripts/manage" dev "shell -v0 -c 'import sys; sys.stdin.read()'" <>"$BATS_TEST_TMPDIR/pipe" 3>&- &
  local command=$!
  until [ -n "$(leftovers)" ]; do kill -0 "$command"; done
  on_host pkill -9 -f bin/manage
  wait "$command" || true
  "$SHOP/scripts/manage" dev check </dev/null
  assert_equal "$(leftovers)" ""
}

@test "manage: ends when its output cannot be written" {
  local forever="shell -v0 -c 'while True: print(\"x\" * 99)'"
  "$SHOP/scripts/manage" dev "$forever" </dev/null | head -n 1
  assert_equal "${PIPESTATUS[0]}" 141
  # The shell opens /dev/full, because `run` reads what the command prints.
  # shellcheck disable=SC2016 # that shell expands them
  run timeout 60 sh -c '"$0" dev "$1" >/dev/full' "$SHOP/scripts/manage" "$forever" </dev/null
  assert_regex "$status" '^(1|141)$' # 124 would be the time limit
  await_none leftovers
  run ! on_host sh -c "/opt/book-shop/bin/manage dev '[\"check\"]' >/dev/full"
  assert_regex "$(last_verb dev)" "manage check .* failed"
}

@test "manage: imports a catalogue from stdin" {
  printf '%s\n' isbn,title,author,publishing_year,rating,reviewer,category,price,stock \
    '9780306406157,Notes,A. Lovelace,1843,5,Sami,Science,12.50,3' >"$BATS_TEST_TMPDIR/books.csv"
  manage dev 'import_books -' <"$BATS_TEST_TMPDIR/books.csv"
  assert_success
  run psql book_shop_dev -c "select title from books_book where title = 'Notes'"
  assert_output Notes
}

@test "invite: the link sets a password once" {
  local link page=$BATS_TEST_TMPDIR/page jar=$BATS_TEST_TMPDIR/jar token code
  link=$("$SHOP/scripts/invite" dev ann@example.org 2>/dev/null)
  curl -fsSL -c "$jar" -b "$jar" -o "$page" "$link"
  token=$(sed -n 's/.*name="csrfmiddlewaretoken" value="\([^"]*\)".*/\1/p' "$page" | head -n 1)
  code=$(curl -sS -c "$jar" -b "$jar" -o "$page" -w '%{http_code}' --data-urlencode "csrfmiddlewaretoken=$token" \
    --data-urlencode new_password1=Zuckerhut-77-Bruecke --data-urlencode new_password2=Zuckerhut-77-Bruecke \
    "${link%%\?*}")
  assert_equal "$code" 302
  run psql book_shop_dev -c "select is_staff, password like 'pbkdf2%' or password like 'scrypt%' or password like 'argon2%' from auth_user where email = 'ann@example.org'"
  assert_output 't|t'
  curl -sSL -o "$page" "$link"
  refute grep -q new_password1 "$page"
}

@test "logs: prints those from before a crash, and follows across a deploy" {
  local process
  process=$(live_slot)
  get dev "/before-the-crash" || true
  on_host sh -c "kill -9 \$(docker inspect --format '{{.State.Pid}}' $process)"
  await_ready dev 60
  run "$SHOP/scripts/logs" dev --previous --grep=/before-the-crash
  assert_success
  assert_output --partial '"path": "/before-the-crash"'

  "$SHOP/scripts/logs" dev --follow --grep=/follow- >"$BATS_TEST_TMPDIR/follow" 3>&- &
  local following=$!
  await_line() { until grep -q "$1" "$BATS_TEST_TMPDIR/follow"; do
    kill -0 "$following"
    get dev "/$1" 2>/dev/null || true
  done; }
  await_line follow-old
  deploy dev "$(good dev)"
  assert_success
  await_line follow-new
  kill "$following"
  wait "$following" || true
  await_none following # ends by itself
}

@test "psql: has no superuser's rights, and a failing statement is exit status 3" {
  run --separate-stderr "$SHOP/scripts/psql" dev <<<"\\t on
select current_user, usesuper from pg_user where usename = session_user;"
  assert_success
  assert_regex "$output" 'book_shop_dev +\| f'
  run "$SHOP/scripts/psql" prod <<<"select 1/0; select 'later';"
  assert_failure 3
  refute_output --partial later
}

@test "dump and load: damaged dumps change nothing" {
  local dump=$BATS_TEST_TMPDIR/dump before
  "$SHOP/scripts/dump" dev >"$dump"
  before=$(psql book_shop_dev -c 'select count(*) from books_book')
  for damaged in "head -c 0" "head -c 30000" "tail -c +2" "sed s/^PGDMP\\x01/PGDMP\\x09/"; do
    run --separate-stderr "$SHOP/scripts/load" -y dev < <($damaged "$dump")
    assert_failure 1
    assert_regex "$stderr" "nothing was changed"
  done
  assert_equal "$(psql book_shop_dev -c 'select count(*) from books_book')" "$before"
  run --separate-stderr "$SHOP/scripts/load" -y dev < <(on_host runuser -u postgres -- pg_dump -Fc template1)
  assert_failure 1
  assert_regex "$stderr" "not a database of the shop.*dev has its previous data"
  # A dump has the rights of the environment's role only.
  psql book_shop_dev -qc "create extension file_fdw"
  "$SHOP/scripts/dump" dev >"$dump"
  psql book_shop_dev -qc "drop extension file_fdw"
  run --separate-stderr "$SHOP/scripts/load" -y dev <"$dump"
  assert_failure 1
  assert_regex "$stderr" "permission denied to create extension .*dev has its previous data"
}

@test "dump | load: dev gets prod's data without personal data, and back" {
  local order="from orders.models import Order; from django.contrib.auth.models import User
User.objects.create_user('hildegard', 'hildegard@real.example', 'x', first_name='Hildegard', last_name='Knef')
Order.objects.create(name='Hildegard Knef', email='hildegard@real.example', street='Wundtstrasse 7', city='Berlin', country='DE', payment='invoice', currency='EUR', total=1)"
  psql book_shop_dev -q -c "create table only_in_dev (x int)"
  django prod "$order"
  "$SHOP/scripts/dump" prod | "$SHOP/scripts/load" -y --anonymous dev
  on_host runuser -u postgres -- pg_dump book_shop_dev >"$BATS_TEST_TMPDIR/plain"
  run grep -ciE 'hildegard|knef|wundtstr|real\.example' "$BATS_TEST_TMPDIR/plain"
  assert_output 0
  run psql book_shop_dev -c "select count(*) > 0 from orders_order"
  assert_output t
  on_host runuser -u postgres -- pg_dump book_shop_prod >"$BATS_TEST_TMPDIR/plain"
  grep -q 'Wundtstrasse 7' "$BATS_TEST_TMPDIR/plain"
  # The replaced data is a backup.
  local replaced
  replaced=$("$SHOP/scripts/backups" | awk '$1 == "dev" && $2 ~ /-replaced$/ {print $2; exit}')
  "$SHOP/scripts/restore" -y dev "$replaced"
  psql book_shop_dev -c "drop table only_in_dev"
}
