"""Read-only JSON API of the catalogue, described at /api/openapi.json (OpenAPI 3.1).

It returns the same books in the same order as the pages. Prices are in minor units. Invalid parameters return 422 and
missing objects 404, with the reason in `detail`.
"""

from typing import Annotated, Literal

from django.shortcuts import get_object_or_404
from ninja import Field, NinjaAPI, Path, Query, Schema
from ninja.errors import HttpError, ValidationError
from pydantic import StringConstraints

from books import money
from books.catalogue import SORTS, select
from books.models import Book, Category
from books.pages import BadCursor, page

HIGHEST = 2**31 - 1  # the highest price
# PostgreSQL does not accept NUL characters.
Text = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
Cursor = Annotated[str, StringConstraints(max_length=2000)]
Price = Annotated[int, Field(ge=0, le=HIGHEST)]

api = NinjaAPI(
    title="Book Shop",
    version="1",
    description="The catalogue. More than ten requests per second from one client are answered with status 429.",
    docs_url=None,  # the page would load scripts from other sites
)


class Problem(Schema):
    """An error."""

    detail: str


class CategoryOut(Schema):
    """A category."""

    name: str
    slug: str


class BookOut(Schema):
    """A book. `price` is in minor units of `currency` (cents, fils), or null if the book is not for sale."""

    id: int
    isbn: str | None
    title: str
    author: str
    publisher: str
    publishing_year: int
    description: str
    category: CategoryOut | None
    cover: str
    price: int | None
    currency: str
    stock: int
    rating: int
    reviewer: str
    readers_rating: float | None
    review_count: int


class BooksOut(Schema):
    """A page of books. `after` and `before` are the cursors of the next and previous page, or null.

    `instead` contains the corrected words if the given ones had no match.
    """

    books: list[BookOut]
    after: str | None
    before: str | None
    instead: str | None


class BooksIn(Schema):
    """The filter of books. Prices are in minor units of `currency`."""

    q: Text = ""
    category: Text = Field("", description="The slug of a category.")
    currency: Literal[tuple(money.Currency.values)] = money.Currency.EUR.value
    price_from: Price | None = None
    price_to: Price | None = None
    in_stock: bool = False
    sort: Literal[("", *SORTS)] = Field(
        "", description="By default, a search is sorted by relevance, and other lists by title."
    )


class PageIn(Schema):
    """The cursor of a page. Without one, the first page is returned."""

    after: Cursor = ""
    before: Cursor = ""


@api.exception_handler(ValidationError)
def invalid(request, error):
    """Return 422 with the errors of the parameters."""
    faults = "; ".join(f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors)
    return api.create_response(request, {"detail": faults}, status=422)


@api.get("/books", response={200: BooksOut, 404: Problem, 422: Problem}, summary="Books")
def books(request, asked: Query[BooksIn], where: Query[PageIn]):
    """Return a page of matching books."""
    words = asked.dict()
    words["category"] = get_object_or_404(Category, slug=asked.category) if asked.category else None
    found = select(**words)
    try:
        here = page(found.books.select_related("category"), found.order, few=found.few, **where.dict())
    except BadCursor as error:
        raise HttpError(404, f"Page not found: {error}.") from None
    neighbours = {"after": here.after or None, "before": here.before or None}
    return {"books": here.books, "instead": found.instead or None, **neighbours}


@api.get("/books/{key}", response={200: BookOut, 404: Problem, 422: Problem}, summary="A book")
def book(
    request,
    key: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,19}$")] = Path(description="The ISBN or id of the book."),
):
    """Return one book."""
    isbn = len(key) == 13 and key.startswith(("978", "979"))
    return get_object_or_404(Book.objects.select_related("category"), **{"isbn" if isbn else "pk": key})


@api.get("/categories", response=list[CategoryOut], summary="Categories")
def categories(request):
    """Return all categories."""
    return Category.objects.all()
