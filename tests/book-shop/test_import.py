"""manage.py import_books: accepted and rejected rows, repeated imports, and invalid files and arguments."""

import csv
import io
import json
import os
import subprocess
import sys

import pytest
from books.management.commands import import_books
from books.models import Book, Category
from django.core.management import CommandError, call_command
from shop_program import LIMIT, PROJECT, environment

pytestmark = pytest.mark.sqlite

DUNE = {
    "isbn": "978-0-441-01359-3",
    "title": "Dune",
    "author": "Frank Herbert",
    "publishing_year": "1965",
    "rating": "5",
    "reviewer": "Sami",
    "category": "Science fiction",
    "price": "12.50",
    "stock": "3",
}
OTHER = DUNE | {"isbn": "9780306406157", "title": "Other"}
ONE_REJECTED = (1, "1 added, 0 updated, 0 unchanged, 1 rejected")


def as_csv(*rows) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def as_json(*rows) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


@pytest.fixture
def load(db, tmp_path, capfd):
    """Return a function that imports bytes, and returns the exit status, stdout, and stderr with the error."""

    def load(content: bytes, *arguments, name="books.csv"):
        (tmp_path / name).write_bytes(content)
        return call(str(tmp_path / name), *arguments)

    def call(*arguments):
        out, status, message = io.StringIO(), 0, ""
        try:
            call_command("import_books", *arguments, stdout=out)
        except CommandError as error:
            status, message = error.returncode, str(error)
        return status, out.getvalue().strip(), capfd.readouterr().err + message

    load.call = call
    load.rejects = tmp_path / "books.csv.rejects"
    return load


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("books.csv", as_csv(DUNE, OTHER)),
        ("books.csv", b"\xef\xbb\xbf" + as_csv(DUNE, OTHER)),  # a byte order mark, and line breaks of Windows
        ("books.csv", as_csv(DUNE, OTHER).replace(b"\r\n", b"\n")),
        ("books.jsonl", as_json(DUNE, OTHER)),
        ("books.ndjson", as_json(DUNE, OTHER)),
    ],
)
def test_adds_books_and_their_categories(load, name, content):
    assert load(content, name=name) == (0, "2 added, 0 updated, 0 unchanged, 0 rejected", "")
    book = Book.objects.get(isbn="9780441013593")
    assert (book.title, book.publishing_year, book.rating) == ("Dune", 1965, 5)
    assert (book.price, book.currency, book.stock) == (1250, "EUR", 3)
    assert (book.category.name, book.category.slug) == ("Science fiction", "science-fiction")
    assert not load.rejects.exists()


def test_repeated_import_changes_nothing(load):
    load(as_csv(DUNE, OTHER))
    before = list(Book.objects.order_by("pk").values())
    assert load(as_csv(DUNE, OTHER))[1] == "0 added, 0 updated, 2 unchanged, 0 rejected"
    assert list(Book.objects.order_by("pk").values()) == before
    Book.objects.update(stock=1)  # some copies were sold
    assert load(as_csv(DUNE))[1] == "0 added, 0 updated, 1 unchanged, 0 rejected"


def test_update_keeps_the_stock_and_the_fields_without_a_column(load):
    load(as_csv(DUNE | {"description": "Sand."}))
    Book.objects.update(stock=1, publisher="Chilton")  # two copies were sold
    changed = as_csv(DUNE | {"price": "13.00", "stock": "9"})
    assert load(changed)[1] == "0 added, 1 updated, 0 unchanged, 0 rejected"
    book = Book.objects.get()
    assert (book.price, book.stock, book.publisher, book.description) == (1300, 1, "Chilton", "Sand.")
    assert load(changed, "--stock")[1] == "0 added, 1 updated, 0 unchanged, 0 rejected"
    assert Book.objects.get().stock == 9


def test_update_uses_no_new_primary_key(load):
    load(as_csv(DUNE))
    load(as_csv(DUNE | {"title": "Dune, again"}))
    load(as_csv(OTHER))
    first, second = Book.objects.order_by("pk")
    assert second.pk == first.pk + 1


def test_later_row_updates_an_earlier_row_of_the_same_book(load):
    assert load(as_csv(DUNE, DUNE | {"title": "Dune, later"}))[:2] == (0, "1 added, 1 updated, 0 unchanged, 0 rejected")
    assert Book.objects.get().title == "Dune, later"


