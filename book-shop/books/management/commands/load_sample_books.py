"""manage.py load_sample_books: adds the sample books that are not there yet."""

import json
from pathlib import Path

from django.core.management.base import BaseCommand
from django.db import transaction

from books.models import Book

SAMPLE = Path(__file__).resolve().parents[2] / "sample_books.json"


class Command(BaseCommand):
    """Adds the books of sample_books.json; safe to run again, and what was edited since stays as it is."""

    help = "Add the sample books that are not there yet (same title, author and year); changes no book that is."

    @transaction.atomic
    def handle(self, *args, **options):
        """Print how many books were added and how many were there."""
        books = json.loads(SAMPLE.read_text(encoding="utf-8"))
        added = 0
        for fields in books:
            same = {name: fields[name] for name in ("title", "author", "publishing_year")}
            # Not get_or_create: a second review of the same book is allowed, and would make it fail.
            if Book.objects.filter(**same).exists():
                continue
            book = Book(**fields)
            book.full_clean()
            book.save()
            added += 1
        self.stdout.write(f"{added} sample books added, {len(books) - added} were there already")
