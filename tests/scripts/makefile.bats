#!/usr/bin/env bats
load ../lib/shop.bash

# The project's Makefile over scripts that log their calls.
setup() {
  start_shop
  cp "$ROOT/Makefile" .
  mapfile -t TARGETS < <(sed -n 's/^\([a-z][a-z0-9-]*\):.*/\1/p' Makefile)
  rm -r scripts # links to the project's own
  copy_of targets
}
make_targets() {
  local target words SHOP=$TEST_DIR/shop
  for target in "${TARGETS[@]}"; do
    read -ra words < <(recipe "$target")
    [[ ${words[0]} == scripts/* ]] || continue
    mkdir -p "$SHOP/${words[0]%/*}"
    # shellcheck disable=SC2016 # the fake itself expands it
    fake_in_shop "${words[0]}" '[[ "$0" != *"${FAILS:-nothing}" ]]'
  done
}
teardown() { stop_shop; }

recipe() { sed -n "/^$1:/,/^\$/{/^\t/s/^\t@//p}" "$ROOT/Makefile"; } # TARGET
# make_it ARGUMENT...: as from a fresh shell, without what a make around this test exports. What it says is $status and $output.
make_it() {
  : >"$LOG"
  run env -i PATH="$PATH" LOG="$LOG" FAILS="${FAILS:-}" make "$@"
}

@test "make: a target is declared phony, has a text, and its recipe is one line that calls one script" {
  [ "${#TARGETS[@]}" -gt 15 ]
  for target in "${TARGETS[@]}"; do
    run grep -B1 "^$target:" Makefile
    assert_output --regexp "^.PHONY: $target"$'\n'"$target:( [a-z0-9 -]+)? ## .+\$"
    run recipe "$target"
    [ "$target" = help ] || assert_output --regexp '^scripts/[a-z/-]+( [a-z0-9-]+)*( \$\((IMAGE|TO|COMMIT|KEEP|BACKUP|BENCH|FROM)\))?$'
  done
}

@test "make: an argument is one word for the script, whatever it contains" {
  # shellcheck disable=SC2016 # the fake itself expands it
  fake_in_shop scripts/rollback 'printf "%s\n" "$@"'
  # shellcheck disable=SC1003,SC2016 # nothing may expand them
  for hostile in "a'b" '$(shell touch owned)' '$(touch owned)' '`touch owned`' ';touch owned' '$HOME' 'a b' '#x' '$$' '"' \
    '\' '-x' '$(TO)' 'a,b' '$(error x)' '&touch owned' '|touch owned'; do
    make_it --silent rollback-dev TO="$hostile"
    assert_output --partial "dev
$hostile"
  done
  make_it --silent rollback-dev TO=$'a\ntouch owned #'
  assert_output --partial "a touch owned #"
  make_it --silent rollback-dev TO=
  assert_log "scripts/setup deploy
scripts/rollback dev"
  refute [ -e owned ]
}

@test "make: the ports that the local host was made with, unless others are given" {
  mkdir -p "$XDG_CACHE_HOME/book-shop/demo/other"
  printf 'DELIVERY_%s\n' 'HTTP_PORT ?= 8000' 'DEV_PORT ?= 8001' 'REGISTRY_PORT ?= 5001' >"$XDG_CACHE_HOME/book-shop/demo/other/ports"
  # shellcheck disable=SC2016 # the fake itself expands it
  fake_in_shop scripts/status 'echo "$DELIVERY_HTTP_PORT $DELIVERY_DEV_PORT $DELIVERY_REPOSITORY"'
  ports_of() { env -i PATH="$PATH" LOG="$LOG" XDG_CACHE_HOME="$XDG_CACHE_HOME" make --silent status "$@" | tail -n 1; }
  assert_equal "$(ports_of)" "80 8080 localhost:5000/book-shop"
  assert_equal "$(ports_of DEMO=other)" "8000 8001 localhost:5001/book-shop"
  assert_equal "$(ports_of DEMO=other DEV_PORT=9)" "8000 9 localhost:5001/book-shop"
}

@test "make: every purpose of setup has a target, and no other has" {
  mapfile -t purposes < <(sed -n 's/^#   \([a-z]*\)  .*/\1/p' "$ROOT/scripts/setup")
  [ "${#purposes[@]}" -gt 3 ]
  for purpose in "${purposes[@]}"; do
    touch "setup-$purpose" # a file of that name changes nothing
    make_it "setup-$purpose"
    assert_log "scripts/setup $purpose"
  done
  make_it setup-anything
  assert_failure
  assert_log ""
}

@test "make: each recipe's script is there, can be executed and has help" {
  mapfile -t scripts < <(for target in "${TARGETS[@]}"; do recipe "$target"; done | grep -o '^scripts/[^ ]*' | sort -u)
  [ "${#scripts[@]}" -gt 15 ]
  for script in "${scripts[@]}"; do
    run "$ROOT/$script" -h
    assert_success
    assert_output --partial "Usage: $script"
    assert_output --partial "Runs on: "
  done
}

@test "make: alone it lists every target with its text and runs nothing" {
  make_it
  assert_success
  assert_equal "$(cut -d' ' -f3 <<<"$output")" "$(printf '%s\n' "${TARGETS[@]}")"
  refute_line --regexp '^  [^ ]+ *$'
  assert_log ""
}

@test "make: each target resolves to its script, after those it needs" {
  for target in "${TARGETS[@]}"; do
    make_it -n "$target"
    assert_success
    [ "$target" = help ] || assert_equal "$(sed -n '$p' <<<"$output")" "$(recipe "$target" | tr -d '$' | sed 's/([A-Z]*)$//')"
  done
  make_it rollback-prod TO=1.2.3
  assert_log $'scripts/setup deploy\nscripts/rollback prod 1.2.3'
  make_it deploy-prod IMAGE=1.2.3
  assert_log $'scripts/setup deploy\nscripts/deploy prod 1.2.3'
  make_it image push promote COMMIT=abc
  assert_log $'scripts/setup image\nscripts/image abc\nscripts/setup deploy\nscripts/push abc\nscripts/promote abc'
  make_it prune-now KEEP=20
  assert_log $'scripts/setup deploy\nscripts/prune -y 20'
  make_it bench BENCH=promotion
  assert_log $'scripts/setup test\nscripts/bench promotion'
}

@test "make: each target installs what it needs first, once a run" {
  local purpose targets
  make_it image push deploy-dev promote deploy-prod
  assert_success
  assert_log "scripts/setup image
scripts/image
scripts/setup deploy
scripts/push
scripts/deploy dev
scripts/promote
scripts/deploy prod"
  make_it test
  assert_log $'scripts/setup check\nscripts/check\nscripts/setup test\nscripts/test'
  make_it test-e2e
  assert_log $'scripts/setup test\nscripts/test e2e'
  while read -r purpose targets; do
    for target in $targets; do
      make_it "$target"
      assert_equal "$(sed '/^scripts\/setup/!Q' "$LOG")" "scripts/setup ${purpose//,/$'\nscripts/setup '}" "$target"
      CHECKED+=" $target "
    done
  done <<'PURPOSES'
run run
check check test
tools format lock
run,tools bench-shop
test test-e2e test-faults test-load test-machines test-upgrade test-bench bench
demo demo
image image
infra infra infra-bootstrap infra-plan infra-output infra-destroy infra-cluster infra-cluster-plan infra-cluster-output infra-cluster-destroy github
deploy version push promote deploy-dev deploy-prod smoke-dev smoke-prod release-check release rollback-dev rollback-prod status history-dev history-prod
deploy summary logs-dev logs-prod backup backups restore-dev restore-prod prune prune-now cluster-setup cluster-data-create cluster-data-dump cluster-data-load
PURPOSES
  for target in "${TARGETS[@]}"; do
    case $target in
      help | doctor | demo-down | setup*) make_it "$target" && refute grep -q "scripts/setup" <(sed 1d "$LOG") ;;
      *) [[ $CHECKED == *" $target "* ]] || fail "$target: of which purpose is it?" ;;
    esac
  done
}

