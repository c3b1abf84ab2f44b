"""manage.py migrate on a real PostgreSQL, and the rule that old code works on the new schema."""

import re
import shutil
import subprocess
import sys

import psycopg
import pytest
from shop_fixtures import create_database
from shop_program import LIMIT, PROJECT, environment, run

HERE = PROJECT.parent / "tests/book-shop"
# As manage.py does, with less patience.
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


def migrate(database, *arguments, status=0):
    """Run manage.py migrate and return what it said."""
    done = run("manage.py", "migrate", "--noinput", *arguments, DATABASE_URL=database)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def impatient(database):
    """Run a migration that gives up within a second; the end of what it said."""
    done = run("-c", IMPATIENT, DATABASE_URL=database, DJANGO_SETTINGS_MODULE="book_shop.settings")
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


def waiting(connection):
    """Whether somebody else has asked for the lock of migrations there."""
    others = "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE %s"
    return connection.execute(others, ["%pg_try_advisory_lock%"]).fetchone()[0]


# Slow here: each migration is a start of manage.py, as at a deploy, on an empty database.
def test_it_migrates_once_and_the_second_run_has_nothing_to_do(database):
    assert "Applying books.0001_initial... OK" in migrate(database)
    assert "No migrations to apply." in migrate(database)


def test_a_plan_changes_nothing_and_waits_for_nobody(database):
    with psycopg.connect(database) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [0x626F6F6B73])
        assert "books.0001_initial" in migrate(database, "--plan")
        assert other.execute("SELECT to_regclass('books_book')").fetchone() == (None,)


def test_a_second_migration_waits_for_the_first(database):
    with psycopg.connect(database, autocommit=True) as first:
        first.execute("SELECT pg_advisory_lock(%s)", [0x626F6F6B73])
        command = [sys.executable, "manage.py", "migrate", "--noinput"]
        second = subprocess.Popen(
            command, cwd=PROJECT, env=environment(DATABASE_URL=database), stdout=subprocess.PIPE, text=True
        )
        while not waiting(first):
            assert second.poll() is None
        assert first.execute("SELECT to_regclass('books_book')").fetchone() == (None,)
        first.execute("SELECT pg_advisory_unlock(%s)", [0x626F6F6B73])
        said, _ = second.communicate(timeout=LIMIT)
    assert second.returncode == 0
    assert "Applying books.0001_initial... OK" in said


def test_a_migration_that_waits_is_in_no_index_s_way(migrated_database):
    with psycopg.connect(migrated_database, autocommit=True) as first:
        first.execute("SELECT pg_advisory_lock(%s)", [0x626F6F6B73])
        command = [sys.executable, "manage.py", "migrate", "--noinput"]
        second = subprocess.Popen(
            command, cwd=PROJECT, env=environment(DATABASE_URL=migrated_database), stdout=subprocess.PIPE
        )
        while not waiting(first):
            assert second.poll() is None
        first.execute("CREATE INDEX CONCURRENTLY one_more ON books_book (reviewer)")
        first.execute("SELECT pg_advisory_unlock(%s)", [0x626F6F6B73])
        second.communicate(timeout=LIMIT)
    assert second.returncode == 0


def test_a_migration_that_was_broken_off_is_done_again_over_its_remains(migrated_database):
    with psycopg.connect(migrated_database, autocommit=True) as remains:
        remains.execute("DELETE FROM django_migrations WHERE app = 'books' AND name > '0003'")
        remains.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('book_words'::regclass, 'book_year'::regclass)"
        )
        assert "Applying books.0003_indexes... OK" in migrate(migrated_database)
        assert remains.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid").fetchone() == (0,)


def test_a_migration_that_waits_too_long_for_another_says_so(database):
    with psycopg.connect(database) as first:
        first.execute("SELECT pg_advisory_lock(%s)", [0x626F6F6B73])
        assert "Another migration has been running for more than 1 s: try again later." in impatient(database)


def test_a_table_in_use_fails_the_migration_instead_of_stopping_the_shop(database):
    migrate(database, "contenttypes")
    with psycopg.connect(database) as busy:
        busy.execute("LOCK TABLE django_migrations IN ACCESS EXCLUSIVE MODE")
        assert "A table was in use for more than 1 s, and the migration has been undone" in impatient(database)
    migrate(database)


# Expand, then contract

OPERATIONS = {
    'migrations.RemoveField("book", "reviewer")': "DROPPING columns",
    'migrations.RenameField("book", "author", "writer")': "RENAMING columns",
    'migrations.RenameModel("Book", "Work")': "RENAMING tables",
    'migrations.DeleteModel("Book")': "DROPPING table",
    'migrations.AddField("book", "isbn", models.TextField(default=""))': "NOT NULL constraint on columns",
    'migrations.AddField("book", "isbn", models.TextField(null=True))': None,
    'migrations.AddField("book", "isbn", models.TextField(db_default=""))': None,
}


def lint(database, project=PROJECT):
    """The linter's exit status and what it says of the shop's migrations, by the SQL that PostgreSQL would run."""
    changes = {"DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "lint_settings", "PYTHONPATH": str(HERE)}
    words = ["manage.py", "lintmigrations", "--no-cache", "--include-apps", "books", "orders"]
    done = subprocess.run(
        [sys.executable, *words], cwd=project, env=environment(**changes), capture_output=True, text=True, timeout=LIMIT
    )
    return done.returncode, done.stdout + done.stderr


def test_the_code_of_before_works_on_the_schema_of_each_migration(database):
    status, said = lint(database)
    assert status == 0, said


# Slow: the linter is a start of manage.py, and asks PostgreSQL for the SQL of each migration.
@pytest.fixture(scope="module")
def linted(postgresql, tmp_path_factory):
    """Return what the linter prints of a migration for each operation, all linted by one process."""
    ignored = shutil.ignore_patterns("__pycache__", "*.sqlite3")
    project = shutil.copytree(PROJECT, tmp_path_factory.mktemp("lint") / "app", ignore=ignored)
    last = sorted(path.stem for path in (project / "books/migrations").glob("0*.py"))[-1]
    for number, operation in enumerate(OPERATIONS):
        (project / f"books/migrations/99{number:02}_new.py").write_text(
            MIGRATION.format(last=last, operation=operation)
        )
    status, said = lint(create_database(postgresql), project)
    assert status == 1, said
    return dict(re.findall(r"^\(books, 99(\d\d)_new\)\.\.\. (.*(?:\n\t.*)*)", said, re.MULTILINE)), said


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_migration_that_would_break_the_code_of_before_is_found(linted, operation):
    by_number, said = linted
    verdict = by_number[f"{list(OPERATIONS).index(operation):02}"]
    fault = OPERATIONS[operation]
    assert (verdict.startswith("ERR"), fault is None or fault in verdict) == (fault is not None, True), said
