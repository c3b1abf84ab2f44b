"""The cart: its contents, its limits, and changes of price and stock."""

import pytest
from books.models import Book
from orders.cart import MOST_BOOKS, MOST_COPIES
from shop_fixtures import text

pytestmark = pytest.mark.django_db


def add(client, book, copies="1", follow=True):
    return client.post(f"/cart/{book.pk}/add", {"copies": copies}, follow=follow)


def contents(client) -> dict:
    return client.session.get("cart", {})


def fill(client, books):
    session = client.session
    session["cart"] = {str(book.pk): 1 for book in books}
    session.save()


def test_books_are_added_changed_and_removed(client, dune):
    answer = add(client, dune, "2", follow=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/cart")
    page = text(client.get("/cart"))
    assert "“Dune” is in your cart." in page and "12.50 EUR" in page and "25.00 EUR" in page
    add(client, dune)
    assert contents(client) == {str(dune.pk): 3}
    client.post(f"/cart/{dune.pk}/change", {"copies": "1"})
    assert contents(client) == {str(dune.pk): 1}
    page = client.post(f"/cart/{dune.pk}/remove", follow=True)
    assert contents(client) == {}
    assert "Your cart is empty." in text(page)


def test_cart_shows_the_current_price(client, dune):
    add(client, dune)
    Book.objects.update(price=900)
    assert "9.00 EUR" in text(client.get("/cart"))


@pytest.mark.parametrize("copies", ["0", "-1", "x", "", "1.5", str(MOST_COPIES + 1), "9" * 400])
def test_rejects_an_invalid_number_of_copies(client, dune, copies):
    add(client, dune)
    for verb in ("add", "change"):
        page = client.post(f"/cart/{dune.pk}/{verb}", {"copies": copies}, follow=True)
        assert f"Enter a number of copies from 1 to {MOST_COPIES}." in text(page)
    assert contents(client) == {str(dune.pk): 1}


def test_rejects_more_copies_than_the_stock_or_the_limit(client, dune):
    add(client, dune, "3")
    assert "Only 5 copies of “Dune” are left." in text(add(client, dune, "3"))
    Book.objects.update(stock=100)
    assert "at most 20 copies" in text(add(client, dune, str(MOST_COPIES)))
    assert contents(client) == {str(dune.pk): 3}


def test_rejects_more_different_books_than_the_limit(client, make_books):
    *books, last = make_books(*map(str, range(MOST_BOOKS + 1)), price=100, stock=1)
    fill(client, books)
    assert "at most 50 different books" in text(add(client, last))
    assert len(contents(client)) == MOST_BOOKS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stock": 0}, "“Dune” is sold out."),
        ({"stock": 1}, "Only 1 copy of “Dune” is left."),
        ({"price": None}, "“Dune” is not for sale"),
    ],
)
def test_unavailable_book_stays_in_the_cart_and_prevents_the_checkout(client, dune, change, message):
    add(client, dune, "2")
    Book.objects.update(**change)
    page = text(client.get("/cart"))
    assert message in page
    assert "/checkout" not in page
    assert client.get("/checkout").headers["Location"] == "/cart"
    assert contents(client) == {str(dune.pk): 2}


def test_deleted_book_can_be_removed_from_the_cart(client, dune):
    add(client, dune)
    pk = dune.pk
    dune.delete()
    assert "no longer available" in text(client.get("/cart"))
    client.post(f"/cart/{pk}/remove")
    assert contents(client) == {}


@pytest.mark.parametrize(("change", "message"), [({"stock": 0}, "sold out"), ({"price": None}, "not for sale")])
def test_unavailable_book_has_no_button_and_cannot_be_added(client, dune, change, message):
    Book.objects.update(**change)
    page = text(client.get(dune.get_absolute_url()))
    assert f"This book is {message}" in page and f"/cart/{dune.pk}/add" not in page
    add(client, dune)
    assert contents(client) == {}


def test_requires_post_and_an_existing_book(client, dune):
    for verb in ("add", "change", "remove"):
        assert client.get(f"/cart/{dune.pk}/{verb}").status_code == 405
    assert client.post("/cart/99999/add", {"copies": "1"}).status_code == 404


def test_navigation_shows_the_number_of_copies_without_an_additional_query(client, dune, django_assert_num_queries):
    add(client, dune, "2")
    client.get("/cart")  # shows the message, so that the next request does not change the session
    with django_assert_num_queries(2):  # the session and the book
        assert "Cart (2)" in text(client.get("/cart"))
    client.post(f"/cart/{dune.pk}/remove")
    assert "Cart (0)" in text(client.get("/cart"))


def test_queries_do_not_grow_with_the_number_of_books(client, make_books, django_assert_max_num_queries):
    fill(client, make_books(*map(str, range(40)), price=100, stock=1))
    with django_assert_max_num_queries(2):
        client.get("/cart")
