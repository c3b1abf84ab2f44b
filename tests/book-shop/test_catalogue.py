"""The list of books: filters, sorting, search and pages, on both SQLite and PostgreSQL."""

import base64
import json

import pytest
from books.catalogue import SORTS
from books.models import Book, Category
from books.pages import SIZE
from shop_fixtures import text

pytestmark = pytest.mark.sqlite
FIELDS = {"title": "title", "newest": "publishing_year", "best": "rating", "cheapest": "price", "dearest": "price"}


# Slow for the first test only, which starts and migrates the database.
@pytest.fixture
def novels(db):
    """Return a category of a catalogue of sixty books, many of which have the same title, year or rating."""
    novels = Category.objects.create(name="Novels", slug="novels")
    for number, title in enumerate("abcdefghij" * 6):
        year, price = 1900 + 7 * number % 90, 500 + 37 * number % 900
        Book.objects.create(
            title=title,
            author="A",
            publishing_year=year,
            rating=number % 6,
            reviewer="R",
            price=price,
            stock=price % 2,
            category=novels if year % 2 else None,
        )
    return novels


def get_page(client, query):
    answer = client.get("/book-list", query)
    assert answer.status_code == 200, text(answer)
    return answer.context["page"]


def titles(client, query) -> list[str]:
    return [book.title for book in get_page(client, query).books]


def books_of_all_pages(client, query) -> list[Book]:
    """Return the books of all pages, and check that the pages are the same forwards and backwards."""
    pages = [get_page(client, query)]
    while pages[-1].after:
        pages.append(get_page(client, query | {"after": pages[-1].after}))
    back = [pages[-1]]
    while back[-1].before:
        back.append(get_page(client, query | {"before": back[-1].before}))
    assert [page.books for page in reversed(back)] == [page.books for page in pages]
    return [book for page in pages for book in page.books]


@pytest.mark.parametrize("sort", SORTS)
def test_pages_contain_each_book_once_in_order(client, novels, sort):
    books = books_of_all_pages(client, {"sort": sort})
    assert sorted(book.pk for book in books) == sorted(Book.objects.values_list("pk", flat=True))
    values = [getattr(book, FIELDS[sort]) for book in books]
    assert values == sorted(values, reverse=sort in ("newest", "dearest", "best"))


@pytest.mark.parametrize("sort", SORTS)
def test_pages_of_a_filtered_list_contain_the_matching_books_only(client, novels, sort):
    query = {"sort": sort, "category": "novels", "in_stock": "on", "price_from": "6", "price_to": "12.50"}
    matching = novels.books.filter(price__gte=600, price__lte=1250, stock__gt=0)
    assert 0 < matching.count() < 60
    assert {book.pk for book in books_of_all_pages(client, query)} == set(matching.values_list("pk", flat=True))


def test_new_and_deleted_books_move_no_other_book_to_another_page(client, make_books):
    make_books(*(f"Book {number:02}" for number in range(40)))
    first = get_page(client, {})
    make_books("Aardvark")
    Book.objects.filter(title="Book 11").delete()
    assert titles(client, {"after": first.after})[0] == "Book 12"


def test_link_to_the_next_page_keeps_the_query(client, novels):
    page = text(client.get("/book-list", {"category": "novels", "sort": "best", "q": "a"}))
    assert 'rel="next" href="?category=novels&amp;sort=best&amp;q=a&amp;after=' in page
    assert 'rel="prev"' not in page


def test_single_page_has_no_links_to_others(client, make_books):
    make_books("One")
    assert "rel=" not in text(client.get("/book-list")).split("<main")[1]


def test_prices_are_compared_within_one_currency(client, make_books):
    make_books("Euro", price=1000)
    make_books("Dinar", price=8000, currency="JOD")
    make_books("Not for sale")
    assert titles(client, {"sort": "cheapest"}) == ["Euro"]
    assert titles(client, {"price_to": "9.999", "currency": "JOD"}) == ["Dinar"]
    assert titles(client, {}) == ["Dinar", "Euro", "Not for sale"]


