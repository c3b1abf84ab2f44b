"""manage.py migrate on a real PostgreSQL, and the compatibility of migrations with the previous release."""

import contextlib
import re
import shutil
import subprocess
import sys

import psycopg
import pytest
from shop_fixtures import create_database
from shop_program import LIMIT, PROJECT, environment, run

HERE = PROJECT.parent / "tests/book-shop"
MIGRATE = ["manage.py", "migrate", "--noinput"]
# manage.py migrate with time limits of one second.
IMPATIENT = """
import sys
from django.core.management import execute_from_command_line
from books.management.commands import migrate
migrate.TURN = migrate.LOCK = 1
execute_from_command_line(["manage.py", "migrate", "--noinput"])
"""
MIGRATION = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("books", "{last}")]
    operations = [{operation}]
"""


def migrate(database, *arguments):
    done = run(*MIGRATE, *arguments, DATABASE_URL=database)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def error_of_impatient_migration(database):
    done = run("-c", IMPATIENT, DATABASE_URL=database, DJANGO_SETTINGS_MODULE="book_shop.settings")
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


@contextlib.contextmanager
def locked(database):
    """Hold the lock of migrations, and return the connection that holds it."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [0x626F6F6B73])
        yield connection


def has_books(connection):
    return connection.execute("SELECT to_regclass('books_book')").fetchone() != (None,)


def output_of_waiting_migration(connection, database, while_it_waits):
    """Start a migration, call `while_it_waits` and then release the lock. Return the output of the migration."""
    waiting = "SELECT 1 FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%pg_try_advisory_lock%'"
    command = [sys.executable, *MIGRATE]
    second = subprocess.Popen(
        command, cwd=PROJECT, env=environment(DATABASE_URL=database), stdout=subprocess.PIPE, text=True
    )
    while not connection.execute(waiting).fetchone():
        assert second.poll() is None
    while_it_waits()
    connection.execute("SELECT pg_advisory_unlock_all()")
    output, _ = second.communicate(timeout=LIMIT)
    assert second.returncode == 0
    return output


# Slow here: each migration starts manage.py on an empty database, as a deploy does.
def test_second_run_has_nothing_to_migrate(database):
    assert "Applying books.0001_initial... OK" in migrate(database)
    assert "No migrations to apply." in migrate(database)


def test_plan_changes_nothing_and_needs_no_lock(database):
    with locked(database) as connection:
        assert "books.0001_initial" in migrate(database, "--plan")
        assert not has_books(connection)


def test_second_migration_waits_for_the_first(database):
    def check():
        assert not has_books(connection)

    with locked(database) as connection:
        output = output_of_waiting_migration(connection, database, check)
    assert "Applying books.0001_initial... OK" in output


def test_waiting_migration_does_not_block_a_concurrent_index(migrated_database):
    def create_index():
        connection.execute("CREATE INDEX CONCURRENTLY one_more ON books_book (reviewer)")

    with locked(migrated_database) as connection:
        output_of_waiting_migration(connection, migrated_database, create_index)


def test_waiting_migration_fails_after_the_time_limit(database):
    with locked(database):
        assert "Another migration has been running for more than 1 s." in error_of_impatient_migration(database)


def test_interrupted_migration_can_be_repeated(migrated_database):
    with psycopg.connect(migrated_database, autocommit=True) as connection:
        connection.execute("DELETE FROM django_migrations WHERE app = 'books' AND name > '0003'")
        connection.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('book_words'::regclass, 'book_year'::regclass)"
        )
        assert "Applying books.0003_indexes... OK" in migrate(migrated_database)
        assert connection.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid").fetchone() == (0,)


def test_table_in_use_fails_the_migration_after_the_time_limit(database):
    migrate(database, "contenttypes")
    with psycopg.connect(database) as busy:
        busy.execute("LOCK TABLE django_migrations IN ACCESS EXCLUSIVE MODE")
        error = error_of_impatient_migration(database)
    assert "A table was in use for more than 1 s, so the migration was rolled back." in error
    migrate(database)


# Compatibility with the previous release

OPERATIONS = {
    'migrations.RemoveField("book", "reviewer")': "DROPPING columns",
    'migrations.RenameField("book", "author", "writer")': "RENAMING columns",
    'migrations.RenameModel("Book", "Work")': "RENAMING tables",
    'migrations.DeleteModel("Book")': "DROPPING table",
    'migrations.AddField("book", "isbn", models.TextField(default=""))': "NOT NULL constraint on columns",
    'migrations.AddField("book", "isbn", models.TextField(null=True))': None,
    'migrations.AddField("book", "isbn", models.TextField(db_default=""))': None,
}
DECLARED = "9990_drop_reviewer_unused_since_0004"


def lint(database, project=PROJECT):
    """Return the exit status and the output of the linter, which checks the SQL of each migration for PostgreSQL."""
    changes = {"DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "lint_settings", "PYTHONPATH": str(HERE)}
    command = ["manage.py", "lintmigrations", "--no-cache", "--include-apps", "books", "orders"]
    done = run(*command, directory=project, **changes)
    return done.returncode, done.stdout + done.stderr


def test_migrations_are_compatible_with_the_previous_release(database):
    status, output = lint(database)
    assert status == 0, output


# Slow: the linter asks PostgreSQL for the SQL of each migration.
@pytest.fixture(scope="module")
def linted(postgresql, tmp_path_factory):
    """Return the verdict of the linter on each operation, by number, and its whole output."""
    ignored = shutil.ignore_patterns("__pycache__", "*.sqlite3")
    project = shutil.copytree(PROJECT, tmp_path_factory.mktemp("lint") / "app", ignore=ignored)
    migrations = project / "books/migrations"
    last = max(path.stem for path in migrations.glob("0*.py"))
    for number, operation in enumerate(OPERATIONS):
        (migrations / f"99{number:02}_new.py").write_text(MIGRATION.format(last=last, operation=operation))
    declared = MIGRATION.format(last=last, operation=next(iter(OPERATIONS)))
    (migrations / f"{DECLARED}.py").write_text(declared)
    status, output = lint(create_database(postgresql), project)
    assert status == 1, output
    return dict(re.findall(r"^\(books, 99(\d\d)_new\)\.\.\. (.*(?:\n\t.*)*)", output, re.MULTILINE)), output


@pytest.mark.parametrize("operation", OPERATIONS)
def test_linter_finds_incompatible_migrations(linted, operation):
    verdicts, output = linted
    verdict, fault = verdicts[f"{list(OPERATIONS).index(operation):02}"], OPERATIONS[operation]
    assert (verdict.startswith("ERR"), fault is None or fault in verdict) == (fault is not None, True), output


def test_linter_accepts_a_removal_whose_name_declares_it(linted):
    _, output = linted
    assert f"(books, {DECLARED})... IGNORE" in output