def test_price_without_a_currency_is_in_euros(load):
    for row, price in ((DUNE | {"currency": "JOD", "price": "8.125"}, (8125, "JOD")), (DUNE, (1250, "EUR"))):
        load(as_csv(row))
        assert Book.objects.values_list("price", "currency").get() == price


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"isbn": "9780441013594"}, "isbn: The check digit"),
        ({"isbn": ""}, "isbn: This field is required."),
        ({"title": " "}, "title: This field is required."),
        ({"title": "x" * 201}, "title: Ensure this value has at most 200 characters"),
        ({"title": "a\0b"}, "title: NUL characters" if sys.version_info >= (3, 11) else "line contains NUL"),
        ({"publishing_year": "long ago"}, "publishing_year: "),
        ({"publishing_year": "1965.5"}, "publishing_year: "),
        ({"publishing_year": "9" * 5000}, "publishing_year: "),
        ({"rating": "6"}, "rating: Ensure this value is less than or equal to 5."),
        ({"price": "12.505"}, "price: A price in EUR has at most 2 decimal places."),
        ({"price": "-1"}, "price: Enter a valid price."),
        ({"price": "NaN"}, "price: Enter a valid price."),
        ({"price": "1e999999999"}, "price: Enter a valid price."),
        ({"price": "12,50"}, "price: Enter an amount such as 12.50."),
        ({"price": "1", "currency": "XXX"}, "currency: "),
        ({"stock": "-1"}, "stock: "),
        ({"cover": "javascript:alert(1)"}, "cover: "),
        ({"category": "x" * 101}, "category: Ensure this value has at most 100 characters"),
    ],
)
def test_invalid_row_is_rejected_with_line_and_reason(load, change, reason):
    empty = {"currency": "", "cover": ""}
    status, totals, messages = load(as_csv(empty | DUNE | change, empty | DUNE | change | OTHER | empty))
    assert (status, totals) == ONE_REJECTED
    assert "line 2: " in messages and reason in messages
    assert str(load.rejects) in messages
    (rejected,) = csv.DictReader(io.StringIO(load.rejects.read_bytes().decode()))
    assert rejected["line"] == "2" and reason in rejected["reason"]
    assert Book.objects.get().title == "Other"


def test_corrected_rejected_rows_can_be_imported(load):
    load(as_csv(DUNE | {"rating": "6", "title": 'A "quoted",\ntitle'}, OTHER))
    corrected = load.rejects.read_bytes().replace(b",6,", b",5,")
    assert load(corrected, name="corrected.csv")[:2] == (0, "1 added, 0 updated, 0 unchanged, 0 rejected")
    assert Book.objects.filter(title='A "quoted",\ntitle', price=1250).exists()


@pytest.mark.parametrize(
    ("line", "reason", "kept"),
    [
        (b"9780441013593,too few", "2 cells for 9 columns", b"9780441013593,too few"),
        (b'"quoted" and not,1,2,3,4,5,6,7,8', "',' expected after '\"'", b'""quoted"" and not,1,2,3,4,5,6,7,8'),
        (b'"never ends', "unexpected end of data", b'""never ends'),
        (b"9780441013593,\xff,Frank Herbert,1965,5,Sami,,,", "title: This is not valid UTF-8.", b",\xff,Frank"),
    ],
)
def test_malformed_csv_row_is_kept_unchanged(load, line, reason, kept):
    status, totals, messages = load(as_csv(OTHER) + line + b"\n")
    assert (status, totals) == ONE_REJECTED
    assert f"line 3: {reason}" in messages
    assert kept in load.rejects.read_bytes()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "Expecting property name"),
        (b"[1]", "expected a JSON object"),
        (b'{"prise": 1}', "unknown columns: prise"),
        (as_json(DUNE | {"rating": True}), "expected text or a number: rating"),
        (as_json(DUNE | {"title": ["Dune"]}), "expected text or a number: title"),
        (as_json(DUNE | {"price": float("inf")}), "price: Enter a valid price."),
        (as_json(DUNE | {"title": "TITLE"}).replace(b"TITLE", b"\\ud800"), "UTF-8"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_malformed_json_row_is_rejected(load, line, reason):
    status, totals, messages = load(as_json(OTHER) + line + b"\n\n", name="books.jsonl")
    assert (status, totals) == ONE_REJECTED
    assert "line 2: " in messages and reason in messages


def test_json_may_contain_numbers_and_null(load):
    numbers = {"publishing_year": 1965, "rating": 5, "price": 12.5, "stock": 3, "description": None}
    assert load(as_json(DUNE | numbers), name="books.jsonl")[0] == 0
    assert Book.objects.values_list("price", "stock", "description").get() == (1250, 3, "")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "line 1 is missing the columns isbn, title"),
        (b"isbn,title\n", "line 1 is missing the columns author, publishing_year, rating, reviewer"),
        (as_csv(DUNE | {"prise": "1"}), "line 1 has unknown columns: prise"),
        (b"title," + as_csv(DUNE), "line 1 has a duplicate column"),
        (b"\x89PNG\r\n\x1a\n\0\0", "line 1"),
        (b"x" * 1_000_001, "line 1 is longer than 1000000 bytes"),
    ],
)
def test_invalid_file_is_refused(load, content, reason):
    status, totals, messages = load(content)
    assert (status, totals) == (2, "")
    assert reason in messages
    assert not Book.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["no-such.csv"], 'Cannot read "no-such.csv": No such file'),
        (["."], "Pass --format csv or --format jsonl"),
        ([".", "--format", "csv"], 'Cannot read ".": Is a directory'),
        (["books.txt"], 'The format of "books.txt" is unknown'),
        (["books.csv", "--rejects", "books.csv"], "it is the file to import"),
        (["books.csv", "--rejects", "no/such/folder"], 'Cannot write "no/such/folder": No such file'),
    ],
)
def test_invalid_arguments_change_nothing(db, tmp_path, monkeypatch, arguments, reason):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "books.csv").write_bytes(as_csv(DUNE))
    with pytest.raises(CommandError, match=reason) as refusal:
        call_command("import_books", *arguments)
    assert refusal.value.returncode == 2
    assert not Book.objects.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["books.csv"]


