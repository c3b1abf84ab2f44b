"""An index for each sort order of the list of books, with and without a category."""

from django.db import migrations, models

from books.operations import AddIndexBesideSales, OnPostgreSQL

INDEXES = {
    "book_title": ["title", "id"],
    "book_year": ["publishing_year", "id"],
    "book_rating": ["rating", "id"],
    "book_price": ["currency", "price", "id"],
    "book_category_title": ["category", "title", "id"],
    "book_category_year": ["category", "publishing_year", "id"],
    "book_category_rating": ["category", "rating", "id"],
    "book_category_price": ["category", "currency", "price", "id"],
}


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("books", "0002_shop")]

    operations = [
        # Free space in each page lets PostgreSQL store the new version of a row in the same page (a heap-only update).
        OnPostgreSQL("ALTER TABLE books_book SET (fillfactor = 90)", "ALTER TABLE books_book RESET (fillfactor)"),
        *(AddIndexBesideSales("book", models.Index(fields=fields, name=name)) for name, fields in INDEXES.items()),
    ]
