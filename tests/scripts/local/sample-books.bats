#!/usr/bin/env bats
# tests/e2e/1-demo.bats checks that both environments list the books.
load ../../lib/shop.bash
setup() { start_shop local/sample-books; }

@test "sample-books: fails if an environment does not load them, and prints nothing on stdout" {
  for failing in docker kubectl; do
    host_does 'case "$*" in *" -c '$failing' "*) echo "no shop" >&2; exit 1 ;; *) echo loaded ;; esac'
    next_verb local/sample-books
    assert_failed 1 "no shop"
    assert_equal "$(tail -n 1 "$LOG" | grep -o ' -c [a-z]*')" " -c $failing"
  done
  assert_demands local/sample-books DEMO
}
