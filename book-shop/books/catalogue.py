"""Which books a reader asks for: filters, sorting, search. Pages and API ask here, so they can't differ."""

from django.utils.translation import gettext_lazy as _

from books import money
from books.models import Book, Category
from books.pages import Order
from books.search import BY_TITLE, Found, search

# One column each, which the primary key follows: each has its index, and one of each category (Book.Meta).
SORTS = {
    "title": Order("title"),
    "newest": Order("publishing_year", descending=True),
    "cheapest": Order("price"),
    "dearest": Order("price", descending=True),
    "best": Order("rating", descending=True),
}
SORT_NAMES = {
    "title": _("title"),
    "newest": _("newest"),
    "cheapest": _("cheapest"),
    "dearest": _("dearest"),
    "best": _("best rated"),
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
    """Return the books asked for and their order: by relevance in a search, else by title, unless `sort` says another.

    Prices are in minor units. They are compared within one currency: whoever names a price or sorts by it sees the
    books sold in that currency only.
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
