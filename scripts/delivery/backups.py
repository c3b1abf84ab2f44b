"""The host's backups, as its verb lists them: a line each, `<environment> <name> <bytes>`, the newest first.

A name is its time in UTC, 20261125T031500Z; with -replaced it has the data that a restore replaced then.
"""

import datetime
import re
from collections import namedtuple

from delivery.cli import CommandError, UsageError

NAME = re.compile("[0-9]{8}T[0-9]{6}Z(-replaced)?")
NIGHTLY = datetime.timedelta(hours=26)  # one is made each day, and the timer may be late


class Backup(namedtuple("Backup", "environment name size")):
    """One dump of an environment's data; `size` is in bytes. As text it is a line of the list."""

    @property
    def time(self):
        """When it was made."""
        return datetime.datetime.strptime(f"{self.name[:15]}+0000", "%Y%m%dT%H%M%S%z")

    @property
    def replaced(self):
        """Whether a restore made it."""
        return self.name.endswith("-replaced")

    def __str__(self):
        size = f"{self.size / 1e6:.1f} MB" if self.size >= 1e6 else f"{self.size / 1e3:.0f} kB"
        return f"{self.environment:5} {self.name:26} {size:>9}  {age(now() - self.time)} ago"


def check_name(name):
    """Raises UsageError unless the text is the name of a backup, or `latest`."""
    if name != "latest" and not NAME.fullmatch(name):
        why = "expected latest, or a name from the list"
        raise UsageError(f"invalid name of a backup {name[:200]!r}", why, "make backups")


def now():
    """The time, in UTC."""
    return datetime.datetime.now(datetime.timezone.utc)


def age(passed):
    """A length of time in words, to the hour from two hours on, to the day from two days on."""
    minutes = max(0, int(passed.total_seconds() // 60))
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} days"


def of(target):
    """All backups on a host, the newest first. Raises as Target.ask does."""
    lines = target.ask("backups").splitlines()
    return [Backup(environment, name, int(size)) for environment, name, size in map(str.split, lines)]


def select(backups, environment, name):
    """The environment's backup of that name, or its latest: the newest that no restore has made.

    Raises CommandError when there is none.
    """
    for backup in backups:
        if backup.environment == environment and (name == backup.name or (name == "latest" and not backup.replaced)):
            return backup
    why = f"there are {len(backups)} backups in all"
    raise CommandError(f"{environment} has no backup {name}", why, "make backups")


def overdue(backups, environment):
    """What is wrong with an environment's nightly backups, or None."""
    nightly = [backup for backup in backups if backup.environment == environment and not backup.replaced]
    if not nightly:
        return f"{environment} has no backup"
    if now() - nightly[0].time > NIGHTLY:
        return f"{environment}'s newest backup is {age(now() - nightly[0].time)} old, though there is one each night"
    return None
