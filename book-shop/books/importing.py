"""Import of books: reads rows one by one, validates them with the model, and writes them in batches.

The fields of a row follow the rules of the admin's form, except that prices are decimals ("12.50"), categories are
names, and ISBNs may contain hyphens.
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
# Additional columns of a file of rejected rows. Imports ignore them, so the corrected file can be imported.
NOTES = ["line", "reason", "text"]

BATCH = 1000
LONGEST_LINE = 1_000_000  # bytes


class InvalidFile(ValueError):
    """The file cannot be imported. The message is the reason."""


class Row(NamedTuple):
    """A row with its first line number and its columns, or with the fault and text of one that cannot be read."""

    line: int
    columns: dict[str, str]
    fault: str = ""
    text: str = ""


def lines(file: BinaryIO) -> Iterator[str]:
    """Yield the lines of a UTF-8 file, with surrogates for invalid bytes. Raise InvalidFile if a line is too long."""
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise InvalidFile(f"line {number} is longer than {LONGEST_LINE} bytes")
        yield line.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape")


def csv_rows(file: BinaryIO) -> Iterator[Row]:
    """Yield the rows of a CSV file (RFC 4180) with column names in its first line. Raise InvalidFile."""
    taken: list[str] = []  # the lines of the current row, whose quoted cells may contain line breaks

    def noted():
        for line in lines(file):
            taken.append(line)
            yield line

    reader = csv.reader(noted(), strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise InvalidFile(f"line 1 has no column names: {error}") from None
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
        raise InvalidFile(f"line 1 is missing the columns {', '.join(missing)}")
    if unknown := [name for name in names if name not in COLUMNS + NOTES]:
        raise InvalidFile(f"line 1 has unknown columns: {', '.join(unknown)}. Known columns: {', '.join(COLUMNS)}")
    if len(set(names)) < len(names):
        raise InvalidFile("line 1 has a duplicate column")


def json_rows(file: BinaryIO) -> Iterator[Row]:
    """Yield the rows of a file with a JSON object on each line (jsonlines.org). Raise InvalidFile."""
    for number, line in enumerate(lines(file), 1):
        if line.strip():
            try:
                yield Row(number, _columns(json.loads(line)))
            except (ValueError, RecursionError) as error:
                yield Row(number, {}, str(error), line)


def _columns(found) -> dict[str, str]:
    if not isinstance(found, dict):
        raise ValueError("expected a JSON object")
    if unknown := [name for name in found if name not in COLUMNS + NOTES]:
        raise ValueError(f"unknown columns: {', '.join(unknown)}. Known columns: {', '.join(COLUMNS)}")
    if odd := [name for name, value in found.items() if type(value) not in (str, int, float, type(None))]:
        raise ValueError(f"expected text or a number: {', '.join(odd)}")
    return {name: "" if value is None else str(value) for name, value in found.items()}


READERS = {"csv": csv_rows, "jsonl": json_rows}


class Shelves(dict):
    """The primary keys of categories by name. Creates missing categories."""

    def __missing__(self, name: str) -> int:
        stem = slugify(name)[:90] or "category"
        slug, number = stem, 1
        while Category.objects.filter(slug=slug).exclude(name=name).exists():
            number += 1
            slug = f"{stem}-{number}"
        self[name] = Category.objects.get_or_create(name=name, defaults={"slug": slug})[0].pk
        return self[name]


def parse(columns: dict[str, str], shelves: Shelves) -> Book:
    """Return the unsaved book of a row, and create its category if it is new. Raise ValidationError."""
    given = {name: value.strip() for name, value in columns.items() if name in COLUMNS}
    if missing := [name for name in REQUIRED if not given.get(name)]:
        raise ValidationError(dict.fromkeys(missing, "This field is required."))
    for name, value in given.items():
        if "\0" in value:
            raise ValidationError({name: "NUL characters are not allowed."})
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValidationError({name: "This is not valid UTF-8."}) from None
    category, price = given.pop("category", ""), given.pop("price", "")
    if not given.get("currency"):
        given["currency"] = money.Currency.EUR
    if not given.get("stock"):
        given["stock"] = "0"
    given["isbn"] = given["isbn"].replace("-", "").replace(" ", "")
    book = Book(**given)
    # Also converts the text of number fields.
    book.clean_fields(exclude=["category", "price"])
    if price:
        try:
            book.price = money.minor(Decimal(price), book.currency)
        except InvalidOperation:
            raise ValidationError({"price": "Enter an amount such as 12.50."}) from None
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
    """Return the fields that a row sets. A price without a currency also sets the currency, to EUR."""
    fields = columns.keys() & set(COLUMNS) - {"isbn"}
    return frozenset(fields | {"currency"} if "price" in fields else fields)


class Counts(NamedTuple):
    """Numbers of imported books."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0

    def __add__(self, other):
        return Counts(*map(sum, zip(self, other, strict=True)))


def write(books: dict[str, tuple[Book, frozenset]], with_stock: bool) -> Counts:
    """Write a batch of books, with the fields that their rows set, in one transaction. The keys are ISBNs.

    An existing book keeps its other fields. It also keeps its stock unless `with_stock`, because copies may have been
    sold since the file was made.
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
        # Sales lock books in the same order, which prevents deadlocks. With a primary key in the INSERT, an update does
        # not take a new one from the sequence.
        _upsert(sorted(changed, key=lambda pair: pair[0].pk), "pk", with_stock)
        _upsert(sorted(new, key=lambda pair: pair[0].isbn), "isbn", with_stock)
    reset_queries()  # with DEBUG=1, Django keeps all statements in memory
    return Counts(len(new), len(changed), len(books) - len(new) - len(changed))


def _value(book: Book, name: str):
    return getattr(book, Book._meta.get_field(name).attname)


def _upsert(pairs: list[tuple[Book, frozenset]], key: str, with_stock: bool) -> None:
    for columns, group in groupby(pairs, key=lambda pair: pair[1]):
        changes = sorted(columns if with_stock else columns - {"stock"})
        Book.objects.bulk_create(
            [book for book, _ in group], update_conflicts=True, unique_fields=[key], update_fields=changes
        )