@pytest.mark.parametrize(
    ("words", "found"),
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
def test_search_finds_words_and_isbns(client, make_books, words, found):
    make_books("Dune", author="Frank Herbert", isbn="9780441013593")
    make_books("Jane Eyre", author="Charlotte Brontë")
    assert titles(client, {"q": words}) == found


def test_search_respects_the_filters(client, make_books):
    make_books("Dune", price=900, stock=1)
    make_books("Dune", price=900)
    assert len(titles(client, {"q": "dune", "in_stock": "on"})) == 1


def test_search_without_results_shows_a_message(client, make_books):
    make_books("Dune")
    assert "No books match your search." in text(client.get("/book-list", {"q": "qqqqqqqq"}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sort", "worst"),
        ("category", "no-such"),
        ("currency", "XXX"),
        ("price_from", "x"),
        ("price_from", "-1"),
        ("price_from", "NaN"),
        ("price_from", "1e5000000"),
        ("price_to", "12.505"),
        ("q", "x" * 201),
        ("q", "a\0b"),
    ],
)
def test_form_shows_the_error_of_an_invalid_query(client, db, field, value):
    answer = client.get("/book-list", {field: value})
    assert answer.status_code == 400
    assert list(answer.context["form"].errors) == [field]
    assert "errorlist" in text(answer)


def test_price_limit_above_all_possible_prices_is_valid(client, novels):
    assert titles(client, {"price_from": "9999999999"}) == []
    assert len(titles(client, {"price_to": "9999999999"})) == SIZE


def cursor(*place) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "invalid",
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
        *(cursor("title", title, 1) for title in (5, "a\0b", "\ud800", "x" * 201, None, ["Dune"])),
        *(cursor("title", "Dune", pk) for pk in ("1", -1, True, 2**63)),
    ],
)
@pytest.mark.parametrize("side", ["after", "before"])
def test_invalid_cursor_returns_404(client, make_books, side, invalid):
    make_books("One")
    assert client.get("/book-list", {side: invalid}).status_code == 404


@pytest.mark.parametrize("value", ["1", 1.5, -1, 2**31, None])
def test_cursor_with_an_impossible_number_returns_404(client, make_books, value):
    make_books("One")
    assert client.get("/book-list", {"sort": "newest", "after": cursor("publishing_year", value, 1)}).status_code == 404


def test_cursor_is_valid_for_its_own_sort_order_only(client, novels):
    best = get_page(client, {"sort": "best"}).after
    assert client.get("/book-list", {"sort": "best", "after": best}).status_code == 200
    assert client.get("/book-list", {"sort": "newest", "after": best}).status_code == 404


def test_cursors_after_and_before_exclude_each_other(client, make_books):
    make_books("One")
    place = cursor("title", "A", 1)
    assert titles(client, {"after": place}) == ["One"]
    assert client.get("/book-list", {"after": place, "before": place}).status_code == 404


def test_page_after_the_last_book_links_to_the_first_page(client, make_books):
    make_books("One")
    page = text(client.get("/book-list", {"after": cursor("title", "Z", 9)}))
    assert "There are no more books." in page and "Go to the first page" in page


# The queries are for the books and the categories. A category adds one, and so does a search on PostgreSQL.
@pytest.mark.parametrize(
    ("url", "queries"),
    [
        ("/", 2),
        ("/book-list", 2),
        ("/book-list?sort=best&in_stock=on&price_from=1", 2),
        ("/book-list?category=novels", 3),
        ("/book-list?q=a", 4),
    ],
)
def test_queries_do_not_grow_with_the_number_of_books(client, novels, django_assert_max_num_queries, url, queries):
    with django_assert_max_num_queries(queries):
        assert client.get(url).status_code == 200
