#!/usr/bin/env bats
# shellcheck disable=SC1003,SC2016,SC2088 # nothing may expand them
# A hundred and more hostile arguments to every verb of the host: each is refused as a wrong call, and nothing is run.
# Slow: about 3,900 refusals.
load ../lib/host.bash
setup() {
  start_host
  lay_ready
  export TEST_DIR
  hostile=(' ' '  ' '*' '?' '[a-z]' '{a,b}' '~' '~root' '!' '!!' '#' '%' '&' '|' ';' '<' '>' '(' ')' '\\' '/' '//' '.' '..' '...' '@' ':' '=' '+' ',' '^' '$' "'" '"' '`')
  hostile+=($'\n' $'\t' $'\r' $'\a' $'\e[2J' $'\x7f' $'\xff\xfe' $'a\nb' $'--json\n' $'dev\n' $'\ndev' $'prod\r' 'dev ' ' prod' 'DEV' 'Prod' 'dev/' './dev' 'dev;id' 'dev|id' 'dev&id' 'dev>x')
  hostile+=('-' '--' '-x' '-rf' '-c' '-e' '-n' '--version' '--json=x' '--help=x' '--privileged' '--rm' '--entrypoint=sh' '-v/:/host' '--namespace=kube-system' '--kubeconfig=/root/.kube/config' '-o' '-o/tmp/x')
  hostile+=('$(id)' '$(touch /tmp/owned)' '`id`' '${IFS}' '$HOME' '$0' '$@' '$((1/0))' '${x:?}' ';reboot' '&&reboot' '||reboot' '|sh' '>/etc/passwd' '</etc/shadow' '$(<x)' 'a$(id)b' 'x`id`y' '{{.ID}}' '{{7*7}}' '%s%s%n' '%00')
  hostile+=('../../etc/passwd' '/etc/book-shop/prod.env' '/proc/self/environ' 'file:///etc/passwd' 'http://127.0.0.1/' '..%2f..%2f' '/dev/zero' '~/.ssh/id_rsa' '\\\\host\\share')
  hostile+=('null' 'undefined' 'NaN' '0' '-1' '1e9' '0x10' '99999999999999999999' '1.5' '1 2' '٣' 'é' 'ｄｅｖ' 'dеv' $'dev\u200b' $'\u202evED' '😀')
  good=$(image 1)
  hostile+=("$REPOSITORY" "$REPOSITORY:latest" "$REPOSITORY:1.0.0" "$REPOSITORY@sha256:" "$good;id" "$good "'$(id)' " $good" "$good " "$good"$'\n' "$good$good" "${good^^}" "${good%?}" "${good}0" "${good/sha256/md5}"
    "evil.example/book-shop@sha256:$(hex 1)" "localhost:5000/other@sha256:$(hex 1)" "localhost:5000/book-shop/../x@sha256:$(hex 1)" "docker://$good" "-$good" "${good/@/@@}" "$good@sha256:$(hex 2)")
  hostile+=("$(printf 'a%.0s' {1..10000})" "$(printf '../%.0s' {1..3000})" "$(printf '%010000d' 0)" "$(printf 'a%.0s' {1..10000})@sha256:$(hex 1)")
}
teardown() { stop_host; }

# shellcheck disable=SC2153 # VERBS is host.bash's
in_one_process() { PATH=$TEST_DIR/bin "$ROOT/tests/lib/refuses-all" "$VERBS/$1" "${@:2}"; }
# refuses VERB [ARGUMENT...]: each hostile argument behind those.
refuses() {
  local before
  before=$(tree "$HOST_ROOT")
  printf '%s\0' "${hostile[@]}" | in_one_process "$@"
  assert_equal "$(tree "$HOST_ROOT")" "$before"
}

@test "there are more than a hundred of them, and every verb of the host is asked" {
  [ "$(printf '%s\0' "${hostile[@]}" | sort -zu | tr -dc '\0' | wc -c)" -ge 100 ]
  mapfile -t verbs < <(cd "$ROOT/scripts/host/bin" && ls | grep -vx switch) # no verb: tests/delivery/test_switch.py
  for verb in "${verbs[@]}"; do grep -qE "refuses ${verb}( |;|\$)" "$BATS_TEST_FILENAME" || fail "$verb is not asked"; done
}
@test "deploy-dev, deploy-prod" {
  refuses deploy-dev
  refuses deploy-prod
}
@test "rollback-dev, rollback-prod" {
  refuses rollback-dev
  refuses rollback-prod
}
@test "plan" {
  refuses plan
  refuses plan dev
  refuses plan prod
}
@test "history, logs" {
  hostile=("${hostile[@]/#0/00}")
  refuses history
  refuses history dev
  refuses logs
  refuses logs prod
}
@test "backup, backups, restore, clear-sessions" {
  refuses backup
  refuses backups
  refuses restore
  refuses restore dev
  refuses clear-sessions
}
@test "status" { refuses status; }
@test "bootstrap and its parts" {
  refuses bootstrap
  refuses bootstrap-kubernetes
  refuses bootstrap-nginx
  refuses bootstrap-postgresql
}
