"""Search in titles and authors, with the best match first and correction of typing errors.

PostgreSQL uses full-text search with the column and the word list of migration 0004. SQLite, for development, finds
books that contain all words, sorted by title.
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

# A generated column that exists on PostgreSQL only, so it is not in the model.
INDEXED = Func(template='"books_book"."words"', output_field=SearchVectorField())
# The number of matches to rank. A word such as "the" can match half of the catalogue.
MOST = 200
# The number of words to search for. More are ignored.
WORDS = 10

BY_TITLE = Order("title")
BY_RELEVANCE = Order("relevance", descending=True)

# For each given word, the most similar word of the catalogue by trigrams.
NEAREST = """
SELECT nearest.word FROM unnest(%s::text[]) WITH ORDINALITY AS given (word, place), LATERAL (
    SELECT word FROM books_word WHERE word %% given.word ORDER BY similarity(word, given.word) DESC, word LIMIT 1
) AS nearest ORDER BY given.place
"""


class Found(NamedTuple):
    """The result of a search: the books, their default order, and facts to show to the reader."""

    books: QuerySet
    order: Order
    # The corrected words, if the given ones had no match.
    instead: str = ""
    # There may be more than MOST matches.
    more: bool = False
    # The books are selected by at most MOST primary keys.
    few: bool = False


def search(books: QuerySet, text: str) -> Found:
    """Return at most MOST of these books that match the text, with their relevance."""
    with suppress(ValidationError):
        isbn = re.sub(r"[\s-]", "", text)
        isbn_13(isbn)
        return Found(books.filter(isbn=isbn), BY_TITLE)
    # Repeated words would make the planner expect too few matches and choose a slower plan.
    words = list(dict.fromkeys(re.findall(r"\w+", text.lower())))[:WORDS]
    if not words:
        return Found(books.none(), BY_TITLE)
    if connection.vendor != "postgresql":
        for word in words:
            books = books.filter(Q(title__icontains=word) | Q(author__icontains=word))
        return Found(books, BY_TITLE)
    first, instead = _first(books, words), ""
    # Words that match in the whole catalogue are correct, even if none of these books matches.
    if not first and not _matching(Book.objects, words).exists():
        nearest = _nearest(words)
        if nearest and nearest != words:
            words, instead = nearest, " ".join(nearest)
            first = _first(books, words)
    # Double precision, because the cursor of a page contains it as such.
    relevance = Cast(SearchRank(INDEXED, _query(words)), FloatField())
    found = Book.objects.filter(pk__in=first).annotate(relevance=relevance)
    return Found(found, BY_RELEVANCE, instead, more=len(first) == MOST, few=True)


def _query(words: list[str]) -> SearchQuery:
    return SearchQuery(" ".join(words), config="simple")


def _matching(books: QuerySet, words: list[str]) -> QuerySet:
    return books.alias(words=INDEXED).filter(words=_query(words))


def _first(books: QuerySet, words: list[str]) -> list[int]:
    # A list rather than a subquery keeps the planner from reading all matches of a frequent word. All pages of a search
    # get the same matches, because environment.database turns synchronized scans off.
    return list(_matching(books, words).order_by().values_list("pk", flat=True)[:MOST])


def _nearest(words: list[str]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(NEAREST, [words])
        return [word for (word,) in cursor.fetchall()]
