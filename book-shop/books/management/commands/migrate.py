"""Django's migrate, made safe beside a shop that serves."""

import time
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections

KEY = 0x626F6F6B73  # "books": the number of the lock that all migrations of one database share
TURN = 60  # seconds to wait for another migration
PAUSE = 0.2  # seconds until it is looked at again
LOCK = 10  # seconds to wait for a table: whoever queues for one makes every request behind it wait as well


@contextmanager
def alone(connection):
    """Hold the migrations' lock of a PostgreSQL database; other databases have no such lock.

    PostgreSQL frees the lock of a process that died. Raises CommandError when somebody else holds it for too long.
    """
    if connection.vendor != "postgresql":
        yield
        return
    patience = time.monotonic() + TURN
    with connection.cursor() as cursor:
        # Asked for again and again: to wait for it inside PostgreSQL is a transaction that does not end, and the
        # holder's CREATE INDEX CONCURRENTLY waits for all of those, a deadlock.
        while not _taken(cursor):
            if time.monotonic() > patience:
                raise CommandError(f"Another migration has been running for more than {TURN} s: try again later.")
            time.sleep(PAUSE)
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{LOCK}s"])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s), set_config('lock_timeout', '0', false)", [KEY])


def _taken(cursor) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(%s)", [KEY])
    return cursor.fetchone()[0]


class Command(migrate.Command):
    """One at a time, and never in the way of requests for long."""

    def handle(self, *args, **options):
        """Run Django's migrate under the lock; a plan or a check needs none."""
        if options["plan"] or options["check_unapplied"]:
            return super().handle(*args, **options)
        with alone(connections[options["database"]]):
            try:
                return super().handle(*args, **options)
            except OperationalError as error:
                if "lock timeout" not in str(error):
                    raise
                raise CommandError(
                    f"A table was in use for more than {LOCK} s, and the migration has been undone: try again later, "
                    "or see pg_stat_activity for who holds it."
                ) from error
