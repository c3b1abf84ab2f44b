"""The list of books: filters, sorting, search and pages by key; the same on SQLite and PostgreSQL."""

import base64
import json

import pytest
from books.catalogue import SORTS
from books.models import Book, Category
from books.pages import SIZE

pytestmark = pytest.mark.sqlite

DEALT = [
    (title, 1900 + 7 * place % 90, place % 6, 500 + 37 * place % 900) for place, title in enumerate("abcdefghij" * 6)
]
NUMBERS = {"title": 0, "newest": 1, "best": 2, "cheapest": 3, "dearest": 3}


# Slow for the first test only: the database is started and migrated then.
@pytest.fixture
def shelf(db):
    """Sixty books; many share a title, a year, a rating."""
    novels = Category.objects.create(name="Novels", slug="novels")
    for title, year, rating, price in DEALT:
        Book.objects.create(
            title=title,
            author="A",
            publishing_year=year,
            rating=rating,
            reviewer="R",
            price=price,
            stock=price % 2,
            category=novels if year % 2 else None,
        )
    return novels


def titles(answer) -> list[str]:
    assert answer.status_code == 200, answer.content.decode()
    return [book.title for book in answer.context["page"].books]


def walk(client, **asked):
    """Return the books of every page, forwards, after having walked back and found the same pages."""
    pages = [client.get("/book-list", asked).context["page"]]
    while pages[-1].after:
        pages.append(client.get("/book-list", asked | {"after": pages[-1].after}).context["page"])
    back = [pages[-1]]
    while back[-1].before:
        back.append(client.get("/book-list", asked | {"before": back[-1].before}).context["page"])
    assert [page.books for page in reversed(back)] == [page.books for page in pages]
    return [book for page in pages for book in page.books]


@pytest.mark.parametrize("sort", SORTS)
def test_the_pages_of_each_order_hold_each_book_once(client, shelf, sort):
    books = walk(client, sort=sort)
    assert sorted(book.pk for book in books) == sorted(Book.objects.values_list("pk", flat=True))
    values = [(book.title, book.publishing_year, book.rating, book.price)[NUMBERS[sort]] for book in books]
    assert values == sorted(values, reverse=sort in ("newest", "dearest", "best"))


@pytest.mark.parametrize("sort", SORTS)
def test_the_pages_of_a_filtered_list_hold_what_fits_and_nothing_else(client, shelf, sort):
    asked = {"sort": sort, "category": "novels", "in_stock": "on", "price_from": "6", "price_to": "12.50"}
    books = walk(client, **asked)
    fits = shelf.books.filter(price__gte=600, price__lte=1250, stock__gt=0)
    assert 0 < fits.count() < 60
    assert {book.pk for book in books} == set(fits.values_list("pk", flat=True))


def test_a_book_that_comes_or_goes_moves_no_other_between_pages(client, make_books):
    make_books(*(f"Book {number:02}" for number in range(40)))
    first = client.get("/book-list").context["page"]
    make_books("Aardvark")
    Book.objects.filter(title="Book 11").delete()
    second = client.get("/book-list", {"after": first.after}).context["page"]
    assert second.books[0].title == "Book 12"


def test_the_neighbours_of_a_page_are_asked_what_it_was_asked(client, shelf):
    page = client.get("/book-list", {"category": "novels", "sort": "best", "q": "a"}).content.decode()
    assert 'rel="next" href="?category=novels&amp;sort=best&amp;q=a&amp;after=' in page
    assert 'rel="prev"' not in page


def test_a_short_list_has_no_neighbours(client, make_books):
    make_books("One")
    assert "rel=" not in client.get("/book-list").content.decode().split("<main")[1]


def test_prices_are_compared_within_one_currency(client, make_books):
    make_books("Euro", price=1000)
    make_books("Dinar", price=8000, currency="JOD")
    make_books("Not for sale")
    assert titles(client.get("/book-list", {"sort": "cheapest"})) == ["Euro"]
    assert titles(client.get("/book-list", {"price_to": "9.999", "currency": "JOD"})) == ["Dinar"]
    assert titles(client.get("/book-list")) == ["Dinar", "Euro", "Not for sale"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("dune", ["Dune"]),
        ("HERBERT", ["Dune"]),
        ("herbert dune", ["Dune"]),
        ("dune bronte", []),
        ("brontë", ["Jane Eyre"]),
        ("978-0-441-01359-3", ["Dune"]),
        ("9780306406157", []),
        ("!!!", []),
        ("' OR 1=1 --", []),
    ],
)
def test_search(client, make_books, asked, found):
    make_books("Dune", author="Frank Herbert", isbn="9780441013593")
    make_books("Jane Eyre", author="Charlotte Brontë")
    assert titles(client.get("/book-list", {"q": asked})) == found


