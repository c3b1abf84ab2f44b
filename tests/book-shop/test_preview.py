"""A preview (PREVIEW=1): a banner on each page, and orders that are marked."""

import re

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.views.defaults import permission_denied
from orders.models import Order
from shop_fixtures import text

pytestmark = pytest.mark.django_db
BANNER = {"en": "This is a preview, not a real shop.", "ar": "هذه نسخة للمعاينة وليست متجرًا حقيقيًا."}
ADMIN = "/admin/orders/order/"
PAGES = [
    "/", "/book-list", "/book-list?sort=no", "/book-detail/{book}/", "/book-detail/{book}/review", "/cart", "/orders",
    "/account/", "/account/login/", "/account/password/", "/account/invitation/x/?token=y", "/no/such", "/order/x/",
    "/book-cover/0.svg", "/static/no.css",
    "/admin/", "/admin/login/", ADMIN, "/admin/books/book/add/", "/admin/books/category/add/?_popup=1",
    "/admin/password_change/", "/admin/no/such",
]  # fmt: skip
FORM = {"name": "L", "email": "l@example.org", "street": "S 7", "city": "Amman", "country": "JO", "payment": "invoice"}


def order(client, book) -> str:
    """Order a book, and return the address of the order."""
    client.post(f"/cart/{book.pk}/add", {"copies": "1"})
    hidden = re.findall(r'type="hidden" name="(key|total)" value="([^"]*)"', text(client.get("/checkout")))
    return client.post("/checkout", FORM | dict(hidden)).headers["Location"]


def pages(client, dune):
    """Return the bodies of all pages, including those of errors."""
    client.raise_request_exception = False
    found = {path: client.get(path.format(book=dune.pk), follow=True) for path in PAGES}
    found["400"] = client.get("/", headers={"host": "evil.test"})
    found["403"] = Client(enforce_csrf_checks=True).post("/cart/1/add")
    assert {str(found[name].status_code) for name in ("400", "403")} == {"400", "403"}
    return {name: text(answer) for name, answer in found.items()}


@pytest.mark.parametrize("preview", ["1", "0"])
def test_each_page_of_a_preview_has_one_banner(configure, admin_client, client, dune, preview):
    configure(PREVIEW=preview)
    for person in (admin_client, client):
        counts = {name: body.count(BANNER["en"]) for name, body in pages(person, dune).items()}
        assert set(counts.values()) == {int(preview)}, counts


def test_pages_of_errors_that_have_no_request_have_the_banner(configure, client, rf, monkeypatch):
    def fail(*arguments, **keywords):
        raise RuntimeError

    configure(PREVIEW="1")
    client.raise_request_exception = False
    monkeypatch.setattr("books.views.page", fail)
    page = client.get("/")
    assert (page.status_code, BANNER["en"] in text(page)) == (500, True)
    assert BANNER["en"] in text(permission_denied(rf.get("/"), PermissionDenied()))


@pytest.mark.parametrize("path", ["/", "/admin/login/", "/no/such"])
def test_banner_is_translated(configure, client, path):
    configure(PREVIEW="1")
    assert BANNER["ar"] in text(client.get(path, headers={"accept-language": "ar"}))


def test_order_of_a_preview_is_marked_and_promises_no_delivery(configure, client, reader, dune):
    client.force_login(reader)
    real = order(client, dune)
    configure(PREVIEW="1")
    marked = order(client, dune)
    configure()
    assert [each.preview for each in Order.objects.order_by("pk")] == [False, True]
    assert "Thank you for your order." in text(client.get(real)) and "(preview)" not in text(client.get(real))
    page = text(client.get(marked))
    assert "This order was placed on a preview of the shop." in page and "(preview)" in page
    assert "We will send the books" not in page and "We send the invoice" not in page
    rows = re.findall(r"<tr>.*?</tr>", text(client.get("/orders")), re.DOTALL)
    assert [marked in row for row in rows if "(preview)" in row] == [True]


def test_admin_shows_and_filters_orders_of_a_preview(configure, client, admin_client, dune):
    order(client, dune)
    configure(PREVIEW="1")
    order(client, dune)
    configure()
    real, marked = Order.objects.order_by("pk")
    for value, shown, hidden in (("1", marked, real), ("0", real, marked)):
        page = text(admin_client.get(ADMIN, {"preview__exact": value}))
        assert str(shown.key) in page and str(hidden.key) not in page
    assert 'field-preview"><img src="/static/admin/img/icon-yes' in text(
        admin_client.get(ADMIN, {"preview__exact": "1"})
    )
    change = f"{ADMIN}{marked.pk}/change/"
    assert "Preview" in text(admin_client.get(change))
    admin_client.post(change, {"preview": ""})
    marked.refresh_from_db()
    assert marked.preview


def test_order_of_the_previous_release_is_not_one_of_a_preview():
    """It inserts a row without the column."""
    columns = [field.column for field in Order._meta.concrete_fields if field.column not in ("id", "preview")]
    values = Order(**FORM | {"currency": "EUR", "total": 1})
    row = [getattr(values, column) for column in columns]
    with connection.cursor() as cursor:
        names, places = ", ".join(columns), ", ".join(["%s"] * len(columns))
        cursor.execute(f"INSERT INTO orders_order ({names}) VALUES ({places})", row)
    assert Order.objects.get().preview is False
