"""The admin of books, categories and reviews."""

from book_shop.pagination import BoundedPaginator
from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from books.models import Book, Category, Review
from books.search import search


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):
    """Find and edit categories."""

    list_display = ["name", "slug"]
    search_fields = ["name"]
    prepopulated_fields = {"slug": ["name"]}


class Rating(admin.SimpleListFilter):
    """Filters books or reviews by rating. Django's own filter would read every row to list the ratings."""

    title = _("rating")
    parameter_name = "rating"

    def lookups(self, request, model_admin):
        """Return the choices."""
        return [(str(rating), str(rating)) for rating in range(Book.MAX_RATING + 1)]

    def queryset(self, request, queryset):
        """Return the rows with the selected rating."""
        known = dict(self.lookup_choices)
        return queryset.filter(rating=self.value()) if self.value() in known else queryset


class ForSale(admin.SimpleListFilter):
    """Filters books by whether they have a price."""

    title = _("for sale")
    parameter_name = "for_sale"

    def lookups(self, request, model_admin):
        """Return the choices."""
        return [("yes", _("yes")), ("no", _("no"))]

    def queryset(self, request, queryset):
        """Return the books that match the selected choice."""
        without = {"yes": False, "no": True}.get(self.value())
        return queryset if without is None else queryset.filter(price__isnull=without)


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    """Find, sort and edit books."""

    list_display = ["title", "author", "publishing_year", "category", "price_written", "stock", "rating", "reviewer"]
    list_filter = [Rating, ForSale, "currency", "category"]
    list_select_related = ["category"]
    # Only columns with an index: any other order would read all books first.
    sortable_by = ["title", "publishing_year"]
    search_fields = ["title", "author", "isbn"]
    search_help_text = _("Title, author or ISBN.")
    autocomplete_fields = ["category"]
    list_per_page = 50
    paginator = BoundedPaginator
    show_full_result_count = False

    def get_search_results(self, request, queryset, search_term):
        """Search as the shop does. Django's search would read every book."""
        return (search(queryset, search_term).books if search_term.strip() else queryset), False

    @admin.display(description=_("price"))
    def price_written(self, book):
        """Return the price as text."""
        return book.price_written


@admin.register(Review)
class ReviewAdmin(admin.ModelAdmin):
    """Find and delete reviews. Only their readers can change them."""

    list_display = ["book", "reader", "rating", "written"]
    list_filter = [Rating]
    list_select_related = ["book", "reader"]
    search_fields = ["book__title", "reader__username"]
    ordering = ["-pk"]
    list_per_page = 50
    paginator = BoundedPaginator
    show_full_result_count = False

    def has_add_permission(self, request):
        """Return False: readers write reviews in the shop."""
        return False

    def has_change_permission(self, request, obj=None):
        """Return False: the text belongs to the reader."""
        return False
