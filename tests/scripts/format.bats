#!/usr/bin/env bats
load ../lib/shop.bash
setup() {
  start_shop
  rm -r scripts # links to the project's own scripts, which are sources as well
  mkdir -p scripts/lib
  cp "$ROOT/scripts/format" scripts
  cp "$ROOT"/scripts/lib/{say,sources}.sh scripts/lib
  tools grep shfmt ruff
  cp "$ROOT/ruff.toml" .
  printf '#!/bin/bash\nif true ; then\n    echo  x\nfi\n' >k8s/verb
  printf 'import sys\nimport os\nx = { "a":1 }\nprint(os, sys, x)\n' >book-shop/x.py
  printf 'if  true ;\n' >book-shop/no-source
  commit sources
}

@test "format: formats shell and Python sources only, and a second run changes nothing" {
  verb format
  assert_answer ""
  assert_equal "$(git diff --name-only)" $'book-shop/x.py\nk8s/verb'
  assert_equal "$(cat k8s/verb)" $'#!/bin/bash\nif true; then\n  echo x\nfi'
  assert_equal "$(cat book-shop/x.py)" $'import os\nimport sys\n\nx = {"a": 1}\nprint(os, sys, x)'
  commit formatted
  succeeds format
  assert_equal "$(git status --short -- book-shop k8s)" ""
}

@test "format: fails if a file cannot be parsed" {
  printf '#!/bin/bash\nif true\n' >k8s/verb
  verb format
  assert_failed 1 k8s/verb
}
