"""The administration: who may enter, and what it lets in."""

import pytest
from books.models import Book
from django.conf import settings

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


def test_cookies_of_a_login(client, django_user_model):
    django_user_model.objects.create_superuser("owner", password="a long pass phrase")
    client.get("/admin/login/")
    answer = client.post("/admin/login/?next=/admin/", {"username": "owner", "password": "a long pass phrase"})
    assert answer.status_code == 302
    assert set(client.cookies) == {settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME}
    for cookie in client.cookies.values():
        assert cookie["httponly"] is True
        assert cookie["samesite"] == "Lax"
