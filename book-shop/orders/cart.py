"""The cart of a visitor, stored in the session as {book id: copies}.

Prices and stock are read from the database each time, so that the cart never shows outdated ones.
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
    """A line of the cart. `book` is None if the book was deleted."""

    book_id: int
    quantity: int
    book: Book | None

    @property
    def title(self) -> str:
        """Return the title of the book, empty if it was deleted."""
        return self.book.title if self.book else ""

    @property
    def price_written(self) -> str:
        """Return the price of one copy as text, empty if the book is not for sale."""
        return self.book.price_written if self.book else ""

    @property
    def fault(self) -> str:
        """Return why these copies cannot be bought, as a text for the visitor, or an empty text if they can."""
        if self.book is None:
            return _("A book in your cart is no longer available. Please remove it.")
        if self.book.price is None:
            return _("“%(title)s” is not for sale at the moment. Please remove it.") % {"title": self.title}
        if self.book.stock == 0:
            return _("“%(title)s” is sold out. Please remove it.") % {"title": self.title}
        if self.book.stock < self.quantity:
            text = ngettext(
                "Only %(stock)d copy of “%(title)s” is left. Please order fewer.",
                "Only %(stock)d copies of “%(title)s” are left. Please order fewer.",
                self.book.stock,
            )
            return text % {"stock": self.book.stock, "title": self.title}
        return ""

    @property
    def total(self) -> int:
        """Return the price of all copies in minor units."""
        return self.quantity * ((self.book and self.book.price) or 0)

    @property
    def total_written(self) -> str:
        """Return the price of all copies as text."""
        return "" if self.book is None or self.book.price is None else money.written(self.total, self.book.currency)


@dataclass(frozen=True)
class Quote:
    """The current prices of a cart, sorted by primary key of the books."""

    lines: list[Line]

    @property
    def currencies(self) -> set[str]:
        """Return the currencies of the books."""
        return {line.book.currency for line in self.lines if line.book}

    @property
    def faults(self) -> list[str]:
        """Return why the cart cannot be ordered, as texts for the visitor. The list is empty if it can."""
        if not self.lines:
            return [_("Your cart is empty.")]
        faults = [line.fault for line in self.lines if line.fault]
        if len(self.currencies) > 1:
            faults.append(
                _("An order has one currency, but these books have %(currencies)s. Please order them separately.")
                % {"currencies": ", ".join(sorted(self.currencies))}
            )
        return faults

    @property
    def currency(self) -> str:
        """Return the currency of the total."""
        return min(self.currencies, default=money.Currency.EUR)

    @property
    def total(self) -> int:
        """Return the total in minor units."""
        return sum(line.total for line in self.lines)

    @property
    def total_written(self) -> str:
        """Return the total as text, empty unless there is exactly one currency."""
        return money.written(self.total, self.currency) if len(self.currencies) == 1 else ""


def quote(copies: Mapping[int, int]) -> Quote:
    """Return the current prices of {book id: copies}, with one query."""
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
        """Set the number of copies of a book.

        Raise ValidationError with a text for the visitor, and leave the cart unchanged, if that many cannot be bought.
        """
        held = self.copies
        if copies > MOST_COPIES:
            raise ValidationError(
                _("You can order at most %(most)d copies of a book at a time."), params={"most": MOST_COPIES}
            )
        if book.pk not in held and len(held) >= MOST_BOOKS:
            raise ValidationError(
                _("Your cart can hold at most %(most)d different books. Please order these first."),
                params={"most": MOST_BOOKS},
            )
        if fault := Line(book.pk, copies, book).fault:
            raise ValidationError(fault)
        self._store(held | {book.pk: copies})

    def remove(self, book_id: int) -> None:
        """Remove a book from the cart."""
        self._store({pk: copies for pk, copies in self.copies.items() if pk != book_id})

    def empty(self) -> None:
        """Remove all books from the cart."""
        self._store({})

    def _store(self, copies: Mapping[int, int]) -> None:
        self._session["cart"] = {str(pk): copies for pk, copies in copies.items()}


def shown(request):
    """Context processor: add the size of the cart and its limit. Only pages that show the size load the session."""
    return {"cart_count": lambda: len(Cart(request.session)), "most_copies": MOST_COPIES}
