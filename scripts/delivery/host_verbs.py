"""The host's verbs for both environments and for their backups."""

import json

from delivery import backup as dumps
from delivery import http_client, operations, settings
from delivery import restore as restoring
from delivery.application import NAME
from delivery.cli import CommandError, log, number_variable
from delivery.clock import Clock
from delivery.commands import PROGRAM
from delivery.compositions import HARDENED, actor, host_environments
from delivery.docker import Docker
from delivery.paths import Paths
from delivery.postgres import Postgres
from delivery.references import ENVIRONMENTS

SESSIONS_LIMIT = 600  # seconds
CLEAR_SESSIONS = (*PROGRAM, "clearsessions")


def status():
    """The status of both environments and their backups, and the version of the host's files, as JSON."""
    paths = Paths()
    entries = [
        operations.status(environment) | dumps.status(paths.backups, name, environment.state.history())
        for name, environment in host_environments(paths).items()
    ]
    return json.dumps({"environments": entries, "host_files": paths.version()})


def backup(environment=None):
    """Dumps the database of one environment, or of both, and prints the paths."""
    paths = Paths()
    environments = host_environments(paths)

    def back_up(name):
        print(dumps.back_up(name, Postgres(), paths.backups, environments[name].lock, kept()), flush=True)

    for_each([environment] if environment else ENVIRONMENTS, back_up)


def backups():
    """One line per dump, as backup.listing returns them."""
    return dumps.listing(Paths().backups, ENVIRONMENTS)


def restore(environment, dump):
    """Replaces the data of an environment with a dump on the host."""
    restoring.restore(host_environments()[environment], dump, **parts_of_restore())


def parts_of_restore():
    """What replaces the data of an environment."""
    return {
        "docker": Docker(*HARDENED),
        "postgres": Postgres(),
        "directory": Paths().backups,
        "kept": kept(),
        "answer_limit": number_variable("DELIVERY_ANSWER_LIMIT", 15),
        "actor": actor(),
        "web": http_client,
        "clock": Clock(),
    }


def clear_sessions():
    """Deletes the expired sessions of each environment that has a live image."""
    paths, docker = Paths(), Docker(*HARDENED)
    environments = host_environments(paths)

    def clear(name):
        if image := environments[name].live():
            values = settings.environment_file(environments[name].settings.current().values)
            docker.run(f"{NAME}-sessions-{name}", image, CLEAR_SESSIONS, values, SESSIONS_LIMIT)

    for_each(ENVIRONMENTS, clear)


def kept():
    """How many dumps of each kind are kept."""
    return number_variable("DELIVERY_KEEP", 14, of_what="dumps", least=1)


def for_each(names, operation):
    """Calls the operation with each name, even if one fails. Raises the last CommandError and logs the others."""
    failures = []
    for name in names:
        try:
            operation(name)
        except CommandError as error:
            failures.append(error)
    for error in failures[:-1]:
        log(str(error))
    if failures:
        raise failures[-1]
