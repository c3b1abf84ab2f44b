"""The orders in the administration: look, ship, cancel."""

from book_shop.pagination import BoundedPaginator
from django.contrib import admin, messages
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from orders import checkout
from orders.models import Order, OrderLine


class OrderLineInline(admin.TabularInline):
    """What was ordered."""

    model = OrderLine
    fields = readonly_fields = ["title", "book", "price_written", "quantity", "total_written"]
    can_delete = False

    def has_add_permission(self, request, obj=None):
        """An order is as it was placed."""
        return False


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    """Find orders and send them on their way; what was ordered is changed by nobody."""

    list_display = ["key", "placed", "status", "name", "city", "total_written"]
    list_filter = ["status", "placed"]
    search_fields = ["=key", "name", "email"]
    search_help_text = _("Number of the order, name or email address.")
    ordering = ["-pk"]  # as they were placed, and the key has an index
    list_per_page = 50
    paginator = BoundedPaginator
    show_full_result_count = False
    view_on_site = False  # that page is the buyer's
    fields = readonly_fields = [
        *["key", "status", "placed", "reader", "name", "email", "street", "postcode", "city", "country"],
        *["payment", "total_written"],
    ]
    inlines = [OrderLineInline]
    actions = ["ship", "cancel"]

    def has_add_permission(self, request):
        """Orders are placed in the shop."""
        return False

    def has_delete_permission(self, request, obj=None):
        """Orders are cancelled, never deleted: they are what was agreed."""
        return False

    @admin.action(description=_("Ship"), permissions=["change"])
    def ship(self, request, orders):
        """Note that the chosen orders are on their way."""
        self._each(request, orders, checkout.ship)

    @admin.action(description=_("Cancel"), permissions=["change"])
    def cancel(self, request, orders):
        """Cancel the chosen orders and put their books back into stock."""
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
            text = ngettext("%(count)d order: done.", "%(count)d orders: done.", done)
            self.message_user(request, text % {"count": done}, messages.SUCCESS)
