"""The backups on the host, from the output of its verb `backups`: `<environment> <name> <bytes>` per line.

A name is the time in UTC, for example 20261125T031500Z. The suffix -replaced marks data that a restore replaced.
"""

import datetime
import re
from collections import namedtuple

from delivery.cli import CommandError, UsageError
from delivery.grammar import GRAMMAR

NAME = re.compile(GRAMMAR["backup"])
NIGHTLY = datetime.timedelta(hours=26)  # the timer runs once a day and may be late


class Backup(namedtuple("Backup", "environment name size")):
    """A backup of an environment's data; `size` is in bytes. str() returns its line in the list."""

    @property
    def time(self):
        """The time of the backup, in UTC."""
        return datetime.datetime.strptime(f"{self.name[:15]}+0000", "%Y%m%dT%H%M%S%z")

    @property
    def replaced(self):
        """Whether it contains data that a restore replaced."""
        return self.name.endswith("-replaced")

    def __str__(self):
        size = f"{self.size / 1e6:.1f} MB" if self.size >= 1e6 else f"{self.size / 1e3:.0f} kB"
        return f"{self.environment:5} {self.name:26} {size:>9}  {age(now() - self.time)} ago"


def check_name(name):
    """Raises UsageError unless `name` is `latest` or has the form of a backup's name."""
    if name != "latest" and not NAME.fullmatch(name):
        why = "expected latest, or a name from the list"
        raise UsageError(f"invalid backup name {name[:200]!r}", why, "make backups")


def now():
    """The current time, in UTC."""
    return datetime.datetime.now(datetime.timezone.utc)


def age(passed):
    """A duration in words: in minutes below two hours, in hours below two days, then in days."""
    minutes = max(0, int(passed.total_seconds() // 60))
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} days"


def of(target):
    """All backups on a host, in the order of its list. Raises what Target.ask raises."""
    lines = target.ask("backups").splitlines()
    return [Backup(environment, name, int(size)) for environment, name, size in map(str.split, lines)]


def select(backups, environment, name):
    """The environment's backup of that name; `latest` is the newest nightly one.

    Raises CommandError if there is none.
    """
    for backup in backups:
        if backup.environment == environment and (name == backup.name or (name == "latest" and not backup.replaced)):
            return backup
    why = f"there are {len(backups)} backups in all"
    raise CommandError(f"{environment} has no backup {name}", why, "make backups")


def overdue(backups, environment):
    """A message if an environment's nightly backup is overdue, otherwise None."""
    nightly = [backup for backup in backups if backup.environment == environment and not backup.replaced]
    if not nightly:
        return f"{environment} has no backup"
    if now() - nightly[0].time > NIGHTLY:
        return f"{environment}'s newest backup is {age(now() - nightly[0].time)} old, but one is made each night"
    return None
