#!/usr/bin/env bats
# shellcheck disable=SC2016 # the fakes themselves expand what is quoted
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
  local SHOP=$TEST_DIR/shop script
  for script in $(scripts); do
    mkdir -p "$SHOP/${script%/*}"
    fake_in_shop "$script" '[[ "$0" != *"${FAILS:-nothing}" ]]'
  done
}

recipe() { sed -n "/^$1:/,/^\$/{/^\t/s/^\t@//p}" "$ROOT/Makefile"; } # TARGET
scripts() { for target in "${TARGETS[@]}"; do recipe "$target"; done | grep -o '^scripts/[^ ]*' | sort -u; }
# make_it ARGUMENT...: runs make without the variables that an outer make exports.
make_it() {
  : >"$LOG"
  run env -i PATH="$PATH" LOG="$LOG" FAILS="${FAILS:-}" make "$@"
}
# assert_runs CALLS ARGUMENT...: make runs these scripts, with "," between, "setup" for scripts/setup.
assert_runs() {
  make_it "${@:2}"
  assert_equal "$(sed 's|^scripts/||' "$LOG" | paste -sd,)" "$1"
}

@test "make: each target installs what it needs and runs its script" {
  local covered=" help setup "
  while read -r purposes targets; do
    for target in $targets; do
      touch "$target" # a file of that name changes nothing
      make_it "$target"
      assert_success
      assert_equal "$target: $(sed -n 's|^scripts/setup ||p' "$LOG" | paste -sd,)" "$target: ${purposes#none}"
      assert_equal "$(tail -n 1 "$LOG")" "$(recipe "$target" | sed 's/ \$(.*$//')"
    done
    covered+="$targets "
  done <<'TABLE'
none doctor demo-down
run run
check check
check,test test
tools format lock review
run,tools bench-shop
test test-e2e test-faults test-load test-machines test-upgrade test-bench bench
demo demo
image image
infra infra infra-bootstrap infra-plan infra-output infra-destroy github verify-aws
infra infra-cluster infra-cluster-plan infra-cluster-output infra-cluster-destroy
deploy version push promote deploy-dev deploy-prod smoke-dev smoke-prod release-check release rollback-dev rollback-prod
deploy status history-dev history-prod summary logs-dev logs-prod backup backups restore-dev restore-prod prune prune-now
deploy cluster-setup cluster-data-create
deploy settings-dev settings-prod set-dev set-prod unset-dev unset-prod rotate-dev rotate-prod
deploy manage-dev manage-prod invite-dev invite-prod dump-dev dump-prod load-dev load-prod psql-dev psql-prod
TABLE
  for target in "${TARGETS[@]}"; do assert_regex "$covered" " $target "; done
  for script in $(scripts); do assert [ -x "$ROOT/$script" ]; done
}

@test "make: without a target, lists every target and runs nothing" {
  touch help # a file of that name changes nothing
  make_it
  assert_success
  assert_equal "$(sed -n 's/^  \([a-z][a-z0-9-]*\)  *[^ ].*/\1/p' <<<"$output")" "$(printf '%s\n' "${TARGETS[@]}")"
  assert_line "First steps"
  assert_line --regexp '^  Variables: HOST, '
  assert_log ""
}

@test "make: runs several targets in order, and installs what they need once" {
  assert_runs "setup image,image,setup deploy,push,deploy dev,promote,deploy prod" \
    image push deploy-dev promote deploy-prod
  assert_runs "setup check,check,setup test,test" test
  assert_runs "setup infra,infra apply" infra
}

@test "make: with -j, keeps the order and stops at a failure" {
  assert_runs "setup image,image,setup deploy,push,deploy dev" -j8 image push deploy-dev
  FAILS=scripts/push assert_runs "setup image,image,setup deploy,push" -j8 image push deploy-dev
  assert_failure 2
}

@test "make: passes an argument to the scripts that accept it" {
  assert_runs "setup deploy,rollback prod 1.2.3" rollback-prod TO=1.2.3
  assert_runs "setup deploy,deploy prod 1.2.3" deploy-prod IMAGE=1.2.3
  assert_runs "setup image,image abc,setup deploy,push abc,promote abc" image push promote COMMIT=abc
  assert_runs "setup deploy,prune -y 20" prune-now KEEP=20
  assert_runs "setup test,bench promotion" bench BENCH=promotion
  assert_runs "setup deploy,rollback dev" rollback-dev TO=
}

