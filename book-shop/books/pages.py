"""Keyset pagination: a page begins after the last book of the previous one, so all pages are equally fast.

The cursor in the URL contains the sort value and the primary key of that book. It is opaque to clients, and validated.
There are no page numbers and no total, because both would read all previous rows.
"""

import base64
import json
import math
from typing import Any, NamedTuple

from django.db.models import CharField, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan

SIZE = 12


class BadCursor(ValueError):
    """The cursor is invalid. The message is the reason."""


class Order(NamedTuple):
    """A sort order by a field, and then by the primary key in the same direction."""

    field: str
    descending: bool = False

    def of(self, books: QuerySet, backwards: bool = False) -> QuerySet:
        """Return the books in this order or its reverse."""
        sign = "-" if self.descending != backwards else ""
        return books.order_by(f"{sign}{self.field}", f"{sign}pk")

    def beyond(self, place: tuple, backwards: bool = False):
        """Return the condition for the books after a place in this order or its reverse.

        It is a row comparison, which PostgreSQL answers from an index on (field, primary key).
        """
        lookup = TupleLessThan if self.descending != backwards else TupleGreaterThan
        return lookup(Tuple(self.field, "pk"), place)


class Page(NamedTuple):
    """The books of a page, and the cursors of the previous and next page, empty if there is none."""

    books: list
    before: str
    after: str


def page(
    books: QuerySet, order: Order, *, after: str = "", before: str = "", size: int = SIZE, few: bool = False
) -> Page:
    """Return the first page, or the page after or before a cursor, with one query. Raise BadCursor.

    `few` means that `books` selects few books by their primary keys. With a limit, PostgreSQL could scan the whole
    index of the sort column for them, so a first query sorts the keys of all of them.
    """
    if after and before:
        raise BadCursor("after and before exclude each other")
    backwards = bool(before)
    if after or before:
        books = books.filter(order.beyond(_place(books, order, after or before), backwards))
    if few:
        keys = list(order.of(books, backwards).values_list("pk", flat=True))
        books = books.filter(pk__in=keys[: size + 1])
    # An additional book shows that there is another page.
    found = list(order.of(books, backwards)[: size + 1])
    more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    first, last = (_cursor(order, found[0]), _cursor(order, found[-1])) if found else ("", "")
    return Page(
        found,
        before=first if (more if backwards else after) else "",
        after=last if (more or backwards) else "",
    )


def _cursor(order: Order, book) -> str:
    place = json.dumps([order.field, getattr(book, order.field), book.pk], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _place(books: QuerySet, order: Order, cursor: str) -> tuple[Any, int]:
    """Return the sort value and primary key of a cursor. Raise BadCursor for values that a book cannot have."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        field, value, pk = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError, RecursionError):
        raise BadCursor("the cursor is malformed") from None
    if field != order.field:
        raise BadCursor("the cursor belongs to another sort order")
    if not (_is_integer(pk, 63) and _fits(books, order, value)):
        raise BadCursor("the cursor has an invalid value")
    return value, pk


def _fits(books: QuerySet, order: Order, value) -> bool:
    if order.field in books.query.annotations:
        return isinstance(value, float) and math.isfinite(value)
    field = books.model._meta.get_field(order.field)
    if isinstance(field, CharField):
        return isinstance(value, str) and len(value) <= field.max_length and "\0" not in value and _is_unicode(value)
    return _is_integer(value, 31)


def _is_integer(value, bits: int) -> bool:
    return type(value) is int and 0 <= value < 2**bits


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON can contain half of a surrogate pair, which no database stores
        return False
    return True
