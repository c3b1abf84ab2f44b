"""The host's verbs for data and for both environments."""

import json
import sys

from delivery import backup as dumps
from delivery import database_setup, http_client, nginx, operations, rotation, settings_change, settings_schema
from delivery import initial_settings as initial
from delivery import restore as restoring
from delivery import settings as stored
from delivery.application import NAME
from delivery.cli import CommandError, log, number_variable
from delivery.clock import Clock
from delivery.commands import PROGRAM
from delivery.compositions import HARDENED, actor, host_environments, host_settings, parameter_store
from delivery.docker import Docker
from delivery.parameter_store import move_file
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


def initial_settings(paths):
    """Generates the missing settings of both environments, which on AWS first moves them into Parameter Store."""
    for name, environment in host_environments(paths).items():
        file, store = environment.settings, parameter_store(name, paths)
        if store and isinstance(file, stored.FileSettings):
            with environment.lock.acquire(f"bootstrap {name}"):
                log(f"move the settings of {name} into Parameter Store")
                move_file(file, store)
    first, differs = paths.host()["ALLOWED_HOSTS"], []
    for name, environment in host_environments(paths).items():
        if initial.ensure(name, environment.settings, environment.lock, first):
            differs.append(name)
    if differs:
        changing = " and ".join(f"make set-{name} SETTING={nginx.SETTING}" for name in differs)
        what = f"ALLOWED_HOSTS of {' and '.join(differs)} stays as it is stored"
        log(f"{what}: that of the installation, '{first}', is only the first one. To change it: {changing}")


def database_roles(paths):
    """Creates the databases and roles of both environments, and makes their stored DATABASE_URLs work."""
    for name, environment in host_environments(paths).items():
        database_setup.ensure(name, environment.settings, Postgres(), environment.lock)


def allowed_hosts(environment, paths):
    """NGINX's list of the host names of an environment."""
    return nginx.listed(environment, stored.values(host_settings(environment, paths).load()))


def settings(environment, values=None):
    """The settings of an environment as JSON (delivery/settings_schema.py), with `values` also what is not secret."""
    return json.dumps(settings_schema.listing(host_environments()[environment], bool(values)))


def set_setting(environment, setting):
    """Changes a setting of an environment to the value on stdin."""
    settings_change.set_value(host_environments()[environment], setting, sys.stdin.buffer, actor())


def unset_setting(environment, setting):
    """Removes a setting of an environment."""
    settings_change.unset(host_environments()[environment], setting, actor())


def rotate(environment, secret):
    """Generates another database password or another key of an environment."""
    rotation.rotate(host_environments()[environment], secret, Postgres(), actor())


def clear_sessions():
    """Deletes the expired sessions of each environment that has a live image."""
    paths, docker = Paths(), Docker(*HARDENED)
    environments = host_environments(paths)

    def clear(name):
        if image := environments[name].live():
            values = stored.environment_file(environments[name].settings.current().values)
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
