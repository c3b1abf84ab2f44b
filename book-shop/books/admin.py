"""The books in the administration."""

from django.contrib import admin

from books.models import Book


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    """Find, sort and edit books."""

    list_display = ["title", "author", "publishing_year", "rating", "reviewer"]
    list_filter = ["rating"]
    search_fields = ["title", "author", "reviewer"]
    list_per_page = 50
