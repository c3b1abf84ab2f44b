#!/usr/bin/env bats
load ../../lib/shop.bash
setup() { start_shop demo/sample-books; }

# shellcheck disable=SC2016 # the host expands it
DEV='docker exec test-host sh -c docker exec $(docker ps --quiet --filter name=^book-shop-) python3 manage.py load_sample_books'
PROD='docker exec test-host sh -c kubectl --namespace book-shop exec deployment/book-shop -- python3 manage.py load_sample_books'

@test "sample-books: loads them in both environments of the local host; what they say is no answer" {
  host_does 'echo loaded'
  verb demo/sample-books
  assert_answer "" $'loaded\nloaded'
  assert_log "$DEV"$'\n'"$PROD"
}

@test "sample-books: an environment where they can't be loaded is a failure" {
  host_does 'case "$*" in *kubectl*) echo "no deployment" >&2; exit 1 ;; esac'
  verb demo/sample-books
  assert_failed 1 "no deployment"
  host_does 'exit 1'
  next_verb demo/sample-books
  assert_failure 1
  assert_log "$DEV"
  assert_demands demo/sample-books DEMO
}
