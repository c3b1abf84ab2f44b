"""Validation of books in forms and by constraints of the database."""

import pytest
from books.models import Book, next_year
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction

pytestmark = pytest.mark.sqlite

FIELDS = {"title": "T", "author": "A", "publishing_year": 2001, "rating": 3, "reviewer": "R"}


@pytest.mark.django_db
@pytest.mark.parametrize("rating", [-1, 6, 100])
def test_database_rejects_a_rating_outside_0_to_5(rating):
    # A negative rating also violates the constraint of the column's type, which may be reported first.
    constraint = "book_rating_0_to_5" if rating > 5 else None
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Book.objects.create(**FIELDS | {"rating": rating})
    book = Book.objects.create(**FIELDS)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Book.objects.filter(pk=book.pk).update(rating=rating)


@pytest.mark.django_db
@pytest.mark.parametrize("rating", [0, 5])
def test_accepts_ratings_0_and_5(rating):
    book = Book(**FIELDS | {"rating": rating})
    book.full_clean()
    book.save()
    assert Book.objects.get().rating == rating


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("rating", rating) for rating in (-1, 6, None)),
        *(("publishing_year", year) for year in (0, next_year() + 1)),
        *(("title", title) for title in ("", "x" * 201)),
        *(("author", ""), ("reviewer", "")),
    ],
)
def test_invalid_field_is_named(field, value):
    with pytest.raises(ValidationError) as caught:
        Book(**FIELDS | {field: value}).clean_fields()
    assert list(caught.value.message_dict) == [field]


def test_accepts_next_year():
    Book(**FIELDS | {"publishing_year": next_year()}).clean_fields()


@pytest.mark.parametrize(("rating", "stars"), [(0, "☆☆☆☆☆"), (3, "★★★☆☆"), (5, "★★★★★")])
def test_rating_is_shown_as_stars(rating, stars):
    assert Book(rating=rating).stars == stars


@pytest.mark.django_db
def test_models_have_all_migrations():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
