"""The verbs that the laptop and CI run on a target."""

import json
import sys

from delivery import backups, git, registry, status, targets, undo
from delivery.application import NAME
from delivery.cli import AlreadyReported, CommandError, UsageError, confirm, flag, log
from delivery.references import ENVIRONMENTS, VERSION

HISTORY = f"{'TIME':20} {'ACTOR':16} {'VERB':9} {'COMMIT':13} {'DIGEST':20} {'RESULT':7} SECONDS"


def deploy(environment, image):
    """Makes an image live: the named one, or HEAD's snapshot in dev and release in prod. Returns repository@digest.

    With DELIVERY_PLAN=1 it changes nothing and returns what would change.
    """
    planned = flag("DELIVERY_PLAN")
    reference = resolve(registry.shop(), environment, image)
    target = targets.for_environment(environment)
    if planned:
        return target.ask("plan", environment, reference).rstrip()
    undo.record(target, environment, reference)
    target.run("deploy", environment, reference)
    return reference


def resolve(shop, environment, name):
    """repository@digest of the image to deploy: a tag, repository@digest, or HEAD's for None.

    Raises UsageError for another repository and for a snapshot in production, CommandError if there is no
    such tag.
    """
    if name is None:
        name = (git.snapshot if environment == "dev" else git.version)(git.resolve())
    if environment == "prod" and "@" not in name and not VERSION.fullmatch(name):
        why = "production runs releases only: VERSION, as in 1.2.3"
        raise UsageError(f"'{name}' is not a release", why, "make promote")
    return shop.named(name, "make image push" if environment == "dev" else "make promote")


def rollback(environment, image):
    """Makes the previous image live again, or the named one, which must have been live before.

    With DELIVERY_PLAN=1 it changes nothing and returns what would change.
    """
    planned = flag("DELIVERY_PLAN")
    reference = image and registry.shop().named(image)
    target = targets.for_environment(environment)
    if planned:
        return target.ask("plan", environment, reference or previous(target, environment)).rstrip()
    target.run("rollback", environment, *[reference] if reference else [])
    return None


def previous(target, environment):
    """The repository@digest that a rollback would make live. Raises CommandError if there is none."""
    digest = status.environments(target)[environment]["previous"]
    if not digest:
        why = f"{environment} has had no other live image"
        raise CommandError("nothing to roll back to", why, f"make history-{environment}")
    return registry.shop().image(digest)


def history(environment, lines):
    """The last deploys of an environment as a table, oldest first."""
    answer = targets.for_environment(environment).ask("history", environment, lines)
    return "\n".join([HISTORY, *(history_row(json.loads(line)) for line in answer.splitlines())])


def history_row(entry):
    """One entry of the history as a line of the table."""
    cells = (f"{entry['time']:20}", f"{entry['actor']:16}", f"{entry['verb']:9}", f"{entry['commit'][:12]:13}")
    return " ".join((*cells, f"{entry['digest'][:19]:20}", f"{entry['result']:7}", str(entry["seconds"])))


def logs(environment, lines):
    """The last lines of the application's log, one JSON object a line."""
    return targets.for_environment(environment).ask("logs", environment, lines).rstrip()


def backup(environment):
    """Backs up the data of one environment, or of both (None); returns the paths on the host, one per line."""
    names = [environment] if environment else []
    try:
        return targets.for_data(*names or ENVIRONMENTS).ask("backup", *names).rstrip()
    except AlreadyReported as failure:
        print(failure.output, end="", file=sys.stderr)  # the path of the other environment, whose backup succeeded
        raise


def list_backups():
    """The backups on the host, newest first, one per line; reports overdue ones on stderr."""
    entries = backups.of(targets.for_data())
    for environment in ENVIRONMENTS:
        if problem := backups.overdue(entries, environment):
            log(f"{problem}. To see why, run on the host: journalctl -u {NAME}-backup")
    return "\n".join(map(str, entries))


def restore(environment, name, yes):
    """Replaces the data of an environment with a backup, the named one or `latest`; asks first unless `yes`.

    Raises CommandError if there is no such backup or the answer is not the environment's name.
    """
    backups.check_name(name)
    target = targets.for_data(environment)
    backup = backups.select(backups.of(target), environment, name)
    age = backups.age(backups.now() - backup.time)
    log(f"{environment} ({target.url(environment)}) gets the data of {backup.time:%Y-%m-%d %H:%M:%S} UTC")
    print(f"{backup}\nChanges made there in the last {age} are removed and kept as a backup.", file=sys.stderr)
    if not yes:
        confirm("The data is replaced.", environment)
    # By name, because another backup may be the latest by now.
    target.run("restore", environment, backup.name)
