"""The catalogue as JSON: the books of the pages, a reason for each bad question, and all that schemathesis asks."""

from itertools import product

import pytest
import schemathesis
from books.models import Book, Category
from hypothesis import given, settings
from schemathesis import GenerationMode

pytestmark = pytest.mark.sqlite


@pytest.fixture
def dune(make_books):
    shelf = Category.objects.create(name="Novels", slug="novels")
    (book,) = make_books("Dune", isbn="9780441013593", price=1250, stock=3, category=shelf)
    return book


def test_a_book_by_isbn_and_by_id(client, dune):
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


@pytest.mark.parametrize("key", ["9780306406157", "99999", "0", "9999999999999999999"])
def test_a_book_that_is_not_there(client, dune, key):
    answer = client.get(f"/api/books/{key}")
    assert (answer.status_code, list(answer.json())) == (404, ["detail"])


def test_categories(client, dune):
    assert client.get("/api/categories").json() == [{"name": "Novels", "slug": "novels"}]


def test_the_pages_are_those_of_the_shop(client, make_books):
    make_books(*(f"Book {number:02}" for number in range(60)), price=1000)
    asked, titles = {"sort": "dearest", "price_to": "1000"}, []
    while True:
        answer = client.get("/api/books", asked).json()
        shown = client.get("/book-list", asked | {"price_to": "10"}).context["page"]
        assert [book["id"] for book in answer["books"]] == [book.pk for book in shown.books]
        titles += [book["title"] for book in answer["books"]]
        if not answer["after"]:
            break
        asked["after"] = answer["after"]
    assert titles == [f"Book {number:02}" for number in reversed(range(60))]
    back = client.get("/api/books", {"sort": "dearest", "price_to": "1000", "before": answer["before"]}).json()
    assert [book["title"] for book in back["books"]] == titles[36:48]


@pytest.mark.parametrize(
    ("asked", "status", "reason"),
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
        ({"after": "x"}, 404, "There is no such page: "),
        ({"before": "\0"}, 404, "There is no such page: "),
    ],
)
def test_a_bad_question_is_answered_with_the_reason(client, dune, asked, status, reason):
    answer = client.get("/api/books", asked)
    assert answer.status_code == status
    assert answer.json()["detail"].startswith(reason)


@pytest.mark.parametrize("key", ["dune", "-1", "978-0-441-01359-3", "%00", "٣", "1" * 20])
def test_a_key_that_is_none(client, db, key):
    assert client.get(f"/api/books/{key}").status_code == 422


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_is_read_only(client, dune, method):
    for address in ("/api/books", f"/api/books/{dune.pk}", "/api/categories"):
        assert getattr(client, method)(address).status_code == 405
    assert Book.objects.exists()


def test_its_description_needs_nothing_from_elsewhere(client):
    assert client.get("/api/openapi.json").json()["info"]["title"] == "Book Shop"
    assert client.get("/api/docs").status_code == 404


def test_the_queries_of_an_answer_don_t_grow_with_its_books(client, make_books, django_assert_num_queries):
    shelf = Category.objects.create(name="Novels", slug="novels")
    make_books("A", "B", "C", "D", category=shelf)
    with django_assert_num_queries(1):
        assert len(client.get("/api/books").json()["books"]) == 4


# What the description allows and what it forbids, made up by schemathesis

# Slow: fewer examples leave kinds of wrong parameters out.
BOUNDED = settings(max_examples=60, derandomize=True, deadline=None, database=None)
OPERATIONS = ["/books", "/books/{key}", "/categories"]


# Nothing is forbidden of what takes no parameter.
@pytest.mark.parametrize(
    ("path", "mode"),
    [pair for pair in product(OPERATIONS, GenerationMode) if pair != ("/categories", GenerationMode.NEGATIVE)],
)
def test_whatever_is_asked_the_answer_is_as_described(transactional_db, dune, path, mode):
    # Without a transaction around it, which the application would end with its first answer.
    from book_shop.wsgi import application  # here, because it looks for the static files

    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", application)

    @BOUNDED
    @given(schema[f"/api{path}"]["GET"].as_strategy(generation_mode=mode))
    def ask(case):
        case.call_and_validate()

    ask()


def test_every_operation_is_asked(client):
    assert list(client.get("/api/openapi.json").json()["paths"]) == [f"/api{path}" for path in OPERATIONS]
