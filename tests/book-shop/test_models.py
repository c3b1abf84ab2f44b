"""Book: what the form refuses, and what the database refuses on its own."""

import pytest
from books.models import Book, next_year
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction

pytestmark = pytest.mark.sqlite

FIELDS = {"title": "T", "author": "A", "publishing_year": 2001, "rating": 3, "reviewer": "R"}


@pytest.mark.django_db
@pytest.mark.parametrize("rating", [-1, 6, 100])
def test_database_refuses_a_rating_outside_0_to_5(rating):
    with pytest.raises(IntegrityError), transaction.atomic():
        Book.objects.create(**FIELDS | {"rating": rating})
    book = Book.objects.create(**FIELDS)
    with pytest.raises(IntegrityError), transaction.atomic():
        Book.objects.filter(pk=book.pk).update(rating=rating)


@pytest.mark.django_db
def test_the_constraint_is_the_one_of_the_model():
    with pytest.raises(IntegrityError, match="book_rating_0_to_5"), transaction.atomic():
        Book.objects.create(**FIELDS | {"rating": 6})


@pytest.mark.django_db
@pytest.mark.parametrize("rating", [0, 5])
def test_the_ends_of_the_range_are_allowed(rating):
    book = Book(**FIELDS | {"rating": rating})
    book.full_clean()
    book.save()
    assert Book.objects.get().rating == rating


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rating", -1),
        ("rating", 6),
        ("rating", None),
        ("publishing_year", 0),
        ("publishing_year", next_year() + 1),
        ("title", ""),
        ("title", "x" * 201),
        ("author", ""),
        ("reviewer", ""),
    ],
)
def test_validators_name_the_field(field, value):
    with pytest.raises(ValidationError) as caught:
        Book(**FIELDS | {field: value}).clean_fields()
    assert list(caught.value.message_dict) == [field]


def test_a_book_may_be_announced_for_next_year():
    Book(**FIELDS | {"publishing_year": next_year()}).clean_fields()


@pytest.mark.parametrize(("rating", "stars"), [(0, "☆☆☆☆☆"), (3, "★★★☆☆"), (5, "★★★★★")])
def test_stars(rating, stars):
    assert Book(rating=rating).stars == stars


@pytest.mark.django_db
def test_every_change_of_the_model_has_its_migration():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
