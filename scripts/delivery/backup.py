"""The dumps of an environment's database on its host: <environment>/<time>.dump.

The time is in UTC, for example 20261125T031500Z. The suffix -replaced marks data that a restore replaced.
"""

import calendar
import contextlib
import os
import shutil
import time

from delivery.backups import NAME, NIGHTLY
from delivery.cli import CommandError, log
from delivery.postgres import database

REPLACED = "-replaced"
STAMP = "%Y-%m-%dT%H:%M:%SZ"  # the format of times in the history


def back_up(environment, postgres, directory, lock, kept):
    """Dumps an environment's database and returns the path. The lock keeps migrations from running meanwhile."""
    with lock.acquire(f"backup {environment}"):
        check_space(directory, postgres.size(database(environment)))  # an upper bound: dumps are compressed
        log(f"back up {environment}")
        return dump(environment, database(environment), postgres, directory, kept)


def dump(environment, name, postgres, directory, kept, suffix=""):
    """Dumps a database, checks the dump and returns its path. Raises CommandError.

    Afterwards deletes older dumps: the newest `kept` with this suffix stay.
    """
    folder = directory / environment
    new = folder / "new"
    try:
        postgres.dump(name, new)
        postgres.check_dump(new)
    except CommandError as error:
        raise CommandError(
            f"the dump of {name} failed", f"{error.why}. No older dump was deleted", "make backups"
        ) from None
    while (path := folder / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}{suffix}.dump").exists():
        time.sleep(0.2)  # names have a resolution of one second
    new.rename(path)
    sync(folder)
    for old in dumps(directory, environment, suffix)[kept:]:
        old.unlink()
    return path


def print_dump(environment, postgres, directory, lock, stream):
    """Writes a dump of an environment's live database to a binary stream, after it was read as a whole.

    A slow reader of the stream keeps no deploy waiting, because the lock is held only for the dump.
    """
    path = directory / environment / "new"
    with contextlib.ExitStack() as files:
        with lock.acquire(f"dump {environment}"):
            check_space(directory, postgres.size(database(environment)))
            try:
                postgres.dump(database(environment), path)
                postgres.check_dump(path)
                file = files.enter_context(open(path, "rb"))
            finally:
                path.unlink(missing_ok=True)
        shutil.copyfileobj(file, stream)
    stream.flush()


def dumps(directory, environment, suffix=""):
    """The dumps of an environment, newest first: the nightly ones, or those with the given suffix."""
    paths = (directory / environment).glob(f"[0-9]*Z{suffix}.dump")
    return sorted((path for path in paths if NAME.fullmatch(path.stem)), reverse=True)


def find(directory, environment, name):
    """The path of the dump of that name; `latest` is the newest nightly one. Raises CommandError if there is none."""
    path = directory / environment / f"{name}.dump"
    if name == "latest":
        path = next(iter(dumps(directory, environment)), path)
    if not path.exists():
        raise CommandError(f"{environment} has no backup '{name}'", f"{path} does not exist", "make backups")
    return path


def listing(directory, environments):
    """One line `<environment> <name> <bytes>` per dump, sorted by environment, newest first."""
    lines = []
    for environment in environments:
        paths = dumps(directory, environment) + dumps(directory, environment, REPLACED)
        for path in sorted(paths, reverse=True):
            lines.append(f"{environment} {path.stem} {path.stat().st_size}")
    return "\n".join(lines)


def status(directory, environment, history):
    """{"last_backup": the name of the newest nightly dump or None, "backup_overdue": whether one is missing}.

    Only the age counts, because each dump was checked when it was made. `history` is the environment's:
    without any dump, one is overdue NIGHTLY after the first entry.
    """
    newest = next((path.stem for path in dumps(directory, environment)), None)
    since = [seconds(newest, "%Y%m%dT%H%M%SZ")] if newest else [seconds(e["time"], STAMP) for e in history[:1]]
    overdue = any(time.time() - start > NIGHTLY.total_seconds() for start in since)
    return {"last_backup": newest, "backup_overdue": overdue}


def seconds(text, form):
    """A time in UTC as a Unix time in seconds."""
    return calendar.timegm(time.strptime(text, form))


def check_space(directory, required):
    """Raises CommandError unless the disk with the databases and dumps has `required` bytes free."""
    free = shutil.disk_usage(directory).free
    if free < required:
        why = f"{free} bytes are free, {required} are required"
        raise CommandError("not enough disk space: nothing was changed", why, "free some space on the host's disk")


def sync(directory):
    """Flushes a directory to disk, so that a rename in it survives a power failure."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
