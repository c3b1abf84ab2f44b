"""manage.py import_books: import books from a file of any size."""

import codecs
import csv
import json
import math
import os
import sys
from contextlib import contextmanager
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from books.importing import (
    BATCH,
    COLUMNS,
    NOTES,
    READERS,
    REQUIRED,
    Counts,
    InvalidFile,
    Shelves,
    fields_of,
    parse,
    write,
)

SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
STDIN = "-"
# The number of rejected rows to print. The file of rejected rows has all of them.
PRINTED = 20

HELP = f"""
Import books from a file: add new books, and update existing books with the same ISBN.

The file is UTF-8: CSV with column names in the first line, or one JSON object per line. Columns: {", ".join(COLUMNS)}.
The first {len(REQUIRED)} are required. A price is a decimal such as 12.50 in the currency of the row, EUR by default. A
category is a name, and is created if it is new. An existing book keeps the fields that the file has no column for. It
also keeps its stock unless --stock is given.

The import can be repeated, also after an interruption. Exit status: 0 if all rows were imported, 1 if some rows were
rejected and the others imported, 2 if the arguments or the file are invalid.
"""


class Command(BaseCommand):
    """Imports books. Its use of memory does not depend on the size of the file."""

    help = HELP

    def add_arguments(self, parser):
        """Add the arguments."""
        parser.add_argument("file", help=f"the file to import, or {STDIN} for standard input")
        parser.add_argument("--format", choices=READERS, help="by default that of the file name or of standard input")
        parser.add_argument(
            "--rejects",
            help="file for rejected rows with line and reason (default: FILE.rejects; standard input: printed)",
        )
        parser.add_argument("--stock", action="store_true", help="also set the stock of existing books")

    def handle(self, file, **options):
        """Import the file. Print rejected rows to stderr and the totals to stdout."""
        kind = options["format"] or (file == STDIN and format_of(sys.stdin.buffer)) or SUFFIXES.get(Path(file).suffix)
        if not kind:
            why = f'The format of "{file}" is unknown. Pass --format csv or --format jsonl.'
            raise CommandError(why, returncode=2)
        with open_source(file) as source, rejects_of(file, options["rejects"], kind, source) as rejects:
            counts = self.load(source, READERS[kind](source), rejects, options["stock"])
        self.stdout.write(
            f"{counts.added} added, {counts.updated} updated, {counts.unchanged} unchanged, {rejects.count} rejected"
        )
        if rejects.count:
            raise CommandError(f"Some rows were rejected. {rejects.remedy}")

    def load(self, source, rows, rejects, with_stock) -> Counts:
        """Import in batches and return the counts. Raise CommandError if the file is invalid."""
        counts, shelves, batch = Counts(), Shelves(), {}
        # disable=None shows the bar on a terminal only.
        size = os.fstat(source.fileno()).st_size if source.seekable() else None
        with tqdm(total=size, unit="B", unit_scale=True, disable=None, file=sys.stderr) as bar:
            try:
                for row in rows:
                    try:
                        if row.fault:
                            raise ValidationError(row.fault)
                        book = parse(row.columns, shelves)
                    except ValidationError as error:
                        reason = in_one_line(error)
                        rejects.add(row, reason)
                        if rejects.count <= rejects.printed:
                            bar.write(f"line {row.line}: {reason}", file=sys.stderr)
                        continue
                    # A later row for the same book must update it, so it belongs in the next batch.
                    if len(batch) == BATCH or book.isbn in batch:
                        counts += write(batch, with_stock)
                        batch = {}
                        if size is not None:
                            bar.update(source.tell() - bar.n)
                    batch[book.isbn] = (book, fields_of(row.columns))
            except InvalidFile as error:
                counts += write(batch, with_stock)
                done = sum(counts)
                why = f'Cannot import "{source.name}": {error}. The {done} books before that line were imported.'
                raise CommandError(why, returncode=2) from None
            counts += write(batch, with_stock)
            if size is not None:
                bar.update(size - bar.n)
        return counts


def format_of(source) -> str:
    """Return the format of standard input without consuming it: its first character tells a JSON object from CSV."""
    start = source.peek(len(codecs.BOM_UTF8) + 1).removeprefix(codecs.BOM_UTF8).lstrip()
    return "jsonl" if start.startswith(b"{") else "csv"


@contextmanager
def open_source(file: str):
    """Open the file or standard input. Raise CommandError if the file cannot be read."""
    if file == STDIN:
        yield sys.stdin.buffer
        return
    try:
        source = open(file, "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise CommandError(f'Cannot read "{file}": {error.strerror}.', returncode=2) from None
    with source:
        yield source


def rejects_of(file: str, path: str | None, kind: str, source):
    """Return where the rejected rows of a file are kept. `path` is that of --rejects."""
    if file == STDIN and not path:
        return PrintedRejects()
    return Rejects(path or f"{file}.rejects", kind, source)


class PrintedRejects:
    """Rejected rows of standard input, which are all printed: the files of a container are deleted with it."""

    printed = math.inf
    remedy = "Correct them, then import the file again: books that did not change stay as they are."

    def __init__(self):
        self.count = 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def add(self, row, reason: str) -> None:
        """Count the row."""
        self.count += 1


class Rejects:
    """The file of rejected rows, in the format of the import. It is created before the import, and deleted if empty."""

    printed = PRINTED

    def __init__(self, path: str, kind: str, source):
        """Create the file. Raise CommandError if that fails or it is the file to import."""
        self.path, self.count = Path(path), 0
        self.remedy = f'Correct them in "{path}", then import it with --format {kind}.'
        if self.path.exists() and os.path.samestat(self.path.stat(), os.fstat(source.fileno())):
            why = f'Cannot write rejected rows to "{path}": it is the file to import. Pass another --rejects FILE.'
            raise CommandError(why, returncode=2)
        try:
            # surrogateescape writes invalid bytes back unchanged.
            self.file = open(path, "w", encoding="utf-8", errors="surrogateescape", newline="")  # noqa: SIM115 - __exit__
        except OSError as error:
            why = f'Cannot write "{path}": {error.strerror}. Pass another --rejects FILE.'
            raise CommandError(why, returncode=2) from None
        self.rows = csv.DictWriter(self.file, [*NOTES, *COLUMNS]) if kind == "csv" else None
        if self.rows:
            self.rows.writeheader()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()
        if not self.count:
            self.path.unlink()

    def add(self, row, reason: str) -> None:
        """Write a row with its line number and the reason."""
        self.count += 1
        noted = row.columns | {"line": row.line, "reason": reason}
        if row.text:
            noted["text"] = row.text.rstrip("\r\n")
        if self.rows:
            self.rows.writerow(noted)
        else:
            self.file.write(json.dumps(noted) + "\n")


def in_one_line(error: ValidationError) -> str:
    """Return the messages of an error, with the names of their fields."""
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return " ".join(f"{name}: {' '.join(messages)}" for name, messages in error.message_dict.items())
