#!/usr/bin/env bats
load ../lib/host.bash
setup() {
  start_host
  unset VERBS # the laptop's
  export SHOP=$ROOT
}
teardown() { stop_host; }

@test "user-data: one plain script, the same each time, small enough for EC2" {
  verb user-data "$REPOSITORY" localhost,127.0.0.1
  assert_success
  assert_errors_whole ""
  cp "$TEST_DIR/stdout" "$TEST_DIR/first"
  cd / # from anywhere
  verb user-data "$REPOSITORY" localhost,127.0.0.1
  cmp "$TEST_DIR/stdout" "$TEST_DIR/first"
  assert_equal "$(head -n 1 "$TEST_DIR/first")" "#!/usr/bin/env bash"
  bash -n "$TEST_DIR/first"
  assert_log ""
  size=$(gzip -9 <"$TEST_DIR/first" | wc -c)
  [ "$size" -lt 16384 ] || fail "$size bytes compressed"
}

@test "user-data: run, it lays down every file but for its comments, and makes the host" {
  touch "$WORLD/cluster"
  verb user-data "$REPOSITORY" localhost,127.0.0.1
  run env PATH="$TEST_DIR/bin" bash "$TEST_DIR/stdout" "$HOST_ROOT"
  assert_success
  assert_line --regexp '^==> host ready \(host files [0-9a-f]{12}\)$'

  mkdir "$TEST_DIR/expected"
  cp -r "$ROOT"/scripts/host/* "$ROOT/nginx" "$TEST_DIR/expected"
  cp "$ROOT/scripts/lib/say.sh" "$TEST_DIR/expected/lib"
  for program in "$HOST_ROOT"/opt/book-shop/bin/*; do # but not without its help
    run "$program" -h
    assert_success
    assert_output --partial "Usage: ${program##*/}"
    assert_output --partial "Runs on: the host"
  done
  cp -r "$HOST_ROOT/opt/book-shop" "$TEST_DIR/laid"
  find "$TEST_DIR/expected" "$TEST_DIR/laid" -type f -exec sed -i '/^[[:blank:]]*#\( \|$\)/d' {} +
  run diff -r "$TEST_DIR/expected" "$TEST_DIR/laid"
  assert_output "Only in $TEST_DIR/laid: version"
  assert_equal "$(find "$HOST_ROOT/opt/book-shop/bin" -perm 755 -type f | wc -l)" "$(find "$ROOT/scripts/host/bin" -type f | wc -l)"
  assert_equal "$(find "$HOST_ROOT/opt/book-shop" -path '*/bin' -prune -o -type f ! -perm 644 -print)" ""
  assert_equal "$(cat "$CONF/host.env")" "REPOSITORY=$REPOSITORY
ALLOWED_HOSTS=localhost,127.0.0.1"

  # And a second time, as the Systems Manager association does, on standard input as on the local host.
  before=$(tree "$HOST_ROOT")
  : >"$LOG"
  run env PATH="$TEST_DIR/bin" bash -s "$HOST_ROOT" <"$TEST_DIR/stdout"
  assert_success
  assert_equal "$(tree "$HOST_ROOT")" "$before"
  refute grep -q 'reload-or-restart' "$LOG"

  # What it made can deploy.
  export VERBS=$HOST_ROOT/opt/book-shop/bin
  deployed dev 1
  deployed prod 1
  verb status
  assert_success
  assert_equal "$(grep -c true <<<"$output")" 2
}

@test "user-data: run again, it leaves no moment in which a file is not there" {
  touch "$WORLD/cluster"
  verb user-data "$REPOSITORY" localhost
  run env PATH="$TEST_DIR/bin" bash "$TEST_DIR/stdout" "$HOST_ROOT"
  assert_success
  export LAID=$TEST_DIR/laid
  find "$HOST_ROOT/opt/book-shop" -type f >"$LAID"
  # Looks round where install itself would: it has removed the file of before, and not yet written the new one.
  # shellcheck disable=SC2016 # the fake itself expands it
  logged install '
    [[ " $* " != *" /dev/stdin "* ]] || { rm -f "${@: -1}" && while read -r file; do [ -e "$file" ] || echo "missing: $file" >>"$LOG"; done <"$LAID"; }
    exec /usr/bin/install "$@"'
  run env PATH="$TEST_DIR/bin" bash "$TEST_DIR/stdout" "$HOST_ROOT"
  assert_success
  assert grep -q '^install .*/dev/stdin' "$LOG"
  refute grep '^missing' "$LOG"
}

