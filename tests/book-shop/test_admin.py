"""The administration: who may enter, and what it lets in."""

import pytest
from book_shop.pagination import BoundedPaginator
from books.admin import BookAdmin
from books.models import Book, Category
from django.conf import settings

pytestmark = pytest.mark.sqlite

BOOK = {
    "title": "Dune",
    "author": "Frank Herbert",
    "publishing_year": "1965",
    "rating": "5",
    "reviewer": "Sami",
    "currency": "EUR",
    "stock": "3",
}


@pytest.mark.parametrize("address", ["/admin/", "/admin/books/book/", "/admin/books/book/add/"])
def test_a_stranger_is_sent_to_the_login(client, db, address):
    answer = client.get(address)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/admin/login/?next={address}")


def test_add_a_book(admin_client):
    answer = admin_client.post("/admin/books/book/add/", BOOK)
    assert answer.status_code == 302
    assert Book.objects.values_list("title", "rating").get() == ("Dune", 5)


@pytest.mark.parametrize("rating", ["-1", "6", ""])
def test_a_wrong_rating_is_explained_in_the_form(admin_client, rating):
    answer = admin_client.post("/admin/books/book/add/", BOOK | {"rating": rating})
    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == ["rating"]
    assert not Book.objects.exists()


def test_list_and_search(admin_client, make_books):
    make_books("Dune", "Emma")
    page = admin_client.get("/admin/books/book/", {"q": "dun"}).content.decode()
    assert "Dune" in page
    assert "Emma" not in page


def test_a_long_list_is_counted_to_a_bound(admin_client, make_books, monkeypatch):
    make_books(*"abcde")
    monkeypatch.setattr(BoundedPaginator, "MOST", 3)
    monkeypatch.setattr(BookAdmin, "list_per_page", 2)
    monkeypatch.setattr(BookAdmin, "list_max_show_all", 2)
    changes = admin_client.get("/admin/books/book/").context["cl"]
    assert (changes.result_count, changes.full_result_count, changes.paginator.num_pages) == (3, None, 2)


def test_the_queries_of_the_list_don_t_grow_with_its_books(admin_client, make_books, django_assert_max_num_queries):
    shelf = Category.objects.create(name="Novels", slug="novels")
    make_books(*"abcdefghij", category=shelf)
    # The session, the user, two counts, the books, the categories of the filter.
    with django_assert_max_num_queries(6):
        admin_client.get("/admin/books/book/")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["Dear", "Free"]),
        ({"rating": "5"}, ["Dear"]),
        ({"rating": "x"}, ["Dear", "Free"]),
        ({"for_sale": "yes"}, ["Dear"]),
        ({"for_sale": "no"}, ["Free"]),
        ({"q": "dear"}, ["Dear"]),
        ({"q": "9780441013593"}, ["Dear"]),
        ({"q": "a\0b"}, ["Dear", "Free"]),
    ],
)
def test_filters_of_the_list(admin_client, make_books, asked, found):
    make_books("Free")
    make_books("Dear", price=1250, rating=5, isbn="9780441013593")
    answer = admin_client.get("/admin/books/book/", asked)
    assert [book.title for book in answer.context["cl"].result_list] == found


def test_a_category_is_found_by_its_beginning(admin_client):
    Category.objects.create(name="Novels", slug="novels")
    asked = {"term": "nov", "app_label": "books", "model_name": "book", "field_name": "category"}
    assert [found["text"] for found in admin_client.get("/admin/autocomplete/", asked).json()["results"]] == ["Novels"]


def test_cookies_of_a_login(client, django_user_model):
    django_user_model.objects.create_superuser("owner", password="a long pass phrase")
    client.get("/admin/login/")
    answer = client.post("/admin/login/?next=/admin/", {"username": "owner", "password": "a long pass phrase"})
    assert answer.status_code == 302
    assert set(client.cookies) == {settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME}
    for cookie in client.cookies.values():
        assert cookie["httponly"] is True
        assert cookie["samesite"] == "Lax"
