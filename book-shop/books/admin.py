"""The books in the administration."""

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
    """Books or reviews of one rating; which there are is known, Django would look for them in every row."""

    title = _("rating")
    parameter_name = "rating"

    def lookups(self, request, model_admin):
        """Return what can be chosen."""
        return [(str(rating), str(rating)) for rating in range(Book.MAX_RATING + 1)]

    def queryset(self, request, queryset):
        """Return those of the rating chosen."""
        known = dict(self.lookup_choices)
        return queryset.filter(rating=self.value()) if self.value() in known else queryset


class ForSale(admin.SimpleListFilter):
    """Books that have a price, and those that have none."""

    title = _("for sale")
    parameter_name = "for_sale"

    def lookups(self, request, model_admin):
        """Return what can be chosen."""
        return [("yes", _("yes")), ("no", _("no"))]

    def queryset(self, request, queryset):
        """Return those chosen."""
        without = {"yes": False, "no": True}.get(self.value())
        return queryset if without is None else queryset.filter(price__isnull=without)


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    """Find, sort and edit books, their prices and their stock."""

    list_display = ["title", "author", "publishing_year", "category", "price_written", "stock", "rating", "reviewer"]
    list_filter = [Rating, ForSale, "currency", "category"]
    list_select_related = ["category"]
    # What has an index; any other order would read all books first.
    sortable_by = ["title", "publishing_year"]
    search_fields = ["title", "author", "isbn"]
    search_help_text = _("Title, author or ISBN.")
    autocomplete_fields = ["category"]
    list_per_page = 50
    paginator = BoundedPaginator
    show_full_result_count = False

    def get_search_results(self, request, queryset, search_term):
        """Return what the shop's own search finds: Django's would look into every book."""
        return (search(queryset, search_term).books if search_term.strip() else queryset), False

    @admin.display(description=_("price"))
    def price_written(self, book):
        """Return the price as people read it."""
        return book.price_written


@admin.register(Review)
class ReviewAdmin(admin.ModelAdmin):
    """Find readers' reviews and delete those that don't belong here; nobody changes another's words."""

    list_display = ["book", "reader", "rating", "written"]
    list_filter = [Rating]
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
