"""Search on a real PostgreSQL: words, relevance, typing errors, and the number of rows that a page reads."""

import json

import psycopg
import pytest
from books.catalogue import SORTS
from books.models import Book, Category
from books.pages import SIZE
from books.pages import _cursor as pages_cursor
from books.search import MOST, WORDS
from django.db import connection, transaction
from shop_fixtures import create_database, create_template, text, using

pytestmark = pytest.mark.usefixtures("db")


def book(title, author="Someone", **fields):
    common = {"title": title, "author": author, "publishing_year": 2001, "rating": 3, "reviewer": "R"}
    return Book.objects.create(**common | fields)


def get(client, **query):
    answer = client.get("/book-list", query)
    assert answer.status_code == 200
    return answer


def page_of(client, **query):
    return get(client, **query).context["page"]


def titles(client, **query):
    return [found.title for found in page_of(client, **query).books]


def test_finds_books_with_all_words_and_ranks_titles_higher(client):
    book("Herbert's Garden", "Lina Dunn")
    book("Dune", "Frank Herbert")
    assert titles(client, q="herbert") == ["Herbert's Garden", "Dune"]
    assert titles(client, q="HERBERT dune") == ["Dune"]


def test_repeated_word_counts_once(client):
    book("Dune")
    book("Dune Messiah")
    assert titles(client, q="dune " * WORDS + "messiah") == ["Dune Messiah"]


def test_finds_words_in_other_scripts_and_without_accents(client):
    book("موسم الهجرة إلى الشمال", "الطيب صالح")
    book("Jane Eyre", "Charlotte Brontë")
    assert titles(client, q="الهجرة") == ["موسم الهجرة إلى الشمال"]
    assert titles(client, q="brontë") == ["Jane Eyre"]
    assert titles(client, q="bronte") == ["Jane Eyre"]


@pytest.mark.parametrize("typo", ["tolstoi", "karenin", "ana karennina", "Annna Tolstoy"])
def test_typing_error_is_corrected_and_reported(client, typo):
    book("Anna Karenina", "Leo Tolstoy")
    book("Dracula", "Bram Stoker")
    assert titles(client, q=typo) == ["Anna Karenina"]
    assert "Your search had no results. Showing results for" in text(get(client, q=typo))
    assert "Your search had no results. Showing results for" not in text(get(client, q="tolstoy"))


def test_word_of_the_catalogue_is_not_corrected(client):
    novels = Category.objects.create(name="Novels", slug="novels")
    book("Dune", category=novels)
    book("Dunes")
    book("Emma", category=novels)
    assert titles(client, q="dunes", category="novels") == []
    assert titles(client, q="dune emma") == []


def test_all_ways_to_write_books_update_the_word_list(client):
    changed = book("Drakula")
    Book.objects.filter(pk=changed.pk).update(title="Solaris")
    Book.objects.bulk_create(
        Book(title=title, author="A", publishing_year=1, rating=1, reviewer="R") for title in ("Beloved", "Kindred")
    )
    assert titles(client, q="solariss") == ["Solaris"]
    assert titles(client, q="belovd") == ["Beloved"]


def test_pages_contain_each_match_once_by_relevance(client):
    for number in range(60):
        book("Sea " * (1 + number % 5) + "stories", "Sea" if number % 2 else "Someone")
    pages = [page_of(client, q="sea")]
    while pages[-1].after:
        pages.append(page_of(client, q="sea", after=pages[-1].after))
    found = [one for page in pages for one in page.books]
    assert len({one.pk for one in found}) == len(found) == 60
    assert [one.relevance for one in found] == sorted((one.relevance for one in found), reverse=True)
    assert page_of(client, q="sea", before=pages[1].before).books == pages[0].books


@pytest.mark.parametrize("sort", ["title", "newest"])
def test_search_can_be_sorted(client, sort):
    book("Sea B", publishing_year=1990)
    book("Sea A", publishing_year=1991)
    assert titles(client, q="sea", sort=sort) == ["Sea A", "Sea B"]


# The number of rows that a page reads

