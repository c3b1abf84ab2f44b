"""The admin of books: access, forms, lists and cookies."""

import pytest
from book_shop.pagination import BoundedPaginator
from books.admin import BookAdmin
from books.models import Book, Category
from django.conf import settings
from shop_fixtures import PASSWORD, text

pytestmark = pytest.mark.sqlite
LIST, ADD = "/admin/books/book/", "/admin/books/book/add/"
BOOK = {
    "title": "Dune",
    "author": "Frank Herbert",
    "publishing_year": "1965",
    "rating": "5",
    "reviewer": "Sami",
    "currency": "EUR",
    "stock": "3",
}


@pytest.mark.parametrize("url", ["/admin/", LIST, ADD])
def test_visitor_is_redirected_to_the_login(client, db, url):
    answer = client.get(url)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/admin/login/?next={url}")


def test_adds_a_book(admin_client):
    assert admin_client.post(ADD, BOOK).status_code == 302
    assert Book.objects.values_list("title", "rating").get() == ("Dune", 5)


@pytest.mark.parametrize("rating", ["-1", "6", ""])
def test_form_rejects_an_invalid_rating(admin_client, rating):
    answer = admin_client.post(ADD, BOOK | {"rating": rating})
    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == ["rating"]
    assert not Book.objects.exists()


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ({}, ["Dear", "Free"]),
        ({"rating": "5"}, ["Dear"]),
        ({"rating": "x"}, ["Dear", "Free"]),
        ({"for_sale": "yes"}, ["Dear"]),
        ({"for_sale": "no"}, ["Free"]),
        ({"q": "dea"}, ["Dear"]),
        ({"q": "dear"}, ["Dear"]),
        ({"q": "9780441013593"}, ["Dear"]),
        ({"q": "a\0b"}, ["Dear", "Free"]),
    ],
)
def test_list_is_filtered_and_searched(admin_client, make_books, query, titles):
    make_books("Free")
    make_books("Dear", price=1250, rating=5, isbn="9780441013593")
    answer = admin_client.get(LIST, query)
    assert [book.title for book in answer.context["cl"].result_list] == titles
    assert all(title in text(answer) for title in titles)


def test_long_list_is_counted_up_to_a_limit(admin_client, make_books, monkeypatch):
    make_books(*"abcde")
    monkeypatch.setattr(BoundedPaginator, "MOST", 3)
    monkeypatch.setattr(BookAdmin, "list_per_page", 2)
    monkeypatch.setattr(BookAdmin, "list_max_show_all", 2)
    changes = admin_client.get(LIST).context["cl"]
    assert (changes.result_count, changes.full_result_count, changes.paginator.num_pages) == (3, None, 2)


def test_queries_of_the_list_do_not_grow_with_its_books(admin_client, make_books, django_assert_max_num_queries):
    make_books(*"abcdefghij", category=Category.objects.create(name="Novels", slug="novels"))
    # The session, the user, two counts, the books, the categories of the filter.
    with django_assert_max_num_queries(6):
        admin_client.get(LIST)


def test_category_is_completed_from_its_first_letters(admin_client):
    Category.objects.create(name="Novels", slug="novels")
    query = {"term": "nov", "app_label": "books", "model_name": "book", "field_name": "category"}
    assert [found["text"] for found in admin_client.get("/admin/autocomplete/", query).json()["results"]] == ["Novels"]


def test_login_sets_only_protected_cookies(client, django_user_model):
    django_user_model.objects.create_superuser("owner", password=PASSWORD)
    client.get("/admin/login/")
    answer = client.post("/admin/login/?next=/admin/", {"username": "owner", "password": PASSWORD})
    assert answer.status_code == 302
    assert set(client.cookies) == {settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME}
    for cookie in client.cookies.values():
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
