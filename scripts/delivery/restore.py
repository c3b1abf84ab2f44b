"""Replaces the data of an environment with a dump."""

import contextlib
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from delivery import backup, backups, database_roles
from delivery.application import NAME
from delivery.cli import CommandError, log
from delivery.commands import MIGRATE, PROGRAM
from delivery.postgres import database
from delivery.settings import environment_file
from delivery.state import entry

MIGRATION_LIMIT = 300  # seconds
ANONYMIZE = (*PROGRAM, "anonymize")
MAGIC = b"PGDMP"  # begins a dump in the custom format
PART = 1 << 20  # bytes


class Dump(NamedTuple):
    """A dump that was read as a whole. `name` is that of a backup, or stdin; `verb` is the entry in the history."""

    path: Path
    name: str
    verb: str


def restore(environment, name, *, directory, postgres, **place):
    """Replaces an environment's data with the backup of that name or the `latest` one. Raises what `replace` raises."""
    backups.check_name(name)

    def find():
        path = backup.find(directory, environment.name, name)
        try:
            postgres.check_dump(path)
        except CommandError as error:
            why = f"{error.why}. Nothing was changed"
            raise CommandError(f"the dump {path.stem} is damaged", why, "make backups") from None
        return Dump(path, path.stem, f"restore {path.stem}")

    replace(environment, f"restore {environment.name} {name}", find, directory=directory, postgres=postgres, **place)


def load(environment, stream, anonymous, *, directory, postgres, **place):
    """Replaces an environment's data with the dump in a binary stream. Raises what `replace` raises.

    With `anonymous`, the application replaces personal data before the data becomes live.
    """
    verb = "load anonymous" if anonymous else "load"
    # The file has no name, so nothing is left of it if the verb is killed.
    with tempfile.TemporaryFile(dir=directory) as file:
        receive(stream, file, directory, postgres.size(database(environment.name)))
        path = Path(f"/dev/fd/{file.fileno()}")
        check(path, environment.name, postgres)
        place |= {"directory": directory, "postgres": postgres, "anonymous": anonymous}
        replace(environment, f"load {environment.name}", lambda: Dump(path, "stdin", verb), **place)


def receive(stream, file, directory, size):
    """Writes a dump in a stream to a file. Raises CommandError for other data, and if it needs too much space."""
    remedy = "make dump-dev >dev.dump, or make dump-prod >prod.dump"
    part, received = stream.read(PART), 0
    if not part.startswith(MAGIC):
        why = "it is not in the format of pg_dump -Fc" if part else "it is empty"
        raise CommandError("stdin is not a dump: nothing was changed", why, remedy)
    while part:
        received += len(part)
        backup.check_space(directory, required_space(size, received))
        file.write(part)
        part = stream.read(PART)
    file.flush()


def check(path, environment, postgres):
    """Reads a received dump as a whole. Raises CommandError if it is damaged, or made by a newer PostgreSQL."""
    try:
        postgres.check_dump(path)
    except CommandError as error:
        remedy = f"make dump-{environment} >{environment}.dump, then load the whole file"
        if "unsupported version" in error.why:
            remedy = "use a dump that pg_dump of the host's version of PostgreSQL, or of an older one, has made"
        raise CommandError("the dump on stdin can't be read: nothing was changed", error.why, remedy) from None


def required_space(size, dump):
    """The bytes for a dump of the previous data and for a database with the new data."""
    return size + max(size, 10 * dump)


def replace(
    environment, purpose, find, *, docker, postgres, directory, kept, answer_limit, actor, web, clock, anonymous=False
):  # fmt: skip
    """Replaces an environment's data with the Dump that `find` returns, migrated to the code of its live image.

    The dump is loaded into a new database, which is exchanged with the live one in one step. If the
    environment does not answer afterwards, they are exchanged back. The replaced data is kept as a
    dump. Raises CommandError; then the environment has its previous data.
    """
    live = database(environment.name)
    new, replaced = f"{live}_restored", f"{live}_replaced"
    container = f"{NAME}-restore-{environment.name}"
    started = time.monotonic()

    def keep_replaced():
        if postgres.exists(replaced):
            print(backup.dump(environment.name, replaced, postgres, directory, kept, backup.REPLACED), flush=True)
            postgres.drop(replaced)

    def is_healthy():
        return web.is_ready(environment.url()) and web.answers(environment.url(), candidate.revision)

    with environment.lock.acquire(purpose) as token:
        # Nothing is changed before the checks have passed.
        size = postgres.size(live)
        dump = find()
        backup.check_space(directory, required_space(size, dump.path.stat().st_size))
        image = environment.live()
        if not image:
            why = f"{environment.name} has no live image to migrate the data to"
            raise CommandError("cannot restore", why, f"make deploy-{environment.name}")
        candidate = environment.prepare(image)
        values = candidate.settings.values
        # Never the live database: the new one is migrated without regard to code that runs, and anonymized.
        address = database_roles.with_database(values.get(database_roles.SETTING, ""), live, new, *postgres.place)

        def record(result):
            seconds = time.monotonic() - started
            past = entry(environment.name, dump.verb, actor, image, candidate.revision, result, seconds)
            environment.state.add(token, past)

        keep_replaced()  # left behind by a killed restore
        postgres.drop(new)
        try:
            log(f"restore {dump.name} next to the live data")
            postgres.create(new, live)
            postgres.load(dump.path, new, live, address)
            log("migrate")
            # No code uses the new database, so it may be expanded and contracted in one run.
            overridden = environment_file(values | {database_roles.SETTING: address, "DATABASE_IN_USE": "0"})
            docker.run(container, image, MIGRATE, overridden, MIGRATION_LIMIT)
            if anonymous:
                log("replace personal data")
                replace_personal_data(docker, container, image, overridden)
            log("exchange the databases")
            postgres.exchange(live, new, replaced)
            if not any(is_healthy() for _ in clock.poll(answer_limit, 0.3)):
                postgres.exchange(live, replaced, new)
                raise CommandError(
                    f"{environment.name} does not answer with the data of {dump.name}",
                    f"waited {answer_limit} s",
                    f"make logs-{environment.name}",
                )
        except CommandError as error:
            with contextlib.suppress(CommandError):
                docker.remove(container)
                postgres.drop(new)
            record("failed")
            why = f"{error.why}. {environment.name} has its previous data"
            raise CommandError(error.what, why, error.remedy) from error
        record("ok")
        keep_replaced()
    log(f"{environment.name} has the data of {dump.name}; the data that it replaced is kept (above)")


def replace_personal_data(docker, container, image, settings):
    """Runs the application's command on the new database. Raises CommandError if it fails."""
    try:
        docker.run(container, image, ANONYMIZE, settings, MIGRATION_LIMIT)
    except CommandError as error:
        why = f"manage.py anonymize of the live image failed: {error.why}"
        remedy = "see its message above; an older image has no such command: deploy a newer one"
        raise CommandError("personal data was not replaced", why, remedy) from None