in_order() { printf '%s\n' "scripts/setup image" scripts/image "scripts/setup deploy" scripts/push "$@"; }
@test "make: with -j the order stays, and after a failure nothing is run" {
  make_it -j8 image push deploy-dev
  assert_log "$(in_order 'scripts/deploy dev')"
  assert grep -x .NOTPARALLEL: Makefile
  FAILS=scripts/push make_it image push deploy-dev
  assert_failure 2
  assert_log "$(in_order)"
}

# settings [NAME=VALUE...]: what a script sees of them, of the variables in front and of the arguments behind --.
settings() {
  local given=()
  while [ $# -gt 0 ] && [ "$1" != -- ]; do given+=("$1") && shift; done
  env -i PATH="$PATH" HOME="$HOME" LOG="$LOG" "${given[@]}" make --silent version "${@:2}"
}

@test "make: each setting has a default" {
  fake_in_shop scripts/version 'env | grep -E "^(DELIVERY_|AWS_)" | sort'
  run settings
  assert_output "AWS_REGION=eu-central-1
DELIVERY_DEMO=book-shop
DELIVERY_DEV_PORT=8080
DELIVERY_HOST=local
DELIVERY_HTTP_PORT=80
DELIVERY_NAME=book-shop
DELIVERY_PROD=host
DELIVERY_REGISTRY_PORT=5000
DELIVERY_REPOSITORY=localhost:5000/book-shop"
  run settings -- REGISTRY_PORT=5001
  assert_line DELIVERY_REPOSITORY=localhost:5001/book-shop
  run settings -- HOST=aws # where the account knows the repository
  assert_line DELIVERY_REPOSITORY=
}

@test "make: a setting is read from the command line, and from the environment with its prefix alone" {
  fake_in_shop scripts/version 'env'
  for name in HOST PROD CLUSTER NAME REPOSITORY PLAN DEMO HTTP_PORT DEV_PORT REGISTRY_PORT CLOSED_NETWORK BASE_IMAGE; do
    run settings -- "$name=it's \"mine\" \$\$(id)"
    assert_line "DELIVERY_$name=it's \"mine\" \$\$(id)"
    refute_line --partial "^$name="
    run settings "DELIVERY_$name=mine"
    assert_line "DELIVERY_$name=mine"
    run settings "DELIVERY_$name=theirs" -- "$name=mine"
    assert_line "DELIVERY_$name=mine"
    run settings "$name=another-programs"
    refute_line --regexp "^DELIVERY_.*another-programs"
  done
}

@test "make: docs/reference.md lists each setting" {
  # shellcheck disable=SC2016 # make itself expands it
  for name in $(make --silent --eval 'names: ; @echo $(settings)' names); do
    assert grep -q "^| \`DELIVERY_$name\` " "$ROOT/docs/reference.md"
  done
}

@test "make: the virtual environment comes first on the PATH" {
  mkdir -p .venv/bin
  # shellcheck disable=SC2016 # the fake itself expands it
  fake_in_shop scripts/version 'echo "${PATH%%:*}"'
  make_it version
  assert_output "$PWD/.venv/bin"
}
