"""Pages by key: a page begins where the one before ended, so that page 10,000 costs what page 1 costs.

The place is a cursor in the address: what the last book shown is sorted by, and its primary key. It is opaque to
readers and checked when it comes back. There is no page number and no count: both would read all rows before.
"""

import base64
import json
import math
from typing import Any, NamedTuple

from django.db.models import CharField, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan

SIZE = 12


class BadCursor(ValueError):
    """The cursor is none of ours, or one of another order."""


class Order(NamedTuple):
    """By which field, and whether the greatest comes first. The primary key, in the same direction, makes it total."""

    field: str
    descending: bool = False

    def of(self, books: QuerySet, backwards: bool = False) -> QuerySet:
        """Return the books in this order, or in its reverse."""
        sign = "-" if self.descending != backwards else ""
        return books.order_by(f"{sign}{self.field}", f"{sign}pk")

    def beyond(self, place: tuple, backwards: bool = False):
        """Return the condition for what follows a place in this order, or in its reverse.

        A comparison of rows, which an index on (field, primary key) answers from one place on.
        """
        lookup = TupleLessThan if self.descending != backwards else TupleGreaterThan
        return lookup(Tuple(self.field, "pk"), place)


class Page(NamedTuple):
    """The books of a page and the cursors of its neighbours, empty where there is none."""

    books: list
    before: str
    after: str


def page(
    books: QuerySet, order: Order, *, after: str = "", before: str = "", size: int = SIZE, few: bool = False
) -> Page:
    """Return the first page, or the one after or before a cursor, in one query. Raises BadCursor.

    With `few` books, named by their keys, it takes two. Asked for the first 25 by a column with an index, PostgreSQL
    would look for the few along all of it. Asked for all of the few, it fetches and sorts them.
    """
    if after and before:
        raise BadCursor("a page is after a place or before one, not both")
    backwards = bool(before)
    if after or before:
        books = books.filter(order.beyond(_place(books, order, after or before), backwards))
    if few:
        keys = list(order.of(books, backwards).values_list("pk", flat=True))
        books = books.filter(pk__in=keys[: size + 1])
    # One more than is shown tells whether there is more.
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
    """Return (value, primary key) of a cursor; whoever made it by hand gets BadCursor for what no book has."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        field, value, pk = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError, RecursionError):
        raise BadCursor("this is no cursor") from None
    if field != order.field:
        raise BadCursor("the cursor is one of another order")
    if not (_is_integer(pk, 63) and _fits(books, order, value)):
        raise BadCursor("no book can be at that place")
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
    except UnicodeEncodeError:  # half of a surrogate pair: JSON can say it, no database can store it
        return False
    return True
