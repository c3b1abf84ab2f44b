"""The books in the administration."""

from book_shop.pagination import BoundedPaginator
from django.contrib import admin

from books.models import Book, Review


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    """Find, sort and edit books."""

    list_display = ["title", "author", "publishing_year", "rating", "reviewer", "price_written", "stock"]
    list_filter = ["rating"]
    search_fields = ["title", "author", "reviewer"]
    list_per_page = 50
    paginator = BoundedPaginator
    show_full_result_count = False


@admin.register(Review)
class ReviewAdmin(admin.ModelAdmin):
    """Find readers' reviews and delete those that don't belong here; nobody changes another's words."""

    list_display = ["book", "reader", "rating", "written"]
    list_filter = ["rating"]
    list_select_related = ["book", "reader"]
    search_fields = ["book__title", "reader__username"]
    ordering = ["-pk"]
    list_per_page = 50
    paginator = BoundedPaginator
    show_full_result_count = False

    def has_add_permission(self, request):
        """Readers write in the shop."""
        return False

    def has_change_permission(self, request, obj=None):
        """What somebody wrote stays theirs."""
        return False
