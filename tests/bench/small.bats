#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# The bench at its smallest: each part runs, and counts what it moves and what fails.
load ../e2e/e2e.bash

PARTS=(promotion build commit swap rollout serving)

setup_file() {
  "$SHOP/tests/bench/peers"
  shop demo
}

# figures PART WAY: prints the rows of a way, one JSON object per line.
figures() { jq -c --arg way "$2" 'select(.way == $way)' "$BATS_FILE_TMPDIR/road/$1.jsonl"; }

@test "bench: every part runs at its smallest size and reports its figures in one table" {
  run python3 "$SHOP/tests/bench/road.py" --small "$BATS_FILE_TMPDIR" "${PARTS[@]}"
  assert_success
  for part in "${PARTS[@]}"; do assert_regex "$(cat "$BATS_FILE_TMPDIR/road.md")" "\| $part \| "; done
}

@test "bench: a promotion moves no layer, and pulled and pushed layers are counted" {
  assert_equal "$(figures promotion scripts/promote | jq .layer_bytes)" 0
  [ "$(figures promotion "docker pull, tag, push; cold" | jq .layer_bytes)" -ge 1000000 ]
}

@test "bench: a swap and a rollout lose no request; requests to a removed container count as failed" {
  assert_equal "$(figures swap "make deploy-dev" | jq .failed)" 0
  assert_equal "$(figures rollout "make deploy-prod" | jq .failed)" 0
  [ "$(figures swap "docker rm -f, docker run" | jq .failed)" -ge 1 ]
}

@test "bench: build reports three cases, commit four steps, and serving each gunicorn setting" {
  assert_equal "$(figures build "this Dockerfile" | jq -r .case)" \
    $'from nothing\na line of code more\na package more'
  run jq -r 'select(.case == "its steps").way' "$BATS_FILE_TMPDIR/road/commit.jsonl"
  assert_equal "${#lines[@]}" 4
  for way in "this gunicorn.conf.py" "gunicorn's defaults"; do
    [ "$(figures serving "$way" | jq '.requests | floor')" -gt 10 ]
  done
}

@test "bench: both environments answer afterwards, and the other tools leave nothing on the host" {
  for port in "$DELIVERY_DEV_PORT" "$DELIVERY_HTTP_PORT"; do
    assert_equal "$(curl -fsS "http://localhost:$port/readyz")" '{"ready": true}'
  done
  run on_host docker ps --all --filter name=bench --format '{{.Names}}'
  assert_output ""
  run kubectl get namespace bench
  assert_failure
  on_host diff -r /opt/book-shop/nginx/book-shop /etc/nginx/book-shop --exclude 'allowed-hosts-*.conf' --exclude secrets
}
