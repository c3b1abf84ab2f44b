"""Selects books by filters, sorting and search, for both the pages and the API."""

from django.utils.translation import gettext_lazy as _

from books import money
from books.models import Book, Category
from books.pages import Order
from books.search import BY_TITLE, Found, search

# Each column has an index with the primary key, and one that begins with the category (Book.Meta).
SORTS = {
    "title": Order("title"),
    "newest": Order("publishing_year", descending=True),
    "cheapest": Order("price"),
    "dearest": Order("price", descending=True),
    "best": Order("rating", descending=True),
}
SORT_NAMES = {
    "title": _("Title"),
    "newest": _("Newest"),
    "cheapest": _("Price: low to high"),
    "dearest": _("Price: high to low"),
    "best": _("Best rated"),
}


def select(
    *,
    q: str = "",
    category: Category | None = None,
    currency: str = money.Currency.EUR,
    price_from: int | None = None,
    price_to: int | None = None,
    in_stock: bool = False,
    sort: str = "",
) -> Found:
    """Return the matching books and their order: `sort`, or by relevance for a search, or by title.

    Prices are in minor units. A price limit or sorting by price selects the books in `currency` only.
    """
    books = Book.objects.all()
    order = SORTS.get(sort)
    if category:
        books = books.filter(category=category)
    if price_from is not None or price_to is not None or (order and order.field == "price"):
        books = books.filter(currency=currency, price__isnull=False)
    if price_from is not None:
        books = books.filter(price__gte=price_from)
    if price_to is not None:
        books = books.filter(price__lte=price_to)
    if in_stock:
        books = books.filter(stock__gt=0)
    found = search(books, q) if q else Found(books, BY_TITLE)
    return found._replace(order=order) if order else found
