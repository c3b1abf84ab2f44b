"""Books from a file: rows read one by one, checked by the rules of the model, written in batches.

A row is a mapping of columns to texts. The rules are those of the administration's form; what a file says otherwise is:
prices as decimals ("12.50"), categories by name, ISBNs with hyphens if it likes.
"""

import csv
import json
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from itertools import groupby
from typing import BinaryIO, NamedTuple

from django.core.exceptions import ValidationError
from django.db import reset_queries, transaction
from django.utils.text import slugify

from books import money
from books.models import Book, Category

REQUIRED = ["isbn", "title", "author", "publishing_year", "rating", "reviewer"]
COLUMNS = [*REQUIRED, "publisher", "description", "category", "cover", "price", "currency", "stock"]
# What a file of rejected rows has besides: it can be mended and imported.
NOTES = ["line", "reason", "text"]

BATCH = 1000
LONGEST_LINE = 1_000_000  # bytes


class NoCatalogue(ValueError):
    """The file as a whole is none that can be imported; says why."""


class Row(NamedTuple):
    """A row: the line it begins in and its columns; or what keeps it from being one, and its text."""

    line: int
    columns: dict[str, str]
    fault: str = ""
    text: str = ""


def lines(file: BinaryIO) -> Iterator[str]:
    """Yield the lines of a UTF-8 file; other bytes stay as they are. Raises NoCatalogue for endless ones."""
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise NoCatalogue(f"line {number} is longer than {LONGEST_LINE} bytes")
        yield line.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape")


