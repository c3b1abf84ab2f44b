"""manage.py import_books: what is let in, what is rejected and where that goes, and that it can be run again."""

import csv
import io
import json
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
    """Return a function that imports bytes; it returns the exit status and what was said on stdout and stderr."""

    def load(content: bytes, *arguments, name="books.csv"):
        (tmp_path / name).write_bytes(content)
        out, status, said = io.StringIO(), 0, ""
        try:
            call_command("import_books", str(tmp_path / name), *arguments, stdout=out)
        except CommandError as error:
            status, said = error.returncode, str(error)
        return status, out.getvalue().strip(), capfd.readouterr().err + said

    load.rejects = tmp_path / "books.csv.rejects"
    return load


@pytest.mark.parametrize(("name", "made"), [("books.csv", as_csv), ("books.jsonl", as_json), ("books.ndjson", as_json)])
def test_books_and_their_categories_come_in(load, name, made):
    assert load(made(DUNE, OTHER), name=name) == (0, "2 added, 0 updated, 0 unchanged, 0 rejected", "")
    book = Book.objects.get(isbn="9780441013593")
    assert (book.title, book.publishing_year, book.rating) == ("Dune", 1965, 5)
    assert (book.price, book.currency, book.stock) == (1250, "EUR", 3)
    assert (book.category.name, book.category.slug) == ("Science fiction", "science-fiction")
    assert not load.rejects.exists()


def test_the_second_run_changes_nothing(load):
    load(as_csv(DUNE, OTHER))
    before = list(Book.objects.order_by("pk").values())
    assert load(as_csv(DUNE, OTHER))[1] == "0 added, 0 updated, 2 unchanged, 0 rejected"
    assert list(Book.objects.order_by("pk").values()) == before


def test_what_changed_is_changed_and_the_rest_stays(load):
    load(as_csv(DUNE | {"description": "Sand."}))
    Book.objects.update(stock=1, publisher="Chilton")  # two were sold
    assert load(as_csv(DUNE | {"price": "13.00", "stock": "9"}))[1] == "0 added, 1 updated, 0 unchanged, 0 rejected"
    book = Book.objects.get()
    assert (book.price, book.stock, book.publisher, book.description) == (1300, 1, "Chilton", "Sand.")
    assert load(as_csv(DUNE | {"price": "13.00", "stock": "9"}), "--stock")[1].startswith("0 added, 1 updated")
    assert Book.objects.get().stock == 9


def test_a_book_of_which_some_were_sold_is_as_the_file_has_it(load):
    load(as_csv(DUNE))
    Book.objects.update(stock=1)
    assert load(as_csv(DUNE))[1] == "0 added, 0 updated, 1 unchanged, 0 rejected"


def test_a_change_uses_up_no_key(load):
    load(as_csv(DUNE))
    load(as_csv(DUNE | {"title": "Dune, again"}))
    load(as_csv(OTHER))
    first, second = Book.objects.order_by("pk")
    assert second.pk == first.pk + 1


def test_the_later_row_of_a_book_wins(load):
    assert load(as_csv(DUNE, DUNE | {"title": "Dune, later"}))[:2] == (0, "1 added, 1 updated, 0 unchanged, 0 rejected")
    assert Book.objects.get().title == "Dune, later"


