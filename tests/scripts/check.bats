#!/usr/bin/env bats
# shellcheck disable=SC2016 # the fakes themselves expand what is quoted
load ../lib/shop.bash
LINTERS=(shfmt ruff shellcheck hadolint kubectl kubernetes-validate gixy checkov)

setup() {
  start_shop check
  tools cp grep
  for tool in "${LINTERS[@]}" pytest prove; do logged "$tool" '[[ -z ${FAILS:-} || "${0##*/} $*" != "$FAILS"* ]] || { echo "${0##*/} complains" >&2; exit 1; }'; done
  mkdir -p scripts/local/host nginx/{book-shop,conf.d} scripts/host/{bin,k8s}
  echo 'k3s_version=v1.99.3+k3s1' >scripts/host/bin/bootstrap-kubernetes
  touch book-shop/Dockerfile scripts/local/host/Dockerfile nginx/conf.d/shop.conf
  printf '#!/bin/bash\n' >"book-shop/a tool"
  printf '@test "x" { true; }\n' >book-shop/no-script
  printf '#!/usr/bin/env bats\n' >book-shop/shop.bats
  printf '# shellcheck shell=bash\n' >book-shop/sourced.bash
  printf 'x = 1\n' >book-shop/x.py
  printf '#!/usr/bin/env %s\n' python3 >book-shop/verb
  commit sources
  printf '#!/bin/sh\n' >k8s/untracked
  printf '#!/bin/sh\n' >k8s/removed && git add k8s/removed && rm k8s/removed
  printf '#!/bin/sh\n' >k8s/ignored && echo ignored >.gitignore
  echo /scripts/ >>.gitignore
}

# calls_of TOOL...: prints the calls of these tools. The parts run in parallel, so the log mixes their calls.
calls_of() { grep -E "^($(IFS='|' && echo "$*")) " "$LOG" | sed "s|$TMPDIR/[^/]*|TMP|g"; }

@test "check: passes every source to its checkers, including untracked files, and runs the tests" {
  succeeds check
  shell="k8s/untracked book-shop/a tool book-shop/shop.bats book-shop/sourced.bash"
  python="book-shop/verb book-shop/x.py"
  manifests="TMP/cluster.yaml TMP/single-node.yaml scripts/host/k8s/*.yaml"
  manifests+=" scripts/cluster/k8s/cert-manager.yaml scripts/cluster/k8s/deploys.yaml"
  assert_equal "$(calls_of "${LINTERS[@]}")" "\
shfmt -d -i 2 -ci -bn $shell
ruff format --quiet --check $python
shellcheck $shell
ruff check --quiet $python
hadolint book-shop/Dockerfile scripts/local/host/Dockerfile
kubectl kustomize k8s/overlays/single-node
kubectl kustomize k8s/overlays/cluster
kubernetes-validate --quiet --strict --kubernetes-version 1.99.0 $manifests
gixy TMP/nginx.conf
checkov --quiet --compact --skip-download --framework terraform --directory terraform"
  assert_equal "$(calls_of prove | grep -o ' tests/.*')" " tests/host tests/workflows tests/scripts"
  rmdir "$TMPDIR" # nothing is left behind
}

@test "check: uses SQLite only for the shop's tests marked sqlite" {
  logged pytest 'echo "${TEST_DATABASE_URL-PostgreSQL}: pytest $*" >>"$LOG"'
  succeeds check
  assert_equal "$(grep ': pytest ' "$LOG" | sort)" "\
PostgreSQL: pytest -q -n auto --dist loadfile --no-loadscope-reorder
PostgreSQL: pytest -q tests/browser
sqlite:///:memory:: pytest -q -m sqlite tests/book-shop"
}

@test "check: a signal ends every part" {
  mkfifo "$TEST_DIR/started"
  for tool in shfmt pytest prove; do logged "$tool" 'echo $$ >"${LOG%/*}/started"; exec sleep 600'; done
  tools sleep
  # As in a terminal: a process group of its own.
  set -m
  verb check 3>&- &
  set +m
  exec 8<>"$TEST_DIR/started"
  local parts=() pid tries=500
  for part in 1 2 3 4; do read -r pid <&8 && parts+=("$pid"); done
  kill -TERM -- "-$!" # a runner in the background has SIGINT ignored
  wait $! || true
  # They and check itself end a moment after the signal; a poll with a limit.
  while { kill -0 "${parts[@]}" 2>/dev/null || compgen -G "$TMPDIR/tmp.*" >/dev/null; } && [ $((tries -= 1)) -gt 0 ]; do
    read -rt 0.02 <&8 || true
  done
  refute kill "${parts[@]}" # of none of them
  refute compgen -G "$TMPDIR/tmp.*"
}

@test "check: fails and names the part if a checker fails or is missing, and shows the checker's output" {
  while IFS='|' read -r part call; do
    FAILS=$call fails check
    assert_equal "$(grep -ho '[a-z-]* complains' "$TEST_DIR"/std*)" "${call%% *} complains"
    assert_equal "$(tail -n 1 "$TEST_DIR/stderr")" "check: failed, see above: $part"
    case $part in # the part ends there
      lint) assert_regex "$(calls_of "${LINTERS[@]}" | tail -n 1)" "^$call" ;;
      browser*) assert_regex "$(calls_of pytest | grep -v ' -n ' | tail -n 1)" "^$call" ;;
    esac
    mv "$TEST_DIR/bin/${call%% *}" "$TEST_DIR/away"
    fails check
    mv "$TEST_DIR/away" "$TEST_DIR/bin/${call%% *}"
  done <<'TABLE'
lint|shfmt
lint|ruff format
lint|shellcheck
lint|ruff check
lint|hadolint
lint|kubectl
lint|kubernetes-validate
lint|gixy
lint|checkov
python_tests|pytest -q -n
browser_and_sqlite_tests|pytest -q tests/browser
browser_and_sqlite_tests|pytest -q -m
shell_tests|prove
TABLE
}

@test "check: fails if kustomize prints a warning, such as for a deprecated field" {
  logged kubectl 'echo "Warning: bases is deprecated" >&2'
  fails check
  assert_output --partial "Warning: bases is deprecated
check: kubectl kustomize reports problems in k8s/overlays/single-node, see above"
}

@test "check: fails if checkov cannot read a file of Terraform" {
  logged checkov 'echo "Parsing errors: 1"; [ "$CKV_PARSE_ERROR_FAIL" != true ]'
  fails check
  assert_output --partial "Parsing errors: 1
check: checkov reports problems in terraform/"
}

@test "check: fails and names a shell line of more than 100 columns in scripts/" {
  printf '#!/bin/sh\n# %s\n# %s\n' "$(printf '%098d' 0)" "$(printf '%099d' 0)" >scripts/long
  git add --force scripts/long
  fails check
  assert_output --partial "scripts/long:3:"
  refute_output --partial "scripts/long:2:"
  assert_output --partial "check: lines of more than 100 columns, see above"
}