def test_a_search_keeps_to_the_filters(client, make_books):
    make_books("Dune", price=900, stock=1)
    make_books("Dune", price=900)
    assert len(titles(client.get("/book-list", {"q": "dune", "in_stock": "on"}))) == 1


def test_nothing_found_is_said(client, make_books):
    make_books("Dune")
    assert "No book is like that" in client.get("/book-list", {"q": "qqqqqqqq"}).content.decode()


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"sort": "worst"}, "sort"),
        ({"category": "no-such"}, "category"),
        ({"currency": "XXX"}, "currency"),
        ({"price_from": "x"}, "price_from"),
        ({"price_from": "-1"}, "price_from"),
        ({"price_from": "NaN"}, "price_from"),
        ({"price_from": "1e5000000"}, "price_from"),
        ({"price_to": "12.505"}, "price_to"),
        ({"q": "x" * 201}, "q"),
        ({"q": "a\0b"}, "q"),
    ],
)
def test_what_can_t_be_asked_is_explained_in_the_form(client, db, asked, field):
    answer = client.get("/book-list", asked)
    assert answer.status_code == 400
    assert list(answer.context["form"].errors) == [field]
    assert "errorlist" in answer.content.decode()


def test_a_price_that_no_book_can_have_finds_none(client, shelf):
    assert titles(client.get("/book-list", {"price_from": "9999999999"})) == []
    assert len(titles(client.get("/book-list", {"price_to": "9999999999"}))) == SIZE


def cursor(*place) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "bad",
    [
        "x",
        "ü",
        "a" * 3000,
        "\0",
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        base64.urlsafe_b64encode(b"[" * 2000).decode(),
        cursor(),
        cursor("title", "Dune"),
        cursor("rating", 5, 1),
        cursor("title", 5, 1),
        cursor("title", "a\0b", 1),
        cursor("title", "\ud800", 1),
        cursor("title", "x" * 201, 1),
        cursor("title", "Dune", "1"),
        cursor("title", "Dune", -1),
        cursor("title", "Dune", True),
        cursor("title", "Dune", 2**63),
        cursor("title", None, 1),
        cursor("title", ["Dune"], 1),
    ],
)
@pytest.mark.parametrize("side", ["after", "before"])
def test_a_cursor_that_is_none_leads_nowhere(client, make_books, side, bad):
    make_books("One")
    assert client.get("/book-list", {side: bad}).status_code == 404


@pytest.mark.parametrize("value", ["1", 1.5, -1, 2**31, None])
def test_a_number_that_no_book_can_have_is_no_place(client, make_books, value):
    make_books("One")
    assert client.get("/book-list", {"sort": "newest", "after": cursor("publishing_year", value, 1)}).status_code == 404


def test_the_cursor_of_one_order_is_none_of_another(client, shelf):
    best = client.get("/book-list", {"sort": "best"}).context["page"].after
    assert client.get("/book-list", {"sort": "best", "after": best}).status_code == 200
    assert client.get("/book-list", {"sort": "newest", "after": best}).status_code == 404


def test_a_page_has_one_place(client, make_books):
    make_books("One")
    place = cursor("title", "A", 1)
    assert titles(client.get("/book-list", {"after": place})) == ["One"]
    assert client.get("/book-list", {"after": place, "before": place}).status_code == 404


def test_behind_the_last_book_the_way_back_is_shown(client, make_books):
    make_books("One")
    page = client.get("/book-list", {"after": cursor("title", "Z", 9)}).content.decode()
    assert "There are no more books here" in page


@pytest.mark.parametrize(
    ("address", "queries"),
    [
        # The books and the categories; a page of a category asks for that as well, a search whether it finds any.
        ("/", 2),
        ("/book-list", 2),
        ("/book-list?sort=best&in_stock=on&price_from=1", 2),
        ("/book-list?category=novels", 3),
        ("/book-list?q=a", 4),  # PostgreSQL looks for the keys first
    ],
)
def test_the_queries_of_a_page_don_t_grow_with_its_books(
    client, shelf, django_assert_max_num_queries, address, queries
):
    with django_assert_max_num_queries(queries):
        assert client.get(address).status_code == 200
