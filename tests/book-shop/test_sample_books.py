"""manage.py load_sample_books."""

import io

import pytest
from books.models import Book
from django.core.management import call_command

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


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


def test_they_can_be_bought_but_for_one_that_is_sold_out():
    load()
    assert [book.title for book in Book.objects.all() if not book.can_be_bought] == ["Ulysses"]
    for book in Book.objects.all():
        book.full_clean()
        assert book.category and book.description and book.publisher


def test_the_books_of_an_older_release_get_what_they_lack():
    load()
    whole = list(Book.objects.order_by("title").values())
    lacking = {"isbn": None, "price": None, "category": None, "publisher": "", "description": "", "stock": 0}
    Book.objects.update(**lacking)
    assert load() == "0 sample books added, 24 were there already\n"
    assert list(Book.objects.order_by("title").values()) == whole


def test_what_was_edited_in_a_book_of_an_older_release_stays():
    load()
    Book.objects.filter(title="Dune").update(isbn=None, price=None, stock=0, description="Mine.", rating=1)
    Book.objects.filter(title="Dracula").update(price=1)
    load()
    dune = Book.objects.get(title="Dune")
    assert (dune.description, dune.rating, dune.isbn, dune.can_be_bought) == ("Mine.", 1, "9780441013593", True)
    assert Book.objects.get(title="Dracula").price == 1