@test "make: passes an argument as one word, whatever it contains" {
  fake_in_shop scripts/rollback 'printf "%s\n" "$@"'
  # shellcheck disable=SC1003 # nothing may expand them
  for hostile in "a'b" '$(shell touch owned)' '$(touch owned)' '`touch owned`' ';touch owned' '$HOME' 'a b' '#x' '$$' '"' \
    '\' '$(TO)' 'a,b' '$(error x)' '&touch owned' '|touch owned'; do
    make_it --silent rollback-dev TO="$hostile"
    assert_output --partial $'dev\n'"$hostile"
  done
  for hostile in $'a\ntouch owned #' $'\n' $'a\n\n\'b\'\n'; do
    make_it --silent rollback-dev TO="$hostile"
    assert_output --partial "$(printf 'dev\n%s' "$hostile")"
  done
  refute [ -e owned ]
}

@test "make: refuses an argument that a script would read as an option" {
  for argument in TO=-h "TO=-y 1.0.0" IMAGE=--help COMMIT=-h KEEP=-y BACKUP=-y 'BENCH=-$(touch owned)' FROM=-; do
    make_it rollback-dev "$argument"
    assert_failure 2
    assert_output --partial "invalid ${argument%%=*} '${argument#*=}': an argument must not begin with a dash"
    assert_log ""
  done
  refute [ -e owned ]
}

@test "a switch has no other value than 1" {
  for switch in VALUES FOLLOW PREVIOUS ANONYMOUS; do
    run make -n help $switch=0
    assert_failure 2
    assert_output --partial "invalid $switch '0': expected 1 or no value"
    run make -n help $switch=1
    assert_success
    run make -n help $switch=
    assert_success
  done
}

@test "make: passes FORCE and REASON as they are, from the command line only" {
  fake_in_shop scripts/deploy 'printf "%s\n" "$@" "force $DELIVERY_FORCE" "reason $DELIVERY_REASON"'
  for reason in "it isn't \$5" '$(touch owned)' '`touch owned`' '"'; do
    make_it --silent deploy-prod IMAGE=1.0.0 FORCE=1 REASON="$reason"
    assert_output --partial $'prod\n1.0.0\nforce 1\nreason '"$reason"
  done
  FORCE=1 REASON=mine make_it --silent deploy-prod
  assert_output --partial $'prod\nforce \nreason '
  refute_output --partial "mine"
  refute [ -e owned ]
}

@test "make: has a setup target for each purpose, and no other" {
  mapfile -t purposes < <(sed -n 's/^#   \([a-z]*\)  .*/\1/p' "$ROOT/scripts/setup")
  [ "${#purposes[@]}" -gt 3 ]
  touch setup
  assert_runs setup setup
  for purpose in "${purposes[@]}"; do
    touch "setup-$purpose" # a file of that name changes nothing
    assert_runs "setup $purpose" "setup-$purpose"
  done
  assert_runs "" setup-anything
  assert_failure
}

# settings [NAME=VALUE...] [-- ARGUMENT...]: prints the environment of a script, given these variables and make arguments.
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
DELIVERY_HTTPS_PORT=8443
DELIVERY_HTTP_PORT=80
DELIVERY_NAME=book-shop
DELIVERY_REGISTRY_PORT=5000
DELIVERY_REPOSITORY=localhost:5000/book-shop"
  run settings -- REGISTRY_PORT=5001
  assert_line DELIVERY_REPOSITORY=localhost:5001/book-shop
  run settings -- HOST=aws # where the account knows the repository
  assert_line DELIVERY_REPOSITORY=
}

@test "make: an empty setting has its default" {
  fake_in_shop scripts/version 'env | grep -E "^(DELIVERY_|AWS_)" | sort'
  defaults=$(settings)
  for name in HOST PROD NAME DEMO HTTP_PORT DEV_PORT REGISTRY_PORT HTTPS HTTPS_PORT REPOSITORY PLAN STEPS; do
    assert_equal "$(settings "DELIVERY_$name=")" "$defaults"
    assert_equal "$(settings -- "$name=")" "$defaults"
    assert_equal "$(settings -- "DELIVERY_$name=")" "$defaults"
  done
  assert_equal "$(settings AWS_REGION=)" "$defaults"
  assert_equal "$(settings -- AWS_REGION=)" "$defaults"
}

