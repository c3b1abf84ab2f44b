"""The host's verbs that pass streams on: commands, logs, and the data of an environment."""

import sys

from delivery import backup as dumps
from delivery import command_run, database_roles, logs, runs
from delivery import restore as restoring
from delivery.application import NAME
from delivery.cli import AlreadyReported
from delivery.compositions import HARDENED, actor, host_environments
from delivery.docker import Docker
from delivery.host_verbs import parts_of_restore
from delivery.paths import Paths
from delivery.postgres import Postgres, database
from delivery.settings import stored_value


def manage(environment, command):
    """Runs manage.py with these arguments, a list, on the live image, with this process's stdin and stdout."""
    live, docker = host_environments()[environment], Docker(*HARDENED)
    name = f"{NAME}-manage-{environment}-{runs.new()}"

    def run(image, program):
        return docker.attach(name, image, program, live.settings.current().values, sys.stdin.isatty())

    command_run.run(live, command, actor(), run)


def print_logs(environment, lines, since, grep, previous, follow):
    """The selected lines of the application's log; with `follow`, also new ones until stdin ends."""
    logs.check_exclusive(previous, follow)
    live, selection = host_environments()[environment], logs.Selection(int(lines), since, grep)
    return logs.follow(live, selection, logs.input_ends) if follow else logs.show(live, selection, previous)


def dump(environment):
    """Prints a dump of an environment's live database. Raises Foreign for one that is not on this host."""
    paths, postgres = Paths(), Postgres()
    live = host_environments(paths)[environment]
    url = live.settings.current().values.get(database_roles.SETTING, "")
    database_roles.role_of(url, database(environment), *postgres.place)  # otherwise the live data is elsewhere
    dumps.print_dump(environment, postgres, paths.backups, live.lock, sys.stdout.buffer)


def load(environment, anonymous=None):
    """Replaces the data of an environment with a dump from stdin; with `anonymous` without personal data."""
    restoring.load(host_environments()[environment], sys.stdin.buffer, bool(anonymous), **parts_of_restore())


def psql(environment):
    """Runs psql on an environment's live database, with the role in its settings."""
    url = stored_value(host_environments()[environment], database_roles.SETTING)
    if status := Postgres().psql(url, sys.stdin.isatty()):
        raise AlreadyReported(status)
