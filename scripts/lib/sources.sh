# shellcheck shell=bash disable=SC2034 # the variables are for those who source this
# Sourced by check and format: the project's sources as git knows them, files that are new included, and their style.
mapfile -t files < <(git ls-files --cached --others --exclude-standard | while read -r file; do [ ! -f "$file" ] || echo "$file"; done)
mapfile -t shell_sources < <(grep -lIE '^(#!.*[ /](ba)?sh|#!/usr/bin/env bats|# shellcheck shell=)' "${files[@]}")
mapfile -t python_sources < <(grep -lIE '^#!/usr/bin/env python3' "${files[@]}" && printf '%s\n' "${files[@]}" | grep '\.py$')
shfmt_style=(-i 2 -ci -bn)
