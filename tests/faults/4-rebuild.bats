#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# The local host's container is removed and its volume is not, as by `docker container prune`.
load faults.bash

# A reader who is an administrator, with an order of one copy.
buy="from books.models import Book
from django.contrib.auth.models import User
from orders.models import Order
reader = User.objects.create_superuser('kept', password='kept-in-a-volume')
book = Book.objects.create(title='Kept', author='A', publishing_year=2000, rating=5, reviewer='R', price=1250, currency='EUR', stock=6)
order = Order.objects.create(reader=reader, name='N', email='n@example.org', street='S', city='C', country='J', payment='invoice',
    currency='EUR', total=1250)
order.lines.create(book=book, title=book.title, price=book.price, quantity=1)"
bought="from orders.models import OrderLine
print(*OrderLine.objects.filter(title='Kept').values_list('order__reader__username', 'book__title', 'book__stock', 'price', 'quantity', 'order__key'))"

# sign_in PORT COOKIES: signs in to the administration and keeps the cookies.
# signed_in PORT COOKIES: succeeds if these cookies are signed in.
sign_in() {
  local url=http://localhost:$1/admin/login/ token
  token=$(curl -fsS -c "$2" "$url" | sed -n 's/.*csrfmiddlewaretoken" value="\([^"]*\)".*/\1/p' | head -n 1)
  curl -fsS -o /dev/null -b "$2" -c "$2" --data-urlencode "csrfmiddlewaretoken=$token" -d username=kept -d password=kept-in-a-volume "$url"
}
signed_in() { curl -fsS -L -b "$2" "http://localhost:$1/admin/" | grep -q 'admin/logout'; }

@test "make demo rebuilds a removed host with the orders, sessions, secrets, history and backups of its volume" {
  for environment in dev prod; do
    django "$environment" "$buy"
    django "$environment" "$bought" >"$BATS_TEST_TMPDIR/$environment.bought"
    sign_in "$(port_of "$environment")" "$BATS_TEST_TMPDIR/$environment.cookies"
    signed_in "$(port_of "$environment")" "$BATS_TEST_TMPDIR/$environment.cookies"
  done
  grep -q "'kept', 'Kept', 6, 1250, 1" "$BATS_TEST_TMPDIR/dev.bought"
  shop backup
  kept() {
    on_host sha256sum /etc/book-shop/dev.env /etc/book-shop/prod.env
    on_host sh -c 'cd /var/backups/book-shop && find . -type f -exec sha256sum {} + | sort'
  }
  before=$(kept)
  on_host cat /var/lib/book-shop/deploys.jsonl >"$BATS_TEST_TMPDIR/history"

  docker rm -f "$DELIVERY_DEMO-host" >/dev/null
  run shop demo
  assert_success

  for environment in dev prod; do
    assert_revision "$(head_of_shop)" "$environment"
    assert_equal "$(django "$environment" "$bought")" "$(cat "$BATS_TEST_TMPDIR/$environment.bought")"
    signed_in "$(port_of "$environment")" "$BATS_TEST_TMPDIR/$environment.cookies"
  done
  assert_equal "$(kept)" "$before"
  assert_equal "$(on_host head -n "$(wc -l <"$BATS_TEST_TMPDIR/history")" /var/lib/book-shop/deploys.jsonl)" "$(cat "$BATS_TEST_TMPDIR/history")"
  for environment in dev prod; do assert_heals "$environment"; done
}
