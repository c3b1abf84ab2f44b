"""Readers' reviews: one of each reader for a book, and the average is right after whatever happens to one."""

from decimal import Decimal

import pytest
from books.models import Book, Review
from books.reviews import write_review
from django.contrib.auth.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def text(response) -> str:
    return response.content.decode()


@pytest.fixture
def dune(make_books):
    (book,) = make_books("Dune")
    return book


@pytest.fixture
def readers():
    return [User.objects.create_user(name) for name in ("lina", "sami", "nadia")]


def figures(book):
    return Book.objects.values_list("readers_rating", "review_count").get(pk=book.pk)


def test_a_reader_writes_changes_and_deletes_a_review(client, dune, readers):
    address = f"/book-detail/{dune.pk}/review"
    client.force_login(readers[0])
    answer = client.post(address, {"rating": "4", "text": "Sand <b>everywhere</b>"})
    assert answer.headers["Location"] == dune.get_absolute_url()
    page = text(client.get(dune.get_absolute_url()))
    assert "Sand &lt;b&gt;everywhere" in page and "★★★★☆" in page and "lina" in page
    assert figures(dune) == (Decimal("4.00"), 1)

    assert "Sand" in text(client.get(address))
    client.post(address, {"rating": "1", "text": "Too much of it"})
    assert list(Review.objects.values_list("rating", "text")) == [(1, "Too much of it")]
    assert figures(dune) == (Decimal("1.00"), 1)

    client.post(f"{address}/delete")
    assert not Review.objects.exists()
    assert figures(dune) == (None, 0)


@pytest.mark.parametrize(
    "form", [{"rating": "6"}, {"rating": "-1"}, {"rating": ""}, {"rating": "3", "text": "x" * 5001}]
)
def test_what_is_no_review_is_explained_and_changes_nothing(client, dune, readers, form):
    write_review(dune, readers[0], 4, "Sand")
    client.force_login(readers[0])
    page = client.post(f"/book-detail/{dune.pk}/review", form)
    assert page.status_code == 200 and page.context["form"].errors
    assert figures(dune) == (Decimal("4.00"), 1)


def test_the_average_is_rounded_to_two_digits(dune, readers):
    for reader, rating in zip(readers, (5, 5, 0), strict=True):
        write_review(dune, reader, rating, "")
    assert figures(dune) == (Decimal("3.33"), 3)


def test_nobody_deletes_the_review_of_another(client, dune, readers):
    write_review(dune, readers[0], 4, "")
    client.force_login(readers[1])
    client.post(f"/book-detail/{dune.pk}/review/delete")
    assert figures(dune) == (Decimal("4.00"), 1)
    assert client.get(f"/book-detail/{dune.pk}/review/delete").status_code == 405


def test_the_average_is_right_when_a_reader_leaves(dune, readers):
    for reader, rating in zip(readers, (5, 3, 1), strict=True):
        write_review(dune, reader, rating, "")
    readers[0].delete()
    assert figures(dune) == (Decimal("2.00"), 2)


def test_the_average_is_right_when_the_shop_deletes_reviews(admin_client, dune, readers):
    for reader, rating in zip(readers, (5, 3, 0), strict=True):
        write_review(dune, reader, rating, "")
    one, two, _ = Review.objects.order_by("pk")
    chosen = {"action": "delete_selected", "_selected_action": [one.pk], "post": "yes"}
    assert admin_client.post("/admin/books/review/", chosen).status_code == 302
    assert figures(dune) == (Decimal("1.50"), 2)
    assert admin_client.post(f"/admin/books/review/{two.pk}/delete/", {"post": "yes"}).status_code == 302
    assert figures(dune) == (Decimal("0.00"), 1)


def test_a_book_goes_with_its_reviews(dune, readers):
    write_review(dune, readers[0], 4, "")
    dune.delete()
    assert not Review.objects.exists()


def test_the_page_shows_the_latest_ten(client, dune):
    for number in range(12):
        write_review(dune, User.objects.create_user(f"reader{number}"), 3, f"opinion-{number}-")
    page = text(client.get(dune.get_absolute_url()))
    assert [number for number in range(12) if f"opinion-{number}-" in page] == list(range(2, 12))
