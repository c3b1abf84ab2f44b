"""Reviews of readers: at most one per reader and book, and an average that is always up to date."""

from decimal import Decimal

import pytest
from books.models import Book, Review
from books.reviews import write_review
from django.contrib.auth.models import User
from shop_fixtures import text

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def readers():
    return [User.objects.create_user(name) for name in ("lina", "sami", "nadia")]


def write_reviews(book, readers, *ratings):
    for reader, rating in zip(readers, ratings, strict=False):
        write_review(book, reader, rating, "")


def average_and_count(book):
    return Book.objects.values_list("readers_rating", "review_count").get(pk=book.pk)


def test_reader_writes_changes_and_deletes_a_review(client, dune, reader):
    url = f"/book-detail/{dune.pk}/review"
    client.force_login(reader)
    answer = client.post(url, {"rating": "4", "text": "Sand <b>everywhere</b>"})
    assert answer.headers["Location"] == dune.get_absolute_url()
    page = text(client.get(dune.get_absolute_url()))
    assert "Sand &lt;b&gt;everywhere" in page and "★★★★☆" in page and "lina" in page
    assert average_and_count(dune) == (Decimal("4.00"), 1)

    assert "Sand" in text(client.get(url))
    client.post(url, {"rating": "1", "text": "Too much of it"})
    assert list(Review.objects.values_list("rating", "text")) == [(1, "Too much of it")]
    assert average_and_count(dune) == (Decimal("1.00"), 1)

    client.post(f"{url}/delete")
    assert not Review.objects.exists()
    assert average_and_count(dune) == (None, 0)


@pytest.mark.parametrize(
    "form", [{"rating": "6"}, {"rating": "-1"}, {"rating": ""}, {"rating": "3", "text": "x" * 5001}]
)
def test_invalid_review_shows_the_error_and_changes_nothing(client, dune, reader, form):
    write_review(dune, reader, 4, "Sand")
    client.force_login(reader)
    page = client.post(f"/book-detail/{dune.pk}/review", form)
    assert page.status_code == 200 and page.context["form"].errors
    assert average_and_count(dune) == (Decimal("4.00"), 1)


def test_average_has_two_decimal_places(dune, readers):
    write_reviews(dune, readers, 5, 5, 0)
    assert average_and_count(dune) == (Decimal("3.33"), 3)


def test_review_cannot_be_deleted_by_another_reader_or_by_get(client, dune, readers):
    write_reviews(dune, readers, 4)
    client.force_login(readers[1])
    client.post(f"/book-detail/{dune.pk}/review/delete")
    assert average_and_count(dune) == (Decimal("4.00"), 1)
    assert client.get(f"/book-detail/{dune.pk}/review/delete").status_code == 405


def test_deleted_reader_is_removed_from_the_average(dune, readers):
    write_reviews(dune, readers, 5, 3, 1)
    readers[0].delete()
    assert average_and_count(dune) == (Decimal("2.00"), 2)


def test_reviews_deleted_in_the_admin_are_removed_from_the_average(admin_client, dune, readers):
    write_reviews(dune, readers, 5, 3, 0)
    one, two, _ = Review.objects.order_by("pk")
    selected = {"action": "delete_selected", "_selected_action": [one.pk], "post": "yes"}
    assert admin_client.post("/admin/books/review/", selected).status_code == 302
    assert average_and_count(dune) == (Decimal("1.50"), 2)
    assert admin_client.post(f"/admin/books/review/{two.pk}/delete/", {"post": "yes"}).status_code == 302
    assert average_and_count(dune) == (Decimal("0.00"), 1)


def test_deleted_book_has_its_reviews_deleted(dune, readers):
    write_reviews(dune, readers, 4)
    dune.delete()
    assert not Review.objects.exists()


def test_book_page_shows_the_latest_ten_reviews(client, dune):
    for number in range(12):
        write_review(dune, User.objects.create_user(f"reader{number}"), 3, f"opinion-{number}-")
    page = text(client.get(dune.get_absolute_url()))
    assert [number for number in range(12) if f"opinion-{number}-" in page] == list(range(2, 12))
