"""The JSON API: books, errors, and conformance with its OpenAPI description."""

from itertools import product

import pytest
import schemathesis
from books.models import Book, Category
from hypothesis import given, settings
from schemathesis import GenerationMode

pytestmark = pytest.mark.sqlite


@pytest.fixture
def dune(make_books):
    novels = Category.objects.create(name="Novels", slug="novels")
    (book,) = make_books("Dune", isbn="9780441013593", price=1250, stock=3, category=novels)
    return book


def test_returns_a_book_by_isbn_and_by_id(client, dune):
    answer = client.get("/api/books/9780441013593")
    assert answer.status_code == 200
    assert answer.json() == {
        "id": dune.pk,
        "isbn": "9780441013593",
        "title": "Dune",
        "author": "Someone",
        "publisher": "",
        "publishing_year": 2001,
        "description": "",
        "category": {"name": "Novels", "slug": "novels"},
        "cover": "",
        "price": 1250,
        "currency": "EUR",
        "stock": 3,
        "rating": 3,
        "reviewer": "Nadia",
        "readers_rating": None,
        "review_count": 0,
    }
    assert client.get(f"/api/books/{dune.pk}").json() == answer.json()


@pytest.mark.parametrize(
    ("status", "key"),
    [
        *((404, key) for key in ("9780306406157", "99999", "0", "9999999999999999999")),
        *((422, key) for key in ("dune", "-1", "978-0-441-01359-3", "%00", "٣", "1" * 20)),
    ],
)
def test_missing_book_returns_404_and_invalid_key_422(client, dune, status, key):
    answer = client.get(f"/api/books/{key}")
    assert (answer.status_code, list(answer.json())) == (status, ["detail"])


def test_categories(client, dune):
    assert client.get("/api/categories").json() == [{"name": "Novels", "slug": "novels"}]


def test_pages_contain_the_same_books_as_in_the_shop(client, make_books):
    make_books(*(f"Book {number:02}" for number in range(60)), price=1000)
    query, titles = {"sort": "dearest", "price_to": "1000"}, []
    while True:
        answer = client.get("/api/books", query).json()
        shown = client.get("/book-list", query | {"price_to": "10"}).context["page"]
        assert [book["id"] for book in answer["books"]] == [book.pk for book in shown.books]
        titles += [book["title"] for book in answer["books"]]
        if not answer["after"]:
            break
        query["after"] = answer["after"]
    assert titles == [f"Book {number:02}" for number in reversed(range(60))]
    back = client.get("/api/books", {"sort": "dearest", "price_to": "1000", "before": answer["before"]}).json()
    assert [book["title"] for book in back["books"]] == titles[36:48]


@pytest.mark.parametrize(
    ("query", "status", "reason"),
    [
        ({"sort": "worst"}, 422, "sort: "),
        ({"currency": "XXX"}, 422, "currency: "),
        ({"price_from": "-1"}, 422, "price_from: "),
        ({"price_from": "12.50"}, 422, "price_from: "),
        ({"price_to": "9" * 30}, 422, "price_to: "),
        ({"in_stock": "perhaps"}, 422, "in_stock: "),
        ({"q": "a\0b"}, 422, "q: "),
        ({"q": "x" * 201}, 422, "q: "),
        ({"category": "a\0b"}, 422, "category: "),
        ({"category": "no-such"}, 404, "Not Found"),
        ({"after": "x"}, 404, "Page not found: "),
        ({"before": "\0"}, 404, "Page not found: "),
    ],
)
def test_invalid_query_returns_the_reason(client, dune, query, status, reason):
    answer = client.get("/api/books", query)
    assert answer.status_code == status
    assert answer.json()["detail"].startswith(reason)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_is_read_only(client, dune, method):
    for url in ("/api/books", f"/api/books/{dune.pk}", "/api/categories"):
        assert getattr(client, method)(url).status_code == 405
    assert Book.objects.exists()


def test_has_a_description_but_no_page_with_external_scripts(client):
    assert client.get("/api/openapi.json").json()["info"]["title"] == "Book Shop"
    assert client.get("/api/docs").status_code == 404


def test_queries_do_not_grow_with_the_number_of_books(client, make_books, django_assert_num_queries):
    make_books("A", "B", "C", "D", category=Category.objects.create(name="Novels", slug="novels"))
    with django_assert_num_queries(1):
        assert len(client.get("/api/books").json()["books"]) == 4


# Requests that schemathesis generates from the description

# Slow: fewer examples would leave out kinds of invalid parameters.
BOUNDED = settings(max_examples=60, derandomize=True, deadline=None, database=None)
OPERATIONS = ["/books", "/books/{key}", "/categories"]


# An operation without parameters has no invalid requests.
@pytest.mark.parametrize(
    ("path", "mode"),
    [pair for pair in product(OPERATIONS, GenerationMode) if pair != ("/categories", GenerationMode.NEGATIVE)],
)
def test_responses_conform_to_the_description(transactional_db, dune, path, mode):
    # transactional_db, because the application would end a transaction around the test.
    from book_shop.wsgi import application  # needs the collected static files

    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", application)

    @BOUNDED
    @given(schema[f"/api{path}"]["GET"].as_strategy(generation_mode=mode))
    def ask(case):
        case.call_and_validate()

    ask()


def test_generated_requests_cover_every_operation(client):
    assert list(client.get("/api/openapi.json").json()["paths"]) == [f"/api{path}" for path in OPERATIONS]