def test_a_price_without_a_currency_is_one_in_euros(load):
    load(as_csv(DUNE | {"currency": "JOD", "price": "8.125"}))
    assert (Book.objects.get().price, Book.objects.get().currency) == (8125, "JOD")
    load(as_csv(DUNE))
    assert (Book.objects.get().price, Book.objects.get().currency) == (1250, "EUR")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"isbn": "9780441013594"}, "isbn: The last digit"),
        ({"isbn": ""}, "isbn: This is missing."),
        ({"title": " "}, "title: This is missing."),
        ({"title": "x" * 201}, "title: Ensure this value has at most 200 characters"),
        ({"title": "a\0b"}, "title: There is a NUL character"),
        ({"publishing_year": "long ago"}, "publishing_year: "),
        ({"publishing_year": "1965.5"}, "publishing_year: "),
        ({"publishing_year": "9" * 5000}, "publishing_year: "),
        ({"rating": "6"}, "rating: Ensure this value is less than or equal to 5."),
        ({"price": "12.505"}, "price: EUR has 2 digits after the point."),
        ({"price": "-1"}, "price: This is no price."),
        ({"price": "NaN"}, "price: This is no price."),
        ({"price": "1e999999999"}, "price: This is no price."),
        ({"price": "12,50"}, "price: This is no amount like 12.50."),
        ({"price": "1", "currency": "XXX"}, "currency: "),
        ({"stock": "-1"}, "stock: "),
        ({"cover": "javascript:alert(1)"}, "cover: "),
        ({"category": "x" * 101}, "category: Ensure this value has at most 100 characters"),
    ],
)
def test_a_bad_row_is_rejected_with_its_line_and_reason_and_the_others_are_in(load, change, reason):
    if sys.version_info < (3, 11) and "\0" in str(change):
        reason = "line contains NUL"
    row = {"currency": "", "cover": ""} | DUNE | change
    status, sums, said = load(as_csv(row, row | OTHER | {"cover": "", "currency": ""}))
    assert (status, sums) == (1, "1 added, 0 updated, 0 unchanged, 1 rejected")
    assert "line 2: " in said and reason in said
    assert str(load.rejects) in said
    (rejected,) = csv.DictReader(io.StringIO(load.rejects.read_bytes().decode()))
    assert rejected["line"] == "2" and reason in rejected["reason"]
    assert Book.objects.get().title == "Other"


def test_rejected_rows_can_be_mended_and_imported(load):
    load(as_csv(DUNE | {"rating": "6", "title": 'A "quoted",\ntitle'}, OTHER))
    mended = load.rejects.read_bytes().replace(b",6,", b",5,")
    assert load(mended, name="mended.csv")[:2] == (0, "1 added, 0 updated, 0 unchanged, 0 rejected")
    assert Book.objects.filter(title='A "quoted",\ntitle', price=1250).exists()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"9780441013593,too few", "2 cells for 9 columns"),
        (b'"quoted" and not,1,2,3,4,5,6,7,8', "',' expected after '\"'"),
        (b'"never ends', "unexpected end of data"),
        (b"9780441013593,\xff,Frank Herbert,1965,5,Sami,,,", "title: This is not UTF-8."),
    ],
)
def test_what_is_no_row_is_kept_as_it_came(load, line, reason):
    status, sums, said = load(as_csv(OTHER) + line + b"\n")
    assert (status, sums) == (1, "1 added, 0 updated, 0 unchanged, 1 rejected")
    assert f"line 3: {reason}" in said
    kept = load.rejects.read_bytes()
    assert (line if b"\xff" in line else line.replace(b'"', b'""')) in kept or b",\xff,Frank Herbert,1965," in kept


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "Expecting property name"),
        (b"[1]", "This is no JSON object."),
        (b'{"prise": 1}', "unknown columns: prise"),
        (as_json(DUNE | {"rating": True}), "neither text nor number: rating"),
        (as_json(DUNE | {"title": ["Dune"]}), "neither text nor number: title"),
        (as_json(DUNE | {"price": float("inf")}), "price: This is no price."),
        (
            b'{"title": "\\ud800", "isbn": "1", "author": "a", "publishing_year": 1, "rating": 1, "reviewer": "r"}',
            "UTF-8",
        ),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_what_is_no_row_of_json(load, line, reason):
    status, sums, said = load(as_json(OTHER) + line + b"\n\n", name="books.jsonl")
    assert (status, sums) == (1, "1 added, 0 updated, 0 unchanged, 1 rejected")
    assert "line 2: " in said and reason in said


