"""The verbs that run on a target, as the laptop and CI start them."""

import json
import sys

from delivery import backups, git, registry, status, targets
from delivery.application import NAME
from delivery.cli import AlreadyReported, CommandError, UsageError, confirm, flag, log
from delivery.references import ENVIRONMENTS, VERSION

HISTORY = f"{'TIME':20} {'ACTOR':16} {'VERB':9} {'COMMIT':13} {'DIGEST':20} {'RESULT':7} SECONDS"


def deploy(environment, image):
    """Makes an image live: the one named, HEAD's snapshot in dev, HEAD's release in prod. Returns repository@digest.

    With DELIVERY_PLAN=1 it changes nothing and returns what would change.
    """
    planned = flag("DELIVERY_PLAN")
    reference = resolve(registry.shop(), environment, image)
    target = targets.for_environment(environment)
    if planned:
        return target.ask("plan", environment, reference).rstrip()
    target.run("deploy", environment, reference)
    return reference


def resolve(shop, environment, name):
    """repository@digest of the image to deploy: a tag, repository@digest, or HEAD's for None.

    Raises UsageError for another repository and for a snapshot in production, CommandError when there is
    no such tag.
    """
    if name is None:
        name = (git.snapshot if environment == "dev" else git.version)(git.resolve())
    if environment == "prod" and "@" not in name and not VERSION.fullmatch(name):
        why = "production runs releases only: VERSION, as in 1.2.3"
        raise UsageError(f"'{name}' is not a release", why, "make promote")
    return shop.named(name, "make image push" if environment == "dev" else "make promote")


def rollback(environment, image):
    """Makes the previous image live again, or the one named, which must have been live before.

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
    """repository@digest that a rollback would make live. Raises CommandError when there is none."""
    digest = status.environments(target)[environment]["previous"]
    if not digest:
        why = f"{environment} has served no other image yet"
        raise CommandError("nothing to roll back to", why, f"make history-{environment}")
    return registry.shop().image(digest)


def history(environment, lines):
    """The last deploys of an environment as a table, oldest first."""
    answer = targets.for_environment(environment).ask("history", environment, lines)
    return "\n".join([HISTORY, *(history_row(json.loads(line)) for line in answer.splitlines())])


def history_row(entry):
    """One line of the history (JSON on the host) as a line of text."""
    cells = (f"{entry['time']:20}", f"{entry['actor']:16}", f"{entry['verb']:9}", f"{entry['commit'][:12]:13}")
    return " ".join((*cells, f"{entry['digest'][:19]:20}", f"{entry['result']:7}", str(entry["seconds"])))


def logs(environment, lines):
    """The last lines of the application's log, one JSON object a line."""
    return targets.for_environment(environment).ask("logs", environment, lines).rstrip()


def backup(environment):
    """Backs up the data of one environment, or of both (None); returns the files on the host, a line each."""
    names = [environment] if environment else []
    try:
        return targets.for_data(*names or ENVIRONMENTS).ask("backup", *names).rstrip()
    except AlreadyReported as failure:
        print(failure.output, end="", file=sys.stderr)  # the other environment's, which succeeded
        raise


def list_backups():
    """The backups on the host, newest first, a line each; reports the ones that are overdue on stderr."""
    entries = backups.of(targets.for_data())
    for environment in ENVIRONMENTS:
        if problem := backups.overdue(entries, environment):
            log(f"{problem}. Why is in the host's journal: journalctl -u {NAME}-backup")
    return "\n".join(map(str, entries))


def restore(environment, name, yes):
    """Replaces the data of an environment by that of a backup, which is named or `latest`; asks unless `yes`.

    Raises CommandError when there is no such backup, or the answer is not the environment's name.
    """
    backups.check_name(name)
    target = targets.for_data(environment)
    backup = backups.select(backups.of(target), environment, name)
    age = backups.age(backups.now() - backup.time)
    log(f"{environment} ({target.url(environment)}) gets the data of {backup.time:%Y-%m-%d %H:%M:%S} UTC")
    print(f"{backup}\nChanges made there in the last {age} are removed and kept as a backup.", file=sys.stderr)
    if not yes:
        confirm("The data is replaced.", environment)
    # By its name: by now another one may be the latest.
    target.run("restore", environment, backup.name)
