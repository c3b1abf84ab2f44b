"""The cart: what a visitor means to buy, in the session as {book id: copies}.

Prices and stock are read fresh each time, so that nobody pays, or hopes for, what was true an hour ago.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from books import money
from books.models import Book
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

MOST_COPIES = 20  # of one book
MOST_BOOKS = 50


@dataclass(frozen=True)
class Line:
    """So many copies of a book, as the shop has it now; None when it has left the shop."""

    book_id: int
    quantity: int
    book: Book | None

    @property
    def title(self) -> str:
        """Return the book's title; empty when it has left the shop."""
        return self.book.title if self.book else ""

    @property
    def price_written(self) -> str:
        """Return what one copy costs, as people read it; empty when it is not for sale."""
        return self.book.price_written if self.book else ""

    @property
    def fault(self) -> str:
        """Return why these copies can't be bought, as a sentence for the visitor; empty when they can."""
        if self.book is None:
            return _("A book of your cart is no longer in the shop. Please remove it.")
        if self.book.price is None:
            return _("“%(title)s” is not for sale at the moment. Please remove it.") % {"title": self.title}
        if self.book.stock == 0:
            return _("“%(title)s” is sold out. Please remove it.") % {"title": self.title}
        if self.book.stock < self.quantity:
            text = ngettext(
                "Only %(stock)d copy of “%(title)s” is left. Please take fewer.",
                "Only %(stock)d copies of “%(title)s” are left. Please take fewer.",
                self.book.stock,
            )
            return text % {"stock": self.book.stock, "title": self.title}
        return ""

    @property
    def total(self) -> int:
        """Return what the copies cost, in minor units."""
        return self.quantity * ((self.book and self.book.price) or 0)

    @property
    def total_written(self) -> str:
        """Return what the copies cost, as people read it."""
        return "" if self.book is None or self.book.price is None else money.written(self.total, self.book.currency)


@dataclass(frozen=True)
class Quote:
    """What the books of a cart cost at this moment, in the order of their primary keys."""

    lines: list[Line]

    @property
    def currencies(self) -> set[str]:
        """Return the currencies that would have to be paid in."""
        return {line.book.currency for line in self.lines if line.book}

    @property
    def faults(self) -> list[str]:
        """Return why this can't be ordered, as sentences for the visitor; empty when it can."""
        if not self.lines:
            return [_("Your cart is empty.")]
        faults = [line.fault for line in self.lines if line.fault]
        if len(self.currencies) > 1:
            faults.append(
                _("One order has one currency, and these books have %(currencies)s. Please order them separately.")
                % {"currencies": ", ".join(sorted(self.currencies))}
            )
        return faults

    @property
    def currency(self) -> str:
        """Return the currency of the total."""
        return min(self.currencies, default=money.Currency.EUR)

    @property
    def total(self) -> int:
        """Return what all costs, in minor units."""
        return sum(line.total for line in self.lines)

    @property
    def total_written(self) -> str:
        """Return what all costs, as people read it; empty when there is no such sum."""
        return money.written(self.total, self.currency) if len(self.currencies) == 1 else ""


def quote(copies: Mapping[int, int]) -> Quote:
    """Return what so many copies of these books, {id: copies}, cost now. One query."""
    books = Book.objects.in_bulk(copies)
    return Quote([Line(pk, copies[pk], books.get(pk)) for pk in sorted(copies)])


class Cart:
    """The cart of a session."""

    def __init__(self, session):
        self._session = session

    def __len__(self):
        return sum(self.copies.values())

    @property
    def copies(self) -> dict[int, int]:
        """Return {book id: copies}."""
        return {int(pk): copies for pk, copies in self._session.get("cart", {}).items()}

    def put(self, book: Book, copies: int) -> None:
        """Hold so many copies of a book from now on.

        Raises ValidationError, with a sentence for the visitor, when there can't be so many; the cart stays as it was.
        """
        held = self.copies
        if copies > MOST_COPIES:
            raise ValidationError(
                _("At most %(most)d copies of a book can be ordered at once."), params={"most": MOST_COPIES}
            )
        if book.pk not in held and len(held) >= MOST_BOOKS:
            raise ValidationError(
                _("The cart holds at most %(most)d different books. Please order these first."),
                params={"most": MOST_BOOKS},
            )
        if fault := Line(book.pk, copies, book).fault:
            raise ValidationError(fault)
        self._keep(held | {book.pk: copies})

    def remove(self, book_id: int) -> None:
        """Hold no copy of a book any more."""
        self._keep({pk: copies for pk, copies in self.copies.items() if pk != book_id})

    def empty(self) -> None:
        """Hold nothing any more."""
        self._keep({})

    def _keep(self, copies: Mapping[int, int]) -> None:
        self._session["cart"] = {str(pk): copies for pk, copies in copies.items()}


def shown(request):
    """Context processor: how many copies the cart holds, asked only by a page that shows it, and how many it takes."""
    return {"cart_count": lambda: len(Cart(request.session)), "most_copies": MOST_COPIES}