@pytest.mark.parametrize(
    ("names", "slugs"), [(("C", "C++"), ("c", "c-2")), (("روايات", "小説"), ("category", "category-2"))]
)
def test_new_categories_get_unique_slugs(load, names, slugs):
    load(as_csv(*(row | {"category": name} for row, name in zip((DUNE, OTHER), names, strict=True))))
    assert list(Category.objects.order_by("pk").values_list("name", "slug")) == list(zip(names, slugs, strict=True))


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_result_does_not_depend_on_the_size_of_batches(load, monkeypatch, size):
    monkeypatch.setattr(import_books, "BATCH", size)
    rows = [DUNE | {"isbn": f"97800000000{n}"} for n in ("02", "19", "26", "33", "40", "57", "64", "71")]
    assert load(as_csv(*rows))[:2] == (0, "8 added, 0 updated, 0 unchanged, 0 rejected")
    assert Book.objects.count() == 8


def program(*arguments, database, stdin=b""):
    command = [sys.executable, "manage.py", "import_books", *arguments]
    changed = environment(DATABASE_URL=database)
    return subprocess.run(command, cwd=PROJECT, env=changed, input=stdin, capture_output=True, timeout=LIMIT)


# Slow: each call starts the real program on a migrated PostgreSQL.
def test_imports_standard_input_into_postgresql(on_postgresql, tmp_path):
    arguments = ["-", "--format", "csv", "--rejects", str(tmp_path / "rejects")]
    done = program(*arguments, database=on_postgresql, stdin=as_csv(DUNE, OTHER))
    assert (done.returncode, done.stdout) == (0, b"2 added, 0 updated, 0 unchanged, 0 rejected\n"), done.stderr
    assert done.stderr == b""  # no progress bar without a terminal
    rows = as_csv(DUNE, OTHER | {"title": "New"}, OTHER | {"rating": "9"})
    done = program(*arguments, database=on_postgresql, stdin=rows)
    assert (done.returncode, done.stdout) == (1, b"0 added, 1 updated, 1 unchanged, 1 rejected\n"), done.stderr
    assert set(Book.objects.values_list("title", flat=True)) == {"Dune", "New"}
    assert b"rating" in (tmp_path / "rejects").read_bytes()


@pytest.fixture
def load_stdin(load, monkeypatch, tmp_path):
    """Return a function like load that passes the bytes through a pipe, and writes no file."""

    def load_stdin(content: bytes):
        reading, writing = os.pipe()
        with open(writing, "wb") as pipe:
            pipe.write(content)
        with open(reading) as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            monkeypatch.chdir(tmp_path)
            result = load.call("-")
        assert list(tmp_path.iterdir()) == []
        return result

    return load_stdin


@pytest.mark.parametrize(
    "content",
    [
        as_csv(DUNE, OTHER),
        as_json(DUNE, OTHER),
        b"\xef\xbb\xbf" + as_csv(DUNE, OTHER),
        b"\n" + as_json(DUNE, OTHER),
        b"\xef\xbb\xbf" + as_json(DUNE, OTHER),
    ],
    ids=["CSV", "JSON", "CSV with BOM", "JSON after a blank line", "JSON with BOM"],
)
def test_format_of_standard_input_is_recognized(load_stdin, content):
    assert load_stdin(content) == (0, "2 added, 0 updated, 0 unchanged, 0 rejected", "")


@pytest.mark.parametrize("content", [b"", b"\n", b"[{}]", b"\x89PNG\r\n\x1a\n\0\0", b"a,b\n1,2\n", b"\xff\xfei\0s\0"])
def test_standard_input_in_another_format_is_refused(load_stdin, content):
    status, totals, messages = load_stdin(content)
    assert (status, totals) == (2, "")
    assert ": line 1 " in messages
    assert not Book.objects.exists()


def test_every_rejected_row_of_standard_input_is_printed(load_stdin):
    faulty = [DUNE | {"rating": "9"}] * (import_books.PRINTED + 5)
    status, totals, messages = load_stdin(as_csv(*faulty, OTHER))
    assert (status, totals) == (1, f"1 added, 0 updated, 0 unchanged, {len(faulty)} rejected")
    *lines, last = messages.splitlines()
    reason = "rating: Ensure this value is less than or equal to 5."
    assert lines == [f"line {number}: {reason}" for number in range(2, len(faulty) + 2)]
    assert "Correct them, then import the file again" in last


@pytest.mark.parametrize("arguments", [[], ["books.csv", "--format", "xml"]])
def test_invalid_call_exits_with_status_2(database, arguments):
    assert program(*arguments, database=database).returncode == 2
