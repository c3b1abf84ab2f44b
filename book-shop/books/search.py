"""Search: the words of title and author, the best match first, typing errors forgiven.

On PostgreSQL by full text, with the column, the words and the triggers of migration 0004. On SQLite, for development,
each word somewhere in title or author, in the order of titles.
"""

import re
from contextlib import suppress
from typing import NamedTuple

from django.contrib.postgres.search import SearchQuery, SearchRank, SearchVectorField
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import FloatField, Func, Q, QuerySet
from django.db.models.functions import Cast

from books.models import Book, isbn_13
from books.pages import Order

# A column that PostgreSQL fills and Django's model does not know: SQLite has none.
INDEXED = Func(template='"books_book"."words"', output_field=SearchVectorField())
# Only so many matches are looked at: nobody reads further, and "the" matches half of the shop.
MOST = 200
# Words beyond which a search is a text.
WORDS = 10

BY_TITLE = Order("title")
BY_RELEVANCE = Order("relevance", descending=True)

# The word of the shop that is most like each given one, trigram by trigram; itself, when the shop has it.
NEAREST = """
SELECT nearest.word FROM unnest(%s::text[]) WITH ORDINALITY AS given (word, place), LATERAL (
    SELECT word FROM books_word WHERE word %% given.word ORDER BY similarity(word, given.word) DESC, word LIMIT 1
) AS nearest ORDER BY given.place
"""


class Found(NamedTuple):
    """The books found, the order for a reader who chose none, and what the reader should know of the search."""

    books: QuerySet
    order: Order
    # The words searched in place of mistyped ones.
    instead: str = ""
    # There are more matches than MOST, and these are some of them.
    more: bool = False
    # They are MOST or fewer, named one by one.
    few: bool = False


def search(books: QuerySet, text: str) -> Found:
    """Return which of these books a reader means by this text, at most MOST of them, with their relevance."""
    with suppress(ValidationError):
        isbn = re.sub(r"[\s-]", "", text)
        isbn_13(isbn)
        return Found(books.filter(isbn=isbn), BY_TITLE)
    # PostgreSQL takes a repeated word for one more condition: it expects too few matches, and takes longer.
    words = list(dict.fromkeys(re.findall(r"\w+", text.lower())))[:WORDS]
    if not words:
        return Found(books.none(), BY_TITLE)
    if connection.vendor != "postgresql":
        for word in words:
            books = books.filter(Q(title__icontains=word) | Q(author__icontains=word))
        return Found(books, BY_TITLE)
    first, instead = _first(books, words), ""
    # Asked of the whole shop: a word that it has is no typing error, even if no book on this shelf has it.
    if not first and not _matching(Book.objects, words).exists():
        nearest = _nearest(words)
        if nearest and nearest != words:
            words, instead = nearest, " ".join(nearest)
            first = _first(books, words)
    # Double precision, because the cursor of a page brings it back as such.
    relevance = Cast(SearchRank(INDEXED, _query(words)), FloatField())
    found = Book.objects.filter(pk__in=first).annotate(relevance=relevance)
    return Found(found, BY_RELEVANCE, instead, more=len(first) == MOST, few=True)


def _query(words: list[str]) -> SearchQuery:
    return SearchQuery(" ".join(words), config="simple")


def _matching(books: QuerySet, words: list[str]) -> QuerySet:
    return books.alias(words=INDEXED).filter(words=_query(words))


def _first(books: QuerySet, words: list[str]) -> list[int]:
    # A list, not a subquery: whatever the planner expects and in whatever order they are shown, it can't come to read
    # every book with "the" in its title, or every book. The same ones each time: environment.database has a scan of
    # the table begin at its beginning.
    return list(_matching(books, words).order_by().values_list("pk", flat=True)[:MOST])


def _nearest(words: list[str]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(NEAREST, [words])
        return [word for (word,) in cursor.fetchall()]
