#!/usr/bin/env bats
load ../lib/host.bash
setup() {
  start_host
  lay_ready
  with_data dev "dev's books"
  with_data prod "prod's books"
}
teardown() { stop_host; }

asked() { # ENVIRONMENT
  printf "runuser -u postgres -- psql -XAtqc select pg_database_size('book_shop_%s')\ndf --output=avail --block-size=1 /var/backups/book-shop" "$1"
}
dumped() { # ENVIRONMENT
  printf 'runuser -u postgres -- pg_dump -Fc book_shop_%s\nrunuser -u postgres -- pg_restore -f /dev/null\nsync /var/backups/book-shop/%s/new' "$1" "$1"
}

@test "backup: of one environment: dumped, read to its end, then in its place; its path is the answer" {
  verb backup dev
  assert_success
  assert_output "$BACKUPS/dev/20261125T031500Z.dump"
  assert_errors_whole "==> back up dev"
  assert_log "$(asked dev)
$(dumped dev)"
  assert_equal "$(cat "$BACKUPS/dev/20261125T031500Z.dump")" $'dev\'s books\nend'
  assert_equal "$(dumps dev)" 20261125T031500Z.dump
  assert_equal "$(stat -c %a "$BACKUPS/dev/20261125T031500Z.dump")" 600
  assert_equal "$(dumps prod)" ""
}

@test "backup: of both when none is named" {
  verb backup
  assert_success
  assert_output "$BACKUPS/dev/20261125T031500Z.dump
$BACKUPS/prod/20261125T031501Z.dump"
  assert_equal "$(head -n 1 "$BACKUPS/prod/20261125T031501Z.dump")" "prod's books"
}

@test "backup: one that fails doesn't keep the other from its own, and the exit status tells" {
  rm "$WORLD/databases/book_shop_dev"
  verb backup
  assert_equal "$status" 1
  assert_output "$BACKUPS/prod/20261125T031500Z.dump"
  assert_errors "backup: can't ask PostgreSQL for book_shop_dev. See: systemctl status postgresql"
}

@test "backup: the newest 14 stay, or as many as said, and those that restore made are counted apart" {
  for second in $(seq -w 1 20); do
    touch "$BACKUPS/dev/20261124T0000${second}Z.dump" "$BACKUPS/dev/20261124T0000${second}Z-replaced.dump"
  done
  touch "$BACKUPS/prod/20261124T000000Z.dump"
  verb backup dev
  assert_success
  run find "$BACKUPS/dev" -name '*Z.dump' -printf '%P\n'
  assert_equal "$(sort <<<"$output" | xargs)" "$(printf '20261124T0000%sZ.dump ' {08..20})20261125T031500Z.dump"
  assert_equal "$(find "$BACKUPS/dev" -name '*-replaced.dump' | wc -l)" 20
  KEEP=1 verb backup dev
  assert_equal "$(find "$BACKUPS/dev" -name '*Z.dump' -printf '%P\n')" 20261125T031501Z.dump
  KEEP=1 verb backup dev
  KEEP=2 verb backup dev
  assert_equal "$(find "$BACKUPS/dev" -name '*Z.dump' | wc -l)" 2
  assert_equal "$(dumps prod)" 20261124T000000Z.dump
}

@test "backup: a dump that fails, or can't be read, is none, and no older one goes for it" {
  KEEP=1 verb backup dev
  kept=$(dumps dev)
  touch "$WORLD/fails-pg_dump"
  KEEP=1 verb backup dev
  assert_failed 1 "no space left" "backup: the dump of book_shop_dev failed, see above. The older ones are all there"
  assert_equal "$(dumps dev)" "$kept new"
  rm "$WORLD/fails-pg_dump"
  KEEP=1 verb backup dev
  assert_success
  assert_equal "$(dumps dev)" 20261125T031502Z.dump

  touch "$WORLD/fails-read"
  KEEP=1 verb backup dev
  assert_failed 1 "backup: the new dump of book_shop_dev can't be read, see above. The older ones are all there"
  assert_equal "$(dumps dev)" "20261125T031502Z.dump new"
}

@test "backup: without the room for it nothing is begun" {
  echo 999 >"$WORLD/free"
  verb backup dev
  assert_failed 1 "backup: 999 bytes are free on the disk and 1000 are needed: nothing was touched. Make room there first"
  assert_log "$(asked dev)"
  assert_equal "$(dumps dev)" ""
}

@test "backup: two in one second are two" {
  echo there before >"$BACKUPS/dev/20261125T031500Z.dump"
  verb backup dev
  assert_output "$BACKUPS/dev/20261125T031501Z.dump"
  assert_equal "$(cat "$BACKUPS/dev/20261125T031500Z.dump")" "there before"
}

@test "backup: not while something else is done there" {
  exec 8<>"$HOST_ROOT/run/lock/book-shop-dev"
  echo "restore dev latest, process 1, since then" >&8
  flock 8
  LOCK_WAIT=0 verb backup dev
  assert_refused 1 "backup: dev is locked by: restore dev latest, process 1, since then. Try again when it has ended"
  LOCK_WAIT=0 verb backup prod
  assert_success
}

@test "backup: killed before any change, the existing dumps are whole, and the next backup succeeds" {
  local change=1
  count_as_changes mv
  while killed_at "$change" backup dev 2>/dev/null; do
    for file in "$BACKUPS"/dev/*.dump; do [ ! -e "$file" ] || assert_equal "$(cat "$file")" $'dev\'s books\nend'; done
    verb backup dev
    assert_success
    assert_equal "$(cat "$output")" $'dev\'s books\nend'
    assert_equal "$(find "$BACKUPS/dev" -name new)" ""
    rm "$WORLD/changes"
    change=$((change + 1))
  done
  assert_equal "$((change - 1))" 3
}

@test "backup: wrong calls" {
  assert_wrong_calls_on_host backup "stage" "dev prod" "-x" "dev;reboot" "../dev"
  for hostile in "" " dev" "dev " $'dev\n' "\$(reboot)"; do
    verb backup "$hostile"
    assert_refused 2 "Usage: backup"
  done
}
