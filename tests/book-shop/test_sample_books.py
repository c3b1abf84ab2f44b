"""manage.py load_sample_books."""

import io

import pytest
from books.models import Book
from django.core.management import call_command

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def load() -> tuple[int, int]:
    """Load the sample books, and return how many were added and how many present."""
    out = io.StringIO()
    call_command("load_sample_books", stdout=out)
    added, present = out.getvalue().split(" sample books added, ")
    return int(added), int(present.removesuffix(" already present\n"))


def rows():
    return list(Book.objects.order_by("title").values())


def test_second_run_changes_nothing():
    assert load() == (24, 0)
    before = rows()
    assert len(before) == 24
    assert load() == (0, 24)
    assert rows() == before


def test_edited_book_is_kept_and_deleted_book_added_again():
    load()
    Book.objects.filter(title="Dune").update(rating=1, reviewer="Someone else")
    Book.objects.filter(title="Ulysses").delete()
    assert load() == (1, 23)
    assert Book.objects.values_list("rating", "reviewer").get(title="Dune") == (1, "Someone else")


def test_second_book_with_the_same_title_is_allowed():
    load()
    fields = Book.objects.values("title", "author", "publishing_year").get(title="Dune")
    Book.objects.create(**fields, rating=2, reviewer="Lina")
    assert load() == (0, 24)
    assert Book.objects.count() == 25


def test_sample_books_are_complete_and_all_but_one_can_be_bought():
    load()
    assert [book.title for book in Book.objects.all() if not book.can_be_bought] == ["Ulysses"]
    for book in Book.objects.all():
        book.full_clean()
        assert book.category and book.description and book.publisher


def test_books_of_the_first_release_are_completed():
    load()
    complete = rows()
    Book.objects.update(isbn=None, price=None, category=None, publisher="", description="", stock=0)
    assert load() == (0, 24)
    assert rows() == complete


def test_completion_keeps_edited_fields():
    load()
    Book.objects.filter(title="Dune").update(isbn=None, price=None, stock=0, description="Mine.", rating=1)
    Book.objects.filter(title="Dracula").update(price=1)
    load()
    dune = Book.objects.get(title="Dune")
    assert (dune.description, dune.rating, dune.isbn, dune.can_be_bought) == ("Mine.", 1, "9780441013593", True)
    assert Book.objects.get(title="Dracula").price == 1
