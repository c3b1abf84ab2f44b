#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
load road.bash

setup_file() { start_demo; }

add_book="from books.models import Book
print(Book.objects.create(title='Kept', author='A', publishing_year=2000, rating=5, reviewer='R').pk)"

@test "the host rebooted: both environments come back by themselves, and what was added before is there" {
  in_dev=$(django dev "$add_book")
  in_prod=$(django prod "$add_book")
  docker restart "$DELIVERY_DEMO-host" >/dev/null
  for port in "$DELIVERY_DEV_PORT" "$DELIVERY_HTTP_PORT"; do
    curl --fail --silent --output /dev/null --retry 120 --retry-delay 1 --retry-all-errors "http://localhost:$port/readyz"
  done
  curl -fsS "http://localhost:$DELIVERY_DEV_PORT/book-detail/$in_dev/" | grep -q Kept
  curl -fsS "http://localhost:$DELIVERY_HTTP_PORT/book-detail/$in_prod/" | grep -q Kept
  run shop status
  assert_line --regexp "^dev .* yes"
  assert_line --regexp "^prod .* yes"
}