# 20,000 books in ten categories. Half of them have the same year and price.
MANY = """
INSERT INTO books_category (name, slug) SELECT 'Shelf ' || n, 'shelf-' || n FROM generate_series(0, 9) AS n;
INSERT INTO books_book (title, author, publishing_year, rating, reviewer, price, stock, category_id)
SELECT 'The story of ' || md5((n % 15000)::text), 'Author ' || n % 700,
       CASE WHEN n % 2 = 0 THEN 2000 ELSE 1500 + n % 500 END, n % 6, 'R',
       CASE WHEN n % 2 = 0 THEN 1000 ELSE 500 + n % 4000 END, n % 7,
       (SELECT min(id) FROM books_category) + n / 7 % 10
FROM generate_series(1, 20000) AS n;
ANALYZE books_book, books_word
"""


@pytest.fixture(scope="module")
def catalogue(postgresql, migrated):
    """Return the URL of a database with these books, which is filled once for all workers."""

    def fill(url):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(MANY)

    return create_database(postgresql, create_template(postgresql, "catalogue", fill, migrated))


@pytest.fixture
def many(catalogue, django_db_blocker):
    """Connect the shop to that database, and roll back the changes of the test."""
    with django_db_blocker.unblock(), using(catalogue), transaction.atomic():
        yield
        transaction.set_rollback(True)


def read_rows(plan) -> int:
    """Return the number of rows that the scans of a plan have read, including the filtered ones."""
    children = plan.get("Plans", [])
    if children and plan["Node Type"] != "Bitmap Heap Scan":
        return sum(map(read_rows, children))
    return (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]


def rows_read_for(client, **query) -> int:
    """Return the number of rows of books and words that the database reads for a page."""
    statements = []

    def note(execute, sql, params, many, context):
        statements.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        get(client, **query)
    plans = []
    with connection.cursor() as cursor:
        for sql, params in statements:
            if 'FROM "books_book"' in sql or "books_word" in sql:
                cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
                (plan,) = cursor.fetchone()
                plans.append(plan if isinstance(plan, list) else json.loads(plan))
    assert plans
    return sum(read_rows(plan[0]["Plan"]) for plan in plans)


# For a category, the planner may also read other books from the index of all books, but never the previous pages.
@pytest.mark.parametrize(("category", "limit"), [("", SIZE + 1), ("shelf-3", 16 * (SIZE + 1))])
def test_page_deep_in_a_list_reads_few_rows(client, many, category, limit):
    books = Book.objects.filter(category__slug=category) if category else Book.objects.all()
    for sort, order in SORTS.items():
        middle = order.of(books)[books.count() * 2 // 3]
        cursor = pages_cursor(order, middle)
        for side in ("after", "before"):
            read = rows_read_for(client, sort=sort, category=category, **{side: cursor})
            assert read <= limit, (sort, side)


def test_first_page_reads_few_rows(client, many):
    assert rows_read_for(client) <= SIZE + 1
    assert rows_read_for(client, price_from="11", sort="cheapest") <= SIZE + 1
    assert rows_read_for(client, in_stock="on") <= 3 * SIZE


def test_search_for_a_rare_or_mistyped_word_reads_few_rows(client, many):
    book("Zanzibar", "Unknown Author")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE books_book, books_word")
    assert rows_read_for(client, q="zanzibar") < 20
    assert rows_read_for(client, q="zanzibarr") < 20


@pytest.mark.parametrize("sort", ["", *SORTS])
def test_search_for_a_frequent_word_reads_the_first_matches(client, many, sort):
    assert rows_read_for(client, q="story", sort=sort) <= 3 * MOST
    assert "Only the first two hundred matches are shown." in text(get(client, q="story", sort=sort))
    # With the last title of all, a plan that scans the index of titles would read all rows.
    book("Zzz unheard")
    assert rows_read_for(client, q="unheard", sort=sort) < 20


def test_synchronized_scans_are_off():
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronize_seqscans")
        assert cursor.fetchone() == ("off",)


def test_sale_updates_no_index(on_postgresql):
    sold = book("Dune", stock=50)
    with connection.cursor() as cursor:
        for _ in range(10):
            Book.objects.filter(pk=sold.pk).update(stock=sold.stock - 1)
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'books_book'")
        assert cursor.fetchone() == (10, 10)
