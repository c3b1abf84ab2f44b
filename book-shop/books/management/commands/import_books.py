"""manage.py import_books: books from a file, however large, into the catalogue."""

import csv
import json
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
    NoCatalogue,
    Shelves,
    fields_of,
    parse,
    write,
)

SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
STDIN = "-"
# Rejected rows that are told on the terminal; the file has all.
TOLD = 20

HELP = f"""
Add the books of a file, and change those that are there: a book is known by its ISBN.

CSV with the names of the columns in the first line, or a JSON object a line; UTF-8. Columns: {", ".join(COLUMNS)}; the
first {len(REQUIRED)} are needed. A price is a decimal as 12.50, in the currency of its row or in EUR. A category is a
name; a new one is made. A book that is there keeps what the file has no column for, and its stock, unless --stock is
given.

It can be run again, also after it was broken off. Exit status: 0 all is in; 1 some rows were rejected and the others
are in; 2 the call or the file as a whole is wrong.
"""


class Command(BaseCommand):
    """Imports books; reads a row at a time, so that a million of them need no more memory than a thousand."""

    help = HELP

    def add_arguments(self, parser):
        """Say what can be given."""
        parser.add_argument("file", help=f"the file, or {STDIN} for standard input")
        parser.add_argument("--format", choices=READERS, help="needed when the name of the file does not end in it")
        parser.add_argument("--rejects", help="where rejected rows go, with line and reason; by default FILE.rejects")
        parser.add_argument("--stock", action="store_true", help="set the stock of books that are there as well")

    def handle(self, file, **options):
        """Import, reporting each rejected row on stderr and the sums on stdout."""
        kind = options["format"] or SUFFIXES.get(Path(file).suffix)
        if not kind:
            raise CommandError(f"{file}: is it CSV or JSON lines? Say --format csv or --format jsonl.", returncode=2)
        if file == STDIN and not options["rejects"]:
            raise CommandError("Where should rejected rows go? Say --rejects FILE.", returncode=2)
        with opened(file) as source, Rejects(options["rejects"] or f"{file}.rejects", kind, source) as rejects:
            counts = self.load(source, READERS[kind](source), rejects, options["stock"])
        self.stdout.write(
            f"{counts.added} added, {counts.updated} updated, {counts.unchanged} unchanged, {rejects.count} rejected"
        )
        if rejects.count:
            raise CommandError(f"The rejected rows are in {rejects.path}: mend them and import that file.")

    def load(self, source, rows, rejects, with_stock) -> Counts:
        """Read and write batch by batch; return the counts. Raises CommandError when the file turns out to be none."""
        counts, shelves, batch = Counts(), Shelves(), {}
        # With a size the bar knows how long it will take; disable=None draws it on a terminal only.
        size = os.fstat(source.fileno()).st_size if source.seekable() else None
        with tqdm(total=size, unit="B", unit_scale=True, disable=None, file=sys.stderr) as bar:
            try:
                for row in rows:
                    try:
                        if row.fault:
                            raise ValidationError(row.fault)
                        book = parse(row.columns, shelves)
                    except ValidationError as error:
                        reason = said(error)
                        rejects.add(row, reason)
                        if rejects.count <= TOLD:
                            bar.write(f"line {row.line}: {reason}", file=sys.stderr)
                        continue
                    # The later row of a book wins, as if each had been imported on its own.
                    if len(batch) == BATCH or book.isbn in batch:
                        counts += write(batch, with_stock)
                        batch = {}
                        if size is not None:
                            bar.update(source.tell() - bar.n)
                    batch[book.isbn] = (book, fields_of(row.columns))
            except NoCatalogue as error:
                counts += write(batch, with_stock)
                done = sum(counts)
                raise CommandError(f"{source.name}: {error}. {done} books before it are in.", returncode=2) from None
            counts += write(batch, with_stock)
            if size is not None:
                bar.update(size - bar.n)
        return counts


@contextmanager
def opened(file: str):
    """Open the file, or standard input. Raises CommandError when it can't be read."""
    if file == STDIN:
        yield sys.stdin.buffer
        return
    try:
        source = open(file, "rb")  # noqa: SIM115 - below
    except OSError as error:
        raise CommandError(f"{file} can't be read: {error.strerror}.", returncode=2) from None
    with source:
        yield source


class Rejects:
    """The file of rejected rows, in the format of the import; made before anything is imported, gone if it is empty."""

    def __init__(self, path: str, kind: str, source):
        """Make it. Raises CommandError when it can't be written, or is the file to import."""
        self.path, self.count = Path(path), 0
        if self.path.exists() and os.path.samestat(self.path.stat(), os.fstat(source.fileno())):
            raise CommandError(f"{path} is the file to import: rejected rows need another.", returncode=2)
        try:
            # Bytes that are not UTF-8 go out as they came in.
            self.file = open(path, "w", encoding="utf-8", errors="surrogateescape", newline="")  # noqa: SIM115 - __exit__
        except OSError as error:
            raise CommandError(
                f"{path} can't be written: {error.strerror}. Say --rejects FILE.", returncode=2
            ) from None
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
        """Write a row with its line and what is wrong with it."""
        self.count += 1
        noted = row.columns | {"line": row.line, "reason": reason}
        if row.text:
            noted["text"] = row.text.rstrip("\r\n")
        if self.rows:
            self.rows.writerow(noted)
        else:
            self.file.write(json.dumps(noted) + "\n")


def said(error: ValidationError) -> str:
    """Return what is wrong on one line, field by field."""
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return " ".join(f"{name}: {' '.join(messages)}" for name, messages in error.message_dict.items())
