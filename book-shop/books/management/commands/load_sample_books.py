"""manage.py load_sample_books: adds the sample books that are not there yet."""

import json
from pathlib import Path

from django.core.management.base import BaseCommand
from django.db import transaction

from books.importing import Shelves
from books.models import Book

SAMPLE = Path(__file__).resolve().parents[2] / "sample_books.json"


# What books had before the shop sold them; the rest is filled in where a book of then has no price.
FIRST = ["title", "author", "publishing_year", "rating", "reviewer"]


class Command(BaseCommand):
    """Adds the books of sample_books.json; safe to run again, and what was edited since stays as it is."""

    help = (
        "Add the sample books that are not there yet (same title, author and year). A book that is there is changed "
        "only if it has neither ISBN nor price: it then gets what books had not when it was added."
    )

    @transaction.atomic
    def handle(self, *args, **options):
        """Print how many books were added and how many were there."""
        books = json.loads(SAMPLE.read_text(encoding="utf-8"))
        shelves, added = Shelves(), 0
        for fields in books:
            fields["category_id"] = shelves[fields.pop("category")]
            same = Book.objects.filter(**{name: fields[name] for name in ("title", "author", "publishing_year")})
            # Not get_or_create: a second review of the same book is allowed, and would make it fail.
            if same.exists():
                self.fill(same, fields)
                continue
            book = Book(**fields)
            book.full_clean()
            book.save()
            added += 1
        self.stdout.write(f"{added} sample books added, {len(books) - added} were there already")

    def fill(self, same, fields):
        """Give the oldest of these what it lacks, unless another book has the ISBN."""
        old = same.filter(isbn=None, price=None).order_by("pk").first()
        if old and not Book.objects.filter(isbn=fields["isbn"]).exists():
            new = {name: value for name, value in fields.items() if name not in FIRST}
            # What somebody has filled in by hand stays.
            Book.objects.filter(pk=old.pk).update(**{name: new[name] for name in new if not getattr(old, name)})