def test_numbers_of_json_are_numbers(load):
    numbers = {"publishing_year": 1965, "rating": 5, "price": 12.5, "stock": 3, "description": None}
    assert load(as_json(DUNE | numbers), name="books.jsonl")[0] == 0
    assert Book.objects.values_list("price", "stock", "description").get() == (1250, 3, "")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "line 1 lacks the columns isbn, title"),
        (b"isbn,title\n", "line 1 lacks the columns author, publishing_year, rating, reviewer"),
        (as_csv(DUNE | {"prise": "1"}), "line 1 has unknown columns: prise"),
        (b"title," + as_csv(DUNE), "line 1 names a column twice"),
        (b"\x89PNG\r\n\x1a\n\0\0", "line 1"),
        (b"x" * 1_000_001, "line 1 is longer than 1000000 bytes"),
    ],
)
def test_a_file_that_is_no_catalogue_is_refused_as_a_whole(load, content, why):
    status, sums, said = load(content)
    assert (status, sums) == (2, "")
    assert why in said
    assert not Book.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["no-such.csv"], "can't be read: No such file"),
        (["."], "is it CSV or JSON lines"),
        ([".", "--format", "csv"], "can't be read: Is a directory"),
        (["books.txt"], "is it CSV or JSON lines"),
        (["-", "--format", "csv"], "Say --rejects FILE"),
        (["books.csv", "--rejects", "books.csv"], "is the file to import"),
        (["books.csv", "--rejects", "no/such/folder"], "can't be written: No such file"),
    ],
)
def test_a_wrong_call_is_refused_before_anything(db, tmp_path, monkeypatch, arguments, why):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "books.csv").write_bytes(as_csv(DUNE))
    with pytest.raises(CommandError, match=why) as refusal:
        call_command("import_books", *arguments)
    assert refusal.value.returncode == 2
    assert not Book.objects.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["books.csv"]


def test_a_byte_order_mark_and_the_ends_of_lines_of_windows(load):
    content = b"\xef\xbb\xbf" + as_csv(DUNE).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert load(content)[:2] == (0, "1 added, 0 updated, 0 unchanged, 0 rejected")


def test_categories_of_like_names_get_addresses_of_their_own(load):
    load(as_csv(DUNE | {"category": "C"}, OTHER | {"category": "C++"}))
    assert sorted(Category.objects.values_list("name", "slug")) == [("C", "c"), ("C++", "c-2")]


def test_a_name_without_a_latin_letter_is_a_category_too(load):
    load(as_csv(DUNE | {"category": "روايات"}, OTHER | {"category": "小説"}))
    assert set(Category.objects.values_list("slug", flat=True)) == {"category", "category-2"}


@pytest.mark.parametrize("number", [1, 2, 3, 7])
def test_batches_don_t_show(load, monkeypatch, number):
    monkeypatch.setattr(import_books, "BATCH", number)
    rows = [DUNE | {"isbn": f"97800000000{n}"} for n in ("02", "19", "26", "33", "40", "57", "64", "71")]
    assert load(as_csv(*rows))[:2] == (0, "8 added, 0 updated, 0 unchanged, 0 rejected")
    assert Book.objects.count() == 8


def program(*arguments, database, stdin=b""):
    command = [sys.executable, "manage.py", "import_books", *arguments]
    made = environment(DATABASE_URL=database)
    return subprocess.run(command, cwd=PROJECT, env=made, input=stdin, capture_output=True, timeout=LIMIT)


# Slow: each call is a start of the real program, on a migrated PostgreSQL.
def test_from_standard_input_into_postgresql(on_postgresql, tmp_path):
    arguments = ["-", "--format", "csv", "--rejects", str(tmp_path / "rejects")]
    done = program(*arguments, database=on_postgresql, stdin=as_csv(DUNE, OTHER))
    assert (done.returncode, done.stdout) == (0, b"2 added, 0 updated, 0 unchanged, 0 rejected\n"), done.stderr
    assert done.stderr == b""  # no bar: this is no terminal
    done = program(
        *arguments, database=on_postgresql, stdin=as_csv(DUNE, OTHER | {"title": "New"}, OTHER | {"rating": "9"})
    )
    assert (done.returncode, done.stdout) == (1, b"0 added, 1 updated, 1 unchanged, 1 rejected\n"), done.stderr
    assert set(Book.objects.values_list("title", flat=True)) == {"Dune", "New"}


def test_the_exit_status_of_a_wrong_call(database):
    assert program(database=database).returncode == 2
    assert program("books.csv", "--format", "xml", database=database).returncode == 2
