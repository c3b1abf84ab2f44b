"""manage.py load_sample_books."""

import io

import pytest
from books.models import Book
from django.core.management import call_command

pytestmark = pytest.mark.django_db


def load() -> str:
    out = io.StringIO()
    call_command("load_sample_books", stdout=out)
    return out.getvalue()


def test_the_second_run_changes_nothing():
    assert load() == "24 sample books added, 0 were there already\n"
    books = list(Book.objects.values())
    assert len(books) == 24
    assert load() == "0 sample books added, 24 were there already\n"
    assert list(Book.objects.values()) == books


def test_edits_stay_and_what_was_deleted_comes_back():
    load()
    Book.objects.filter(title="Dune").update(rating=1, reviewer="Someone else")
    Book.objects.filter(title="Ulysses").delete()
    assert load() == "1 sample books added, 23 were there already\n"
    assert Book.objects.values_list("rating", "reviewer").get(title="Dune") == (1, "Someone else")


def test_a_second_review_of_a_sample_book_is_no_obstacle():
    load()
    book = Book.objects.get(title="Dune")
    Book.objects.create(
        title=book.title, author=book.author, publishing_year=book.publishing_year, rating=2, reviewer="Lina"
    )
    assert load() == "0 sample books added, 24 were there already\n"
    assert Book.objects.count() == 25