def csv_rows(file: BinaryIO) -> Iterator[Row]:
    """Yield the rows of a CSV file (RFC 4180) whose first line names the columns. Raises NoCatalogue."""
    taken: list[str] = []  # the lines of a row: a quoted cell may have several

    def noted():
        for line in lines(file):
            taken.append(line)
            yield line

    reader = csv.reader(noted(), strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise NoCatalogue(f"line 1 names no columns: {error}") from None
    _check_columns(names)
    while True:
        taken.clear()
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(line, {}, str(error), "".join(taken))
            continue
        if len(cells) == len(names):
            yield Row(line, dict(zip(names, cells, strict=True)))
        elif cells:
            yield Row(line, {}, f"{len(cells)} cells for {len(names)} columns", "".join(taken))


def _check_columns(names: list[str]) -> None:
    if missing := [name for name in REQUIRED if name not in names]:
        raise NoCatalogue(f"line 1 lacks the columns {', '.join(missing)}")
    if unknown := [name for name in names if name not in COLUMNS + NOTES]:
        raise NoCatalogue(f"line 1 has unknown columns: {', '.join(unknown)}; known are {', '.join(COLUMNS)}")
    if len(set(names)) < len(names):
        raise NoCatalogue("line 1 names a column twice")


def json_rows(file: BinaryIO) -> Iterator[Row]:
    """Yield the rows of a file with a JSON object on each line (jsonlines.org). Raises NoCatalogue."""
    for number, line in enumerate(lines(file), 1):
        if line.strip():
            try:
                yield Row(number, _columns(json.loads(line)))
            except (ValueError, RecursionError) as error:
                yield Row(number, {}, str(error), line)


def _columns(found) -> dict[str, str]:
    if not isinstance(found, dict):
        raise ValueError("This is no JSON object.")
    if unknown := [name for name in found if name not in COLUMNS + NOTES]:
        raise ValueError(f"unknown columns: {', '.join(unknown)}; known are {', '.join(COLUMNS)}")
    if odd := [name for name, value in found.items() if type(value) not in (str, int, float, type(None))]:
        raise ValueError(f"neither text nor number: {', '.join(odd)}")
    return {name: "" if value is None else str(value) for name, value in found.items()}


READERS = {"csv": csv_rows, "jsonl": json_rows}


class Shelves(dict):
    """The keys of categories by name; one that is missing is made."""

    def __missing__(self, name: str) -> int:
        stem = slugify(name)[:90] or "category"
        slug, number = stem, 1
        while Category.objects.filter(slug=slug).exclude(name=name).exists():
            number += 1
            slug = f"{stem}-{number}"
        self[name] = Category.objects.get_or_create(name=name, defaults={"slug": slug})[0].pk
        return self[name]


def parse(columns: dict[str, str], shelves: Shelves) -> Book:
    """Return the book of a row, not saved, its category made when there is none. Raises ValidationError."""
    given = {name: value.strip() for name, value in columns.items() if name in COLUMNS}
    if missing := [name for name in REQUIRED if not given.get(name)]:
        raise ValidationError(dict.fromkeys(missing, "This is missing."))
    for name, value in given.items():
        if "\0" in value:
            raise ValidationError({name: "There is a NUL character in it."})
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValidationError({name: "This is not UTF-8."}) from None
    category, price = given.pop("category", ""), given.pop("price", "")
    if not given.get("currency"):
        given["currency"] = money.Currency.EUR
    if not given.get("stock"):
        given["stock"] = "0"
    given["isbn"] = given["isbn"].replace("-", "").replace(" ", "")
    book = Book(**given)
    # What it refuses is what the form of the administration refuses; it turns texts into numbers as well.
    book.clean_fields(exclude=["category", "price"])
    if price:
        try:
            book.price = money.minor(Decimal(price), book.currency)
        except InvalidOperation:
            raise ValidationError({"price": "This is no amount like 12.50."}) from None
        except ValueError as error:
            raise ValidationError({"price": str(error)}) from None
        book.clean_fields(exclude=[field.name for field in Book._meta.fields if field.name != "price"])
    if category:
        try:
            Category(name=category).clean_fields(exclude=["slug"])
        except ValidationError as error:
            raise ValidationError({"category": error.messages}) from None
        book.category_id = shelves[category]
    return book


def fields_of(columns: dict[str, str]) -> frozenset[str]:
    """Return which fields of a book a row sets. A price without a currency is one in EUR."""
    fields = columns.keys() & set(COLUMNS) - {"isbn"}
    return frozenset(fields | {"currency"} if "price" in fields else fields)


class Counts(NamedTuple):
    """How many books were new, changed, or just as the file has them."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0

    def __add__(self, other):
        return Counts(*map(sum, zip(self, other, strict=True)))


def write(books: dict[str, tuple[Book, frozenset]], with_stock: bool) -> Counts:
    """Write a batch, in one transaction: books by their ISBN, each with the columns that its row has.

    A book that is there gets what the row has, and keeps everything else; its stock too, unless `with_stock`, because
    the shop has sold some of it since.
    """
    with transaction.atomic():
        there = Book.objects.in_bulk(list(books), field_name="isbn")
        new, changed = [], []
        for isbn, (book, columns) in books.items():
            if isbn not in there:
                new.append((book, columns))
                continue
            book.pk = there[isbn].pk
            columns = columns if with_stock else columns - {"stock"}
            if any(_value(book, name) != _value(there[isbn], name) for name in columns):
                changed.append((book, columns))
        # In the order in which a sale locks them, so that neither waits for the other while the other waits for it.
        # With their keys: an INSERT that ends as an UPDATE would use up a new one.
        _upsert(sorted(changed, key=lambda pair: pair[0].pk), "pk", with_stock)
        _upsert(sorted(new, key=lambda pair: pair[0].isbn), "isbn", with_stock)
    reset_queries()  # with DEBUG=1 Django keeps every statement, and these are long
    return Counts(len(new), len(changed), len(books) - len(new) - len(changed))


def _value(book: Book, name: str):
    return getattr(book, Book._meta.get_field(name).attname)


def _upsert(pairs: list[tuple[Book, frozenset]], key: str, with_stock: bool) -> None:
    for columns, group in groupby(pairs, key=lambda pair: pair[1]):
        changes = sorted(columns if with_stock else columns - {"stock"})
        Book.objects.bulk_create(
            [book for book, _ in group], update_conflicts=True, unique_fields=[key], update_fields=changes
        )
