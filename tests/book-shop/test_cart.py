"""The cart: what it holds, what it refuses, and that it tells what has changed since."""

import pytest
from books.models import Book
from orders.cart import MOST_BOOKS, MOST_COPIES

pytestmark = pytest.mark.django_db


def text(response) -> str:
    return response.content.decode()


@pytest.fixture
def dune(make_books):
    (book,) = make_books("Dune", price=1250, stock=5)
    return book


def add(client, book, copies="1", follow=True):
    return client.post(f"/cart/{book.pk}/add", {"copies": copies}, follow=follow)


def held(client) -> dict:
    return client.session.get("cart", {})


def test_add_change_remove(client, dune):
    answer = add(client, dune, "2", follow=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/cart")
    page = text(client.get("/cart"))
    assert "“Dune” is in your cart." in page and "12.50 EUR" in page and "25.00 EUR" in page
    add(client, dune)
    assert held(client) == {str(dune.pk): 3}
    client.post(f"/cart/{dune.pk}/change", {"copies": "1"})
    assert held(client) == {str(dune.pk): 1}
    page = client.post(f"/cart/{dune.pk}/remove", follow=True)
    assert held(client) == {}
    assert "Your cart is empty." in text(page)


def test_the_price_is_todays(client, dune):
    add(client, dune)
    Book.objects.update(price=900)
    assert "9.00 EUR" in text(client.get("/cart"))


@pytest.mark.parametrize("copies", ["0", "-1", "x", "", "1.5", str(MOST_COPIES + 1), "9" * 400])
def test_a_number_that_is_none(client, dune, copies):
    add(client, dune)
    for verb in ("add", "change"):
        page = client.post(f"/cart/{dune.pk}/{verb}", {"copies": copies}, follow=True)
        assert f"Please give a number of copies from 1 to {MOST_COPIES}." in text(page)
    assert held(client) == {str(dune.pk): 1}


def test_more_than_there_are_and_more_than_is_sold_at_once(client, dune):
    add(client, dune, "3")
    assert "Only 5 copies of “Dune” are left." in text(add(client, dune, "3"))
    Book.objects.update(stock=100)
    assert "At most 20 copies" in text(add(client, dune, str(MOST_COPIES)))
    assert held(client) == {str(dune.pk): 3}


def test_more_different_books_than_the_cart_holds(client, make_books):
    *books, last = make_books(*map(str, range(MOST_BOOKS + 1)), price=100, stock=1)
    session = client.session
    session["cart"] = {str(book.pk): 1 for book in books}
    session.save()
    assert "at most 50 different books" in text(add(client, last))
    assert len(held(client)) == MOST_BOOKS


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"stock": 0}, "“Dune” is sold out."),
        ({"stock": 1}, "Only 1 copy of “Dune” is left."),
        ({"price": None}, "“Dune” is not for sale"),
    ],
)
def test_what_can_no_longer_be_bought_is_said_and_stays_until_it_is_removed(client, dune, change, sentence):
    add(client, dune, "2")
    Book.objects.update(**change)
    page = text(client.get("/cart"))
    assert sentence in page
    assert "/checkout" not in page
    assert client.get("/checkout").headers["Location"] == "/cart"
    assert held(client) == {str(dune.pk): 2}


def test_a_book_that_left_the_shop_is_said_and_can_be_removed(client, dune):
    add(client, dune)
    pk = dune.pk
    dune.delete()
    assert "no longer in the shop" in text(client.get("/cart"))
    client.post(f"/cart/{pk}/remove")
    assert held(client) == {}


@pytest.mark.parametrize(("fields", "sentence"), [({"stock": 0}, "Sold out"), ({"price": None}, "Not for sale")])
def test_a_book_that_can_not_be_bought_has_no_button_and_is_refused(client, dune, fields, sentence):
    Book.objects.update(**fields)
    page = text(client.get(dune.get_absolute_url()))
    assert sentence in page and f"/cart/{dune.pk}/add" not in page
    add(client, dune)
    assert held(client) == {}


def test_only_by_post_and_only_books_there_are(client, dune):
    for verb in ("add", "change", "remove"):
        assert client.get(f"/cart/{dune.pk}/{verb}").status_code == 405
    assert client.post("/cart/99999/add", {"copies": "1"}).status_code == 404


def test_the_navigation_shows_the_size_and_asks_the_database_nothing_more_for_it(
    client, dune, django_assert_num_queries
):
    add(client, dune, "2")
    client.get("/cart")  # its message is read: the session rests
    with django_assert_num_queries(2):  # the session, the book
        assert "Cart (2)" in text(client.get("/cart"))
    client.post(f"/cart/{dune.pk}/remove")
    assert "Cart (0)" in text(client.get("/cart"))


def test_a_long_cart_costs_no_more_queries(client, make_books, django_assert_max_num_queries):
    session = client.session
    session["cart"] = {str(book.pk): 1 for book in make_books(*map(str, range(40)), price=100, stock=1)}
    session.save()
    with django_assert_max_num_queries(2):
        client.get("/cart")
