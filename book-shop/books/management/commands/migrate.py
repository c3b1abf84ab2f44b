"""Django's migrate, made safe for a database in use."""

import time
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections
from django.db.migrations.executor import MigrationExecutor

from books import compatibility

KEY = 0x626F6F6B73  # "books" in ASCII: the advisory lock of migrations
TURN = 60  # seconds to wait for another migration
PAUSE = 0.2  # seconds between two attempts
LOCK = 10  # seconds to wait for a table, during which all later requests for it wait too


@contextmanager
def migration_lock(connection):
    """Hold the lock of migrations on PostgreSQL. Other databases have no advisory locks.

    Raise CommandError if another process holds the lock for too long.
    """
    if connection.vendor != "postgresql":
        yield
        return
    patience = time.monotonic() + TURN
    with connection.cursor() as cursor:
        # Waiting inside PostgreSQL would keep a transaction open. The CREATE INDEX CONCURRENTLY of the other migration
        # waits for all open transactions, which would be a deadlock.
        while not _try_lock(cursor):
            if time.monotonic() > patience:
                raise CommandError(f"Another migration has been running for more than {TURN} s. Try again later.")
            time.sleep(PAUSE)
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{LOCK}s"])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s), set_config('lock_timeout', '0', false)", [KEY])


def _try_lock(cursor) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(%s)", [KEY])
    return cursor.fetchone()[0]


def check_compatibility(connection):
    """Raise CommandError if this build must not run on the database, or must not migrate it.

    A database that the host is loading must have been the shop's: the dump may be that of another application.
    """
    executor = MigrationExecutor(connection)
    if not compatibility.in_use() and not any(label == "books" for label, _ in executor.loader.applied_migrations):
        raise CommandError("This is not a database of the shop: it has no books. Nothing was migrated.")
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    steps = [(step.app_label, step.name) for step, _ in plan]
    found = compatibility.problems(executor.loader, steps, compatibility.in_use())
    if found:
        raise CommandError("\n".join([*found, "Nothing was migrated."]))


class Command(migrate.Command):
    """Runs one migration at a time, does not block requests for long, and refuses a database that does not fit."""

    def handle(self, *args, **options):
        """Run Django's migrate with the lock. --plan and --check change nothing and need no lock."""
        connection = connections[options["database"]]
        if options["check_unapplied"]:
            return super().handle(*args, **options)
        if options["plan"]:
            check_compatibility(connection)
            return super().handle(*args, **options)
        with migration_lock(connection):
            try:
                check_compatibility(connection)
                return super().handle(*args, **options)
            except OperationalError as error:
                if "lock timeout" not in str(error):
                    raise
                raise CommandError(
                    f"A table was in use for more than {LOCK} s, so the migration was rolled back. Try again later, "
                    "or find the blocking query in pg_stat_activity."
                ) from error
