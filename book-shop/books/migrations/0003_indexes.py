"""An index for each order of the list of books, of all of them and of a category's."""

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
        # Room in each page for the next version of a book: a sale is then written beside the last one.
        OnPostgreSQL("ALTER TABLE books_book SET (fillfactor = 90)", "ALTER TABLE books_book RESET (fillfactor)"),
        *(AddIndexBesideSales("book", models.Index(fields=fields, name=name)) for name, fields in INDEXES.items()),
    ]
