"""manage.py load_sample_books: add missing sample books."""

import json
from pathlib import Path

from django.core.management.base import BaseCommand
from django.db import transaction

from books.importing import Shelves
from books.models import Book

SAMPLE = Path(__file__).resolve().parents[2] / "sample_books.json"

# The fields of the first release, which did not sell books yet.
FIRST = ["title", "author", "publishing_year", "rating", "reviewer"]


class Command(BaseCommand):
    """Adds the books of sample_books.json. It can be repeated, and keeps edited fields."""

    help = (
        "Add the sample books that do not exist yet (by title, author and year). An existing book without ISBN and "
        "price comes from the first release, so its empty fields are filled in."
    )

    @transaction.atomic
    def handle(self, *args, **options):
        """Print the number of added and existing books."""
        books = json.loads(SAMPLE.read_text(encoding="utf-8"))
        shelves, added = Shelves(), 0
        for fields in books:
            fields["category_id"] = shelves[fields.pop("category")]
            same = Book.objects.filter(**{name: fields[name] for name in ("title", "author", "publishing_year")})
            # Several books may match, which would make get_or_create fail.
            if same.exists():
                self.fill(same, fields)
                continue
            book = Book(**fields)
            book.full_clean()
            book.save()
            added += 1
        self.stdout.write(f"{added} sample books added, {len(books) - added} already present")

    def fill(self, same, fields):
        """Fill in the empty fields of the oldest of these books, unless another book has the ISBN."""
        old = same.filter(isbn=None, price=None).order_by("pk").first()
        if old and not Book.objects.filter(isbn=fields["isbn"]).exists():
            new = {name: value for name, value in fields.items() if name not in FIRST}
            Book.objects.filter(pk=old.pk).update(**{name: new[name] for name in new if not getattr(old, name)})
