"""The rules of an order: it is placed once, with what is there, at the price that was shown; then shipped or cancelled.

Each function is one transaction, or part of the caller's. Rows are locked in one order everywhere, first the order,
then its books by primary key: nobody waits in a circle. READ COMMITTED, PostgreSQL's default, is all it needs.
"""

import uuid
from collections.abc import Mapping

from books.models import Book
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from orders.cart import Line, quote
from orders.models import Order, OrderLine
from orders.payments import Method


class Refused(Exception):
    """It can't be done, and nothing was changed; `reasons` are sentences for whoever asked."""

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
    """Order so many copies of these books, {id: copies}, and return the order and whether it is new.

    The order comes first: the same key sent again, or at the same time, meets it and takes nothing more. `shown_total`
    is the total as the buyer saw it written. Raises Refused when that is no longer the total, or a book is not to be
    had: then nothing was taken.
    """
    now = quote(copies)
    fields = {**address, "payment": method.code, "reader": reader, "currency": now.currency, "total": now.total}
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
    # One statement looks and takes: between two, somebody else could be faster, or the price another.
    book = Book.objects.filter(
        pk=line.book_id, price=line.book.price, currency=line.book.currency, stock__gte=line.quantity
    )
    if not book.update(stock=F("stock") - line.quantity):
        raise Refused(*quote({line.book_id: line.quantity}).faults or [_changed()])


def _changed() -> str:
    return _("The total has changed since you saw it: please look at it again before you order.")


@transaction.atomic
def cancel(order: Order) -> None:
    """Cancel an order and put its books back into stock; one that is cancelled stays so.

    Raises Refused when it is on its way already.
    """
    order = Order.objects.select_for_update().get(pk=order.pk)
    if order.status == Order.Status.SHIPPED:
        raise Refused(_("The order is on its way already, too late to cancel it."))
    if order.status == Order.Status.CANCELLED:
        return
    order.status = Order.Status.CANCELLED
    order.save(update_fields=["status"])
    for book_id, quantity in order.lines.order_by("book_id").values_list("book_id", "quantity"):
        Book.objects.filter(pk=book_id).update(stock=F("stock") + quantity)


@transaction.atomic
def ship(order: Order) -> None:
    """Note that an order is on its way; one that is stays so. Raises Refused when it was cancelled."""
    order = Order.objects.select_for_update().get(pk=order.pk)
    if order.status == Order.Status.CANCELLED:
        raise Refused(_("The order was cancelled, it can't be shipped."))
    order.status = Order.Status.SHIPPED
    order.save(update_fields=["status"])
