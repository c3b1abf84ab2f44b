"""Runs manage.py once, on the live image of an environment and with its settings."""

import time

from delivery import commands, order
from delivery.cli import AlreadyReported, CommandError, log
from delivery.state import entry


def run(environment, words, actor, execute):
    """Runs manage.py with these arguments and records it in the history. It holds no lock: deploys continue.

    `execute(image, command)` runs the command next to the live image and returns its exit status. Raises
    AlreadyReported with this status unless it is 0, and CommandError if there is no live image or the command could
    not be started.
    """
    image = environment.live()
    if not image:
        why = f"{environment.name} has no live image"
        raise CommandError("cannot run the command", why, f"make deploy-{environment.name}")
    started, result = time.monotonic(), "failed"
    try:
        status = execute(image, [*commands.PROGRAM, *words])
        result = "failed" if status else "ok"
    finally:
        record(environment, commands.verb(words), actor, image, result, time.monotonic() - started)
    if status:
        raise AlreadyReported(status)


def record(environment, verb, actor, image, result, seconds):
    """Adds a command to the history. The command has ended, so a failure is only reported."""
    try:
        commit = order.describe(environment, image).commit
        environment.state.note(entry(environment.name, verb, actor, image, commit, result, seconds))
    except (CommandError, OSError) as error:
        log(f"the command is missing in the history of {environment.name}: {error}")
