# shellcheck shell=bash disable=SC2034 # the sourcing scripts use the variables
# Sourced by check and format: the project's source files, including untracked files, and the
# options of shfmt.

# existing_files: git also lists files that are deleted in the work tree.
existing_files() {
  local file
  git ls-files --cached --others --exclude-standard | while read -r file; do
    [ ! -f "$file" ] || echo "$file"
  done
}
mapfile -t files < <(existing_files)

shell_start='^(#!.*[ /](ba)?sh|#!/usr/bin/env bats|# shellcheck shell=)'
mapfile -t shell_sources < <(grep -lIE "$shell_start" "${files[@]}")
mapfile -t python_sources < <(
  grep -lIE '^#!/usr/bin/env python3' "${files[@]}" \
    && printf '%s\n' "${files[@]}" | grep '\.py$'
)
shfmt_style=(-i 2 -ci -bn)
