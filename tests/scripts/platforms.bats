#!/usr/bin/env bats
# Systems with an older make or bash, such as macOS.
load ../lib/shop.bash
setup() { start_shop; }

@test "make: refuses a version without the features that the Makefile uses, before it runs anything" {
  cp "$ROOT/Makefile" .
  fake_in_shop scripts/status
  run make --no-print-directory .FEATURES="target-specific order-only" MAKE_VERSION=3.81 status
  assert_failure 2
  assert_output --partial "GNU make 3.81 is too old, 3.82 or newer is required. On macOS: brew install bash make"
  assert_log ""
}

@test "bash: an older version is refused, with the command that installs another one" {
  # shellcheck disable=SC1091 # the project's own
  . "$ROOT/scripts/lib/say.sh"
  for version in "3 2" "4 3"; do
    # shellcheck disable=SC2086 # two numbers
    run require_bash $version
    assert_failure 1
    assert_output --partial "bash ${version/ /.} is too old, 4.4 or newer is required. On macOS: brew install bash make"
  done
  for version in "4 4" "5 0" "5 3" "10 0"; do
    # shellcheck disable=SC2086 # two numbers
    run require_bash $version
    assert_success
  done
}

@test "bash: every script checks the version before it does anything else" {
  rm scripts/lib/say.sh
  echo 'echo "the version is checked" && exit 9' >scripts/lib/say.sh
  mkdir -p scripts/local
  scripts=$(cd "$ROOT" && grep -lsE '^#!/usr/bin/env bash' scripts/* scripts/local/* | sort)
  [ "$(wc -w <<<"$scripts")" -gt 20 ]
  # shellcheck disable=SC2086 # a list of paths without blanks
  real ${scripts//scripts\//}
  for script in $scripts; do
    next_verb "${script#scripts/}"
    assert_failure 9
    assert_output "the version is checked"
    assert_errors_whole ""
    assert_log ""
  done
}