@test "user-data: without a directory it lays the host under /" {
  verb user-data "$REPOSITORY" localhost
  # shellcheck disable=SC2016 # as it is written there
  assert_equal "$(grep -n '^cd ' "$TEST_DIR/stdout")" '5:cd "${1:-/}" # tests name a directory to take for /'
  assert_equal "$(tail -n 1 "$TEST_DIR/stdout")" "exec opt/book-shop/bin/bootstrap"
}

@test "user-data: its version is that of the files, whatever the repository and the hosts" {
  version() { tail -n 3 "$TEST_DIR/stdout" | head -n 1; }
  verb user-data "$REPOSITORY" localhost
  first=$(version)
  assert_regex "$first" '^[0-9a-f]{12}$'
  verb user-data public.ecr.aws/abc/book-shop '*'
  assert_equal "$(version)" "$first"
  mkdir "$TEST_DIR/shop"
  cp -r "$ROOT/scripts" "$ROOT/nginx" "$TEST_DIR/shop"
  echo 'changed;' >>"$TEST_DIR/shop/nginx/book-shop/proxy.conf"
  SHOP=$TEST_DIR/shop verb user-data "$REPOSITORY" localhost
  refute [ "$(version)" = "$first" ]
}

@test "user-data: the words that Terraform replaces, and nothing else of that kind" {
  verb user-data @REPOSITORY@ @ALLOWED_HOSTS@
  assert_success
  assert_equal "$(grep -nE '@[A-Z_]+@' <<<"$output" | cut -d: -f2)" 'REPOSITORY=@REPOSITORY@
ALLOWED_HOSTS=@ALLOWED_HOSTS@'
  replaced=${output//@REPOSITORY@/$REPOSITORY}
  replaced=${replaced//@ALLOWED_HOSTS@/localhost}
  verb user-data "$REPOSITORY" localhost
  assert_equal "$replaced" "$output"
}

@test "user-data: wrong calls" {
  verb user-data -h
  assert_success
  assert_output --partial "Usage: scripts/user-data <repository> <allowed hosts>"
  for arguments in "" "$REPOSITORY" "$REPOSITORY localhost more"; do
    # shellcheck disable=SC2086 # a list of words
    verb user-data $arguments
    assert_failed 2 "Usage: scripts/user-data"
  done
  # What would get into a script that root runs.
  # shellcheck disable=SC2016 # nothing may expand them
  for hostile in '' ' ' '-x' '$(reboot)' '`reboot`' 'a;reboot' 'a b' $'a\nreboot' $'a\n' "a'b" 'a"b' 'a&b' '@OTHER@' 'é'; do
    verb user-data "$hostile" localhost
    assert_failed 2 "user-data: not a repository: '$hostile'"
    [[ $hostile == -x ]] && continue # dashes are part of host names
    verb user-data "$REPOSITORY" "$hostile"
    assert_failed 2 "user-data: not a list of host names: '$hostile'"
  done
  for hosts in ',' 'a,' ',a' 'a,,b' 'a/b' 'a:80' 'a_b' '*.example.org' '.' 'a.' 'a..b' '..a' '**'; do
    verb user-data "$REPOSITORY" "$hosts"
    assert_failed 2 "not a list of host names: '$hosts'. A domain and all below it is written .example.org"
  done
  for hosts in '*' '.example.org' 'Shop.example.org,203.0.113.7,*'; do
    verb user-data "$REPOSITORY" "$hosts"
    assert_success
  done
  for wrong in 'UPPER/x' '/x' '@REPOSITORY@x'; do
    verb user-data "$wrong" localhost
    assert_failed 2 "not a repository"
  done
}
