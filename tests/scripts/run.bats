#!/usr/bin/env bats
load ../lib/shop.bash
setup() {
  start_shop run
  # shellcheck disable=SC2016 # the fake itself expands it
  logged python3 '[ "${PWD##*/} $DEBUG" = "book-shop 1" ] && [[ "$*" != *"${FAILS:-nothing}"* ]]'
}

assert_commands() { assert_equal "$(sed 's/^python3 manage.py //' "$LOG" | paste -sd,)" "$1"; }

@test "run: migrates, loads the sample books and serves, in debug mode" {
  succeeds run
  assert_commands "migrate --verbosity 0,load_sample_books,runserver 8000"
  succeeds run 9000
  assert_commands "migrate --verbosity 0,load_sample_books,runserver 9000"
}

@test "run: serves nothing if the database cannot be created" {
  FAILS=migrate fails run
  assert_commands "migrate --verbosity 0"
  FAILS=load_sample_books fails run
  assert_commands "migrate --verbosity 0,load_sample_books"
}