@test "make: reads a setting from the command line, and from the environment only with its prefix" {
  fake_in_shop scripts/version 'env'
  for name in HOST PROD CLUSTER NAME REPOSITORY PLAN DEMO HTTP_PORT DEV_PORT REGISTRY_PORT HTTPS HTTPS_PORT CLOSED_NETWORK BASE_IMAGE; do
    run settings -- "$name=it's \"mine\" \$\$(id)"
    assert_line "DELIVERY_$name=it's \"mine\" \$\$(id)"
    refute_line --regexp "^$name="
    run settings "DELIVERY_$name=theirs" -- "$name=mine"
    assert_line "DELIVERY_$name=mine"
    run settings "DELIVERY_$name=mine" "$name=another-programs"
    assert_line "DELIVERY_$name=mine"
    run settings "$name=another-programs"
    refute_line --regexp "^DELIVERY_.*another-programs"
  done
}

@test "make: uses the saved ports of the local host, unless others are given" {
  mkdir -p "$XDG_CACHE_HOME/book-shop/demo/other"
  printf 'DELIVERY_%s\n' 'HTTP_PORT ?= 8000' 'DEV_PORT ?= 8001' 'REGISTRY_PORT ?= 5001' \
    >"$XDG_CACHE_HOME/book-shop/demo/other/ports"
  fake_in_shop scripts/version 'echo "$DELIVERY_HTTP_PORT $DELIVERY_DEV_PORT $DELIVERY_REPOSITORY"'
  ports() { settings "XDG_CACHE_HOME=$XDG_CACHE_HOME" -- "$@" | tail -n 1; }
  assert_equal "$(ports)" "80 8080 localhost:5000/book-shop"
  assert_equal "$(ports DEMO=other)" "8000 8001 localhost:5001/book-shop"
  assert_equal "$(ports DEMO=other DEV_PORT=9)" "8000 9 localhost:5001/book-shop"
}

@test "make: uses the saved HTTPS of the local host" {
  mkdir -p "$XDG_CACHE_HOME/book-shop/demo/other"
  printf 'export DELIVERY_%s\n' 'HTTPS ?= 1' 'HTTPS_PORT ?= 9443' 'CA_FILE ?= /a place/ca.crt' \
    >"$XDG_CACHE_HOME/book-shop/demo/other/ports"
  fake_in_shop scripts/version 'echo "${DELIVERY_HTTPS:-no} $DELIVERY_HTTPS_PORT ${DELIVERY_CA_FILE:-none}"'
  saved() { settings "XDG_CACHE_HOME=$XDG_CACHE_HOME" "$@" | tail -n 1; }
  assert_equal "$(saved)" "no 8443 none"
  assert_equal "$(saved -- DEMO=other)" "1 9443 /a place/ca.crt"
  assert_equal "$(saved DELIVERY_CA_FILE=/mine.crt -- DEMO=other HTTPS_PORT=9 HTTPS=)" "1 9 /mine.crt"
}

@test "make: docs/reference.md lists each setting" {
  for name in $(make --silent --eval 'names: ; @echo $(settings)' names); do
    assert grep -q "^| \`DELIVERY_$name\` " "$ROOT/docs/reference.md"
  done
}

@test "make: docs/reference.md lists the settings that the sources name, and no others" {
  cd "$ROOT"
  named() { git grep -ohE 'DELIVERY_[A-Z][A-Z_]*[A-Z]' -- "$@" | sort -u; }
  assert_equal "$(sed -n 's/^| \(`DELIVERY_[^|]*\).*/\1/p' docs/reference.md | grep -oE 'DELIVERY_[A-Z_]+' | sort -u)" \
    "$( (named scripts terraform && sed 's/^/DELIVERY_/' <(make --silent --eval 'names: ; @printf "%s\n" $(settings)' names)) | sort -u)"
}

@test "make: the virtual environment comes first on the PATH" {
  fake_in_shop scripts/version 'echo "${PATH%%:*}"'
  make_it --silent version
  assert_output "$PWD/.venv/bin"
}
