#!/usr/bin/env bats
load ../../lib/shop.bash
HTTPS=local/https
STEPS=(local/up image push "deploy dev" promote "deploy prod" local/sample-books status)

setup() {
  start_shop local/run
  tools cut grep sort
  # shellcheck disable=SC2016 # the fakes themselves expand it
  for step in "${STEPS[@]}" "$HTTPS"; do
    logged_script "$SHOP/scripts/${step% *}" "${step% *}" 'call=${0#scripts/}${*:+ $*}
echo "==> step" >&2
[ "$call" != status ] || echo "the table${DELIVERY_CA_FILE:+ $DELIVERY_CA_FILE}"
[ "$call" != local/https ] || echo /the/ca.crt
[ "$call" != "${FAILS:-}" ]'
  done
}

@test "demo: runs the steps in order with their times, and prints the status table" {
  verb local/run
  assert_answer "the table"
  assert_equal "$(sort "$LOG")" "$(printf '%s\n' "${STEPS[@]}" | sort)"
  assert_equal "$(sed -n 's/^==> \[ *[0-9]* s\] //p' "$TEST_DIR/stderr")" "\
local host and image
push
deploy dev and prod
sample books
done"
  assert_errors "dev: ==> step" "prod: ==> step"
  while IFS=, read -r first second; do
    [ "$(grep -nxF "$first" "$LOG" | cut -d: -f1)" -lt "$(grep -nxF "$second" "$LOG" | cut -d: -f1)" ] || fail "$second before $first"
  done <<'ORDER'
local/up,push
image,push
push,deploy dev
push,promote
promote,deploy prod
deploy dev,local/sample-books
deploy prod,local/sample-books
ORDER
}

@test "demo: with HTTPS=1, starts the TLS proxy after prod's deploy, and trusts its authority" {
  DELIVERY_HTTPS=1 verb local/run
  assert_answer "the table /the/ca.crt"
  assert_equal "$(tail -n 3 "$LOG" | paste -sd,)" "local/sample-books,local/https,status"
  DELIVERY_HTTPS=0 next_verb local/run
  assert_answer "the table"
  assert_equal "$(tail -n 2 "$LOG" | paste -sd,)" "local/https off,status"
  FAILS=local/https DELIVERY_HTTPS=1 next_verb local/run
  assert_failed 1 "==> "
  refute grep status "$LOG"
}

@test "demo: stops at a failing step, without the status table" {
  for failing in "${STEPS[@]:0:6}"; do
    FAILS=$failing next_verb local/run
    assert_failed 1 "==> "
    refute grep -E 'sample-books|status' "$LOG"
  done
}
