"""The dumps of an environment's database on its host: <environment>/<time>.dump.

A name is the time of the dump in UTC, 20261125T031500Z; with -replaced it is what a restore replaced.
"""

import calendar
import os
import shutil
import time

from delivery.backups import NAME, NIGHTLY
from delivery.cli import CommandError, log
from delivery.postgres import database

REPLACED = "-replaced"
STAMP = "%Y-%m-%dT%H:%M:%SZ"  # of the history


def back_up(environment, postgres, directory, lock, kept):
    """Dumps an environment's database and returns the path. No migration runs meanwhile."""
    with lock.acquire(f"backup {environment}"):
        check_space(directory, postgres.size(database(environment)))  # a dump is compressed: it takes less
        log(f"back up {environment}")
        return dump(environment, database(environment), postgres, directory, kept)


def dump(environment, name, postgres, directory, kept, suffix=""):
    """Dumps a database and returns the path of a file that is whole and readable.

    Only then are older dumps removed: `kept` of each kind stay.
    """
    folder = directory / environment
    new = folder / "new"
    try:
        postgres.dump(name, new)
        postgres.check_dump(new)
    except CommandError as error:
        raise CommandError(
            f"the dump of {name} failed", f"{error.why}. No older one was removed", "make backups"
        ) from None
    while (path := folder / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}{suffix}.dump").exists():
        time.sleep(0.2)  # each has a second of its own
    new.rename(path)
    sync(folder)
    for old in dumps(directory, environment, suffix)[kept:]:
        old.unlink()
    return path


def dumps(directory, environment, suffix=""):
    """The dumps of an environment, the newest first: the nightly ones, or those with a suffix."""
    found = (directory / environment).glob(f"[0-9]*Z{suffix}.dump")
    return sorted((path for path in found if NAME.fullmatch(path.stem)), reverse=True)


def find(directory, environment, name):
    """The dump of that name, or the newest that no restore has made for `latest`. Raises CommandError."""
    path = directory / environment / f"{name}.dump"
    if name == "latest":
        path = next(iter(dumps(directory, environment)), path)
    if not path.exists():
        raise CommandError(f"{environment} has no backup '{name}'", f"{path} does not exist", "make backups")
    return path


def listing(directory, environments):
    """A line `<environment> <name> <bytes>` for each dump: environment by environment, the newest first."""
    lines = []
    for environment in environments:
        found = dumps(directory, environment) + dumps(directory, environment, REPLACED)
        for path in sorted(found, reverse=True):
            lines.append(f"{environment} {path.stem} {path.stat().st_size}")
    return "\n".join(lines)


def status(directory, environment, history):
    """{"last_backup": the name of the newest nightly dump or None, "backup_overdue": whether one is missing}.

    Every dump was read to its end when it was made. `history` is the environment's: one that has been
    live for longer than NIGHTLY without a dump misses it.
    """
    newest = next((path.stem for path in dumps(directory, environment)), None)
    since = [seconds(newest, "%Y%m%dT%H%M%SZ")] if newest else [seconds(e["time"], STAMP) for e in history[:1]]
    overdue = any(time.time() - found > NIGHTLY.total_seconds() for found in since)
    return {"last_backup": newest, "backup_overdue": overdue}


def seconds(text, form):
    """A time in UTC as seconds since 1970."""
    return calendar.timegm(time.strptime(text, form))


def check_space(directory, required):
    """Raises CommandError unless the disk of PostgreSQL and of the dumps has that many bytes free."""
    free = shutil.disk_usage(directory).free
    if free < required:
        why = f"{free} bytes are free, {required} are required"
        raise CommandError("not enough disk space: nothing was changed", why, "free some space on the host's disk")


def sync(directory):
    """Makes a rename in a directory outlast a power failure."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
