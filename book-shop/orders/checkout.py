"""Rules of orders: an order is placed once, from stock, at the displayed price, and is then shipped or cancelled.

Each function runs in a transaction of its own or in that of its caller. Rows are always locked in the same order to
prevent deadlocks: the order, then its books by primary key. READ COMMITTED isolation is sufficient.
"""

import uuid
from collections.abc import Mapping

from books.models import Book
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from orders.cart import Line, quote
from orders.models import Order, OrderLine
from orders.payments import Method


class Refused(Exception):
    """The operation is not allowed, and nothing was changed. `reasons` are texts for the user."""

    def __init__(self, *reasons: str):
        super().__init__(*reasons)
        self.reasons = reasons


@transaction.atomic
def place_order(
    key: uuid.UUID,
    copies: Mapping[int, int],
    shown_total: str,
    address: Mapping[str, str],
    method: Method,
    reader=None,
) -> tuple[Order, bool]:
    """Order {book id: copies}, and return the order and whether it is new.

    The order is inserted before the books are taken from stock, so that a repeated or concurrent request with the same
    key finds it and takes nothing. Raise Refused if `shown_total` is outdated or a book is unavailable.
    """
    now = quote(copies)
    fields = {**address, "payment": method.code, "reader": reader, "currency": now.currency, "total": now.total}
    fields["preview"] = settings.PREVIEW
    order, is_new = Order.objects.get_or_create(key=key, defaults=fields)
    if not is_new:
        return order, False
    if now.faults:
        raise Refused(*now.faults)
    if now.total_written != shown_total:
        raise Refused(_changed())
    for line in now.lines:
        _take(line)
    OrderLine.objects.bulk_create(
        OrderLine(order=order, book=line.book, title=line.title, price=line.book.price, quantity=line.quantity)
        for line in now.lines
    )
    method.place(order)
    return order, True


def _take(line: Line) -> None:
    # A single statement checks and updates, because stock and price could change between two.
    book = Book.objects.filter(
        pk=line.book_id, price=line.book.price, currency=line.book.currency, stock__gte=line.quantity
    )
    if not book.update(stock=F("stock") - line.quantity):
        raise Refused(*quote({line.book_id: line.quantity}).faults or [_changed()])


def _changed() -> str:
    return _("The total has changed since you opened this page. Please check it before you order.")


@transaction.atomic
def cancel(order: Order) -> None:
    """Cancel an order and return its books to stock. Do nothing if it is already cancelled.

    Raise Refused if it was shipped.
    """
    order = Order.objects.select_for_update().get(pk=order.pk)
    if order.status == Order.Status.SHIPPED:
        raise Refused(_("This order has already been shipped and can no longer be cancelled."))
    if order.status == Order.Status.CANCELLED:
        return
    order.status = Order.Status.CANCELLED
    order.save(update_fields=["status"])
    for book_id, quantity in order.lines.order_by("book_id").values_list("book_id", "quantity"):
        Book.objects.filter(pk=book_id).update(stock=F("stock") + quantity)


@transaction.atomic
def ship(order: Order) -> None:
    """Mark an order as shipped. Raise Refused if it was cancelled."""
    order = Order.objects.select_for_update().get(pk=order.pk)
    if order.status == Order.Status.CANCELLED:
        raise Refused(_("This order was cancelled and cannot be shipped."))
    order.status = Order.Status.SHIPPED
    order.save(update_fields=["status"])
