#!/usr/bin/env bats
load ../lib/host.bash
setup() {
  start_host
  lay_ready
}
teardown() { stop_host; }

@test "clear-sessions: by the image that each environment serves, and nothing where none does" {
  deployed prod 1
  : >"$LOG"
  verb clear-sessions
  assert_success
  assert grep -qxF "docker run --rm $HARDENED --env-file /etc/book-shop/prod.env $(image 1) python3 manage.py clearsessions" "$LOG"
  assert_equal "$(grep -c 'docker run' "$LOG")" 1
  deployed dev 2
  : >"$LOG"
  verb clear-sessions
  assert_success
  assert_equal "$(grep 'docker run' "$LOG")" "docker run --rm $IN_DEV $(image 2) python3 manage.py clearsessions
docker run --rm $HARDENED --env-file /etc/book-shop/prod.env $(image 1) python3 manage.py clearsessions"
}
