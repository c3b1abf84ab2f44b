"""Replaces the data of an environment with a dump."""

import contextlib
import re
import time

from delivery import backup, backups
from delivery.application import NAME
from delivery.cli import CommandError, log
from delivery.environments.docker_slots import MIGRATE
from delivery.postgres import database
from delivery.settings import environment_file
from delivery.state import entry

MIGRATION_LIMIT = 300  # seconds


def restore(environment, name, *, docker, postgres, directory, kept, answer_limit, actor, web, clock):
    """Replaces an environment's data with a dump, migrated to the code of its live image.

    The dump is loaded into a new database, which is exchanged with the live one in one step. If the
    environment does not answer afterwards, they are exchanged back. The replaced data is kept as a
    dump. Raises CommandError; then the environment has its previous data.
    """
    backups.check_name(name)
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

    with environment.lock.acquire(f"restore {environment.name} {name}") as token:
        # Nothing is changed before the checks have passed.
        size = postgres.size(live)
        dump = backup.find(directory, environment.name, name)
        try:
            postgres.check_dump(dump)
        except CommandError as error:
            why = f"{error.why}. Nothing was changed"
            raise CommandError(f"the dump {dump.stem} is damaged", why, "make backups") from None
        # Space for a dump of the previous data and for a database with the new data.
        backup.check_space(directory, size + max(size, 10 * dump.stat().st_size))
        image = environment.live()
        if not image:
            why = f"{environment.name} has no live image to migrate the data to"
            raise CommandError("cannot restore", why, f"make deploy-{environment.name}")
        candidate = environment.prepare(image)

        def record(result):
            seconds = time.monotonic() - started
            verb = f"restore {dump.stem}"
            past = entry(environment.name, verb, actor, image, candidate.revision, result, seconds)
            environment.state.add(token, past)

        keep_replaced()  # left behind by a killed restore
        postgres.drop(new)
        try:
            log(f"restore {dump.stem} next to the live data")
            postgres.create(new, live)
            postgres.load(dump, new, live)
            log("migrate")
            values = candidate.settings.values
            address = re.sub(rf"/{live}(?=\?|$)", f"/{new}", values["DATABASE_URL"])
            # No code uses the new database, so it may be expanded and contracted in one run.
            overridden = environment_file(values | {"DATABASE_URL": address, "DATABASE_IN_USE": "0"})
            docker.run(container, image, MIGRATE, overridden, MIGRATION_LIMIT)
            log("exchange the databases")
            postgres.exchange(live, new, replaced)
            if not any(is_healthy() for _ in clock.poll(answer_limit, 0.3)):
                postgres.exchange(live, replaced, new)
                raise CommandError(
                    f"{environment.name} does not answer with the data of {dump.stem}",
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
    log(f"{environment.name} has the data of {dump.stem}; the data that it replaced is kept (above)")
