"""manage.py migrate refuses a database that does not fit the build, by the names of migrations."""

import shutil

import psycopg
import pytest
from shop_fixtures import create_database, create_template
from shop_program import PROJECT, run

MIGRATION = """
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("books", "{before}")]
    replaces = {replaces}
    operations = []
"""
LAST = max(path.stem for path in (PROJECT / "books/migrations").glob("0*.py"))
EXPAND, MOVE_ON, CONTRACT = "0901_note", "0902_no_note", "0903_drop_note_unused_since_0902"


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """Return a function that makes a build with additional migrations of books, in this order."""

    def make(*names, replaces=()):
        project = tmp_path_factory.mktemp("build") / "shop"
        shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("__pycache__", "*.sqlite3"))
        for before, name in zip((LAST, *names), names, strict=False):
            text = MIGRATION.format(before=before, replaces=list(replaces) if name == names[-1] else [])
            (project / f"books/migrations/{name}.py").write_text(text)
        return project

    return make


def migrate(project, database, *arguments, **changes):
    return run("manage.py", "migrate", *arguments, directory=project, DATABASE_URL=database, **changes)


def applied(database):
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT name FROM django_migrations WHERE app = 'books' AND name > '09' ORDER BY name"
        )
        return [name for (name,) in rows]


@pytest.fixture(scope="session")
def contracted_template(build, postgresql, migrated):
    """Return the name of the template of `contracted`: three releases in turn expand it, move on and contract it."""

    def migrate_in_turn(url):
        for names in ((EXPAND,), (EXPAND, MOVE_ON), (EXPAND, MOVE_ON, CONTRACT)):
            done = migrate(build(*names), url)
            assert done.returncode == 0, done.stderr

    return create_template(postgresql, "contracted", migrate_in_turn, migrated)


@pytest.fixture
def contracted(postgresql, contracted_template):
    """Return the URL of a database that was expanded by one release, and contracted by the one after the next."""
    return create_database(postgresql, contracted_template)


@pytest.mark.parametrize("arguments", [[], ["--plan"]])
def test_build_that_uses_what_was_removed_is_refused(build, contracted, arguments):
    done = migrate(build(EXPAND), contracted, *arguments)
    assert done.returncode == 1
    assert f"The database has the migration books.{CONTRACT}" in done.stderr
    assert "this build has no migration 0902 of books" in done.stderr


def test_build_from_before_the_expansion_is_refused(build, contracted):
    assert f"books.{CONTRACT}" in migrate(build(), contracted).stderr


def test_refused_build_applies_no_migration(build, contracted):
    assert migrate(build(EXPAND, "0990_of_another_branch"), contracted).returncode == 1
    assert applied(contracted) == [EXPAND, MOVE_ON, CONTRACT]


def test_previous_release_runs_on_the_contracted_database(build, contracted):
    assert migrate(build(EXPAND, MOVE_ON), contracted).returncode == 0


def test_squashed_migration_stands_for_those_that_it_replaces(build, contracted):
    squashed = build("0901_squashed", replaces=[("books", EXPAND), ("books", MOVE_ON)])
    assert migrate(squashed, contracted).returncode == 0


def test_squashed_migration_is_all_that_remains_of_the_others(build, contracted, database):
    """As squashmigrations names it. A later release removes the others and `replaces`."""
    squashed = "0901_note_squashed_0903_drop_note_unused_since_0902"
    replaces = [("books", name) for name in (EXPAND, MOVE_ON, CONTRACT)]
    assert migrate(build(squashed, replaces=replaces), contracted).returncode == 0
    remaining = build(squashed)
    for existing in (contracted, database):
        done = migrate(remaining, existing)
        assert done.returncode == 0, done.stderr
        assert "this build has no migration 0902 of books" in migrate(build(EXPAND), existing).stderr


def test_squashed_migration_does_not_stand_for_a_later_one(build, contracted):
    older = build("0900_more_squashed_0901_note")
    assert "this build has no migration 0902 of books" in migrate(older, contracted).stderr


def test_build_without_the_app_of_a_contracting_migration_is_accepted(build, contracted):
    with psycopg.connect(contracted) as connection:
        connection.execute("UPDATE django_migrations SET app = 'removed' WHERE name = %s", [CONTRACT])
    assert migrate(build(EXPAND), contracted).returncode == 0


@pytest.mark.parametrize("arguments", [[], ["--plan"]])
def test_contraction_is_refused_while_code_may_use_what_it_removes(build, migrated_database, arguments):
    done = migrate(build(EXPAND, MOVE_ON, CONTRACT), migrated_database, *arguments)
    assert done.returncode == 1
    assert f"The migration books.{CONTRACT} removes what the running code may still use" in done.stderr
    assert applied(migrated_database) == []


def test_database_that_no_code_uses_is_expanded_and_contracted_in_one_run(build, migrated_database):
    done = migrate(build(EXPAND, MOVE_ON, CONTRACT), migrated_database, DATABASE_IN_USE="0")
    assert done.returncode == 0, done.stderr
    assert applied(migrated_database) == [EXPAND, MOVE_ON, CONTRACT]


def test_database_of_another_application_is_refused_while_it_is_loaded(build, database, migrated_database):
    with psycopg.connect(migrated_database) as connection:
        connection.execute("UPDATE django_migrations SET app = 'news' WHERE app = 'books'")
    for other in (database, migrated_database):
        done = migrate(build(EXPAND), other, DATABASE_IN_USE="0")
        assert done.returncode == 1
        assert "not a database of the shop" in done.stderr


def test_new_database_is_expanded_and_contracted_in_one_run(build, database):
    done = migrate(build(EXPAND, MOVE_ON, CONTRACT), database)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("number", ["0899", "02", "9999", "0004_again", "today", ""])
def test_contracting_migration_that_names_no_migration_is_refused(build, migrated_database, number):
    done = migrate(build(f"0903_drop_unused_since_{number}"), migrated_database)
    assert done.returncode == 1
    assert f"names a migration '{number}', which books does not have" in done.stderr
