#!/usr/bin/env bats
load ../lib/shop.bash
setup() {
  start_shop lock
  # shellcheck disable=SC2016 # the fake itself expands it
  logged uv 'echo "what it resolved"; [[ ${FAILS:-} = "" || "$*" != *"$FAILS"* ]]'
}

# compiled: prints each call with its requirements, constraints and lock file.
compiled() {
  sed "s/^uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --python-version 3.10 \
--custom-compile-command make lock # reviewed $(date +%F) //; s/ --output-file/ >/; s/--constraints/with/g" "$LOG"
}

@test "lock: locks the application, the verbs, the tests, checkov and Go in this order, and stops at a failure" {
  verb lock
  assert_answer ""
  assert_equal "$(compiled)" "\
book-shop/pyproject.toml > book-shop/requirements.lock
scripts/requirements.in with book-shop/requirements.lock > scripts/requirements.lock
tests/requirements.in with book-shop/requirements.lock with scripts/requirements.lock > tests/requirements.lock
scripts/checkov/requirements.in > scripts/checkov/requirements.lock
scripts/local/kubernetes/go.in > scripts/local/kubernetes/go.lock"
  FAILS=scripts/requirements.in fails lock
  assert_equal "$(compiled | cut -d' ' -f1)" $'book-shop/pyproject.toml\nscripts/requirements.in'
}

# versions: prints the versions of each package; a package that differs between lock files has several lines.
versions() {
  for lock in book-shop scripts tests; do
    sed -n 's/^\([a-z0-9.-]*\)==\([^ ]*\).*/\1 \2/p' "$ROOT/$lock/requirements.lock" \
      | awk '{ of[$1] = of[$1] " " $2 } END { for (name in of) print name of[name] }'
  done | sort -u
}
@test "the lock files have the same version of each package" {
  [ "$(versions | wc -l)" -gt 15 ]
  assert_equal "$(versions | cut -d' ' -f1 | uniq -d)" ""
}

@test "the lock files name no package index" {
  refute grep -E '://|^ *--?(i|index-url|extra-index-url|find-links)\b' "$ROOT"/{book-shop,scripts,scripts/checkov,tests}/requirements.lock \
    "$ROOT/scripts/local/kubernetes/go.lock"
}
