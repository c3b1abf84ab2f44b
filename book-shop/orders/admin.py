"""The admin of orders: view, ship and cancel."""

from book_shop.pagination import BoundedPaginator
from django.contrib import admin, messages
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from orders import checkout
from orders.models import Order, OrderLine


class OrderLineInline(admin.TabularInline):
    """The lines of an order, read-only."""

    model = OrderLine
    fields = readonly_fields = ["title", "book", "price_written", "quantity", "total_written"]
    can_delete = False

    def has_add_permission(self, request, obj=None):
        """Return False: the lines of an order never change."""
        return False


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    """Find, ship and cancel orders. All fields are read-only."""

    list_display = ["key", "placed", "status", "preview", "name", "city", "total_written"]
    list_filter = ["status", "preview", "placed"]
    search_fields = ["=key", "name", "email"]
    search_help_text = _("Order number, name or email address.")
    ordering = ["-pk"]  # the order in which they were placed, with an index
    list_per_page = 50
    paginator = BoundedPaginator
    show_full_result_count = False
    view_on_site = False  # only the buyer can open the page
    fields = readonly_fields = [
        *["key", "status", "preview", "placed", "reader", "name", "email", "street", "postcode", "city", "country"],
        *["payment", "total_written"],
    ]
    inlines = [OrderLineInline]
    actions = ["ship", "cancel"]

    def has_add_permission(self, request):
        """Return False: orders are placed in the shop."""
        return False

    def has_delete_permission(self, request, obj=None):
        """Return False: orders are cancelled, but never deleted."""
        return False

    @admin.action(description=_("Ship"), permissions=["change"])
    def ship(self, request, orders):
        """Mark the selected orders as shipped."""
        self._each(request, orders, checkout.ship)

    @admin.action(description=_("Cancel"), permissions=["change"])
    def cancel(self, request, orders):
        """Cancel the selected orders and return their books to stock."""
        self._each(request, orders, checkout.cancel)

    def _each(self, request, orders, change):
        done = 0
        for order in orders.order_by("pk"):
            try:
                change(order)
                done += 1
            except checkout.Refused as refusal:
                self.message_user(request, f"{order}: {' '.join(refusal.reasons)}", messages.ERROR)
        if done:
            text = ngettext("%(count)d order updated.", "%(count)d orders updated.", done)
            self.message_user(request, text % {"count": done}, messages.SUCCESS)
