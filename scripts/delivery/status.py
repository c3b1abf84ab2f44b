"""The status of the environments, as a target reports it and as a table.

The host's verb prints {"environments": [...], ...}. Each environment has `environment`, `version`,
`revision`, `digest` and `previous` (a digest), each null if there is none; `healthy`, whether it
answers; `current`, the {image, version, commit} of the image that a deploy is compared with; `deploying`,
the holder of the lock; `settings_pending`, whether the stored settings differ from the live ones; and `last`, the
last entry of the history. A host with older files has no `current` and no `settings_pending`. On a host it
also has `last_backup`, the name of the newest nightly dump, and `backup_overdue`.
"""

import json

from delivery import backups, order, targets
from delivery.application import NAME
from delivery.cli import CommandError

RECENT = 50  # entries of a history: about as many as Systems Manager returns at once
# The columns of `row`.
HEAD = (
    f"{'':5} {'URL':24} {'VERSION':9} {'REVISION':13} {'DIGEST':20} {'HEALTHY':8} {'PREVIOUS':20} "
    f"{'BACKUP':8} LAST DEPLOY"
)


def show(form=None):
    """Prints the status of the host, or with DELIVERY_PROD=cluster of the cluster, as a table or as JSON (`json`).

    Raises CommandError afterwards if a nightly backup is overdue.
    """
    target = targets.for_environment("prod")
    answer = target.ask("status")
    entries = parse(answer)
    rows = (row(target.url(name), entry) for name, entry in entries.items())
    waiting = (pending(entry) for entry in entries.values() if entry.get("settings_pending"))
    print(answer.rstrip() if form == "json" else "\n".join([HEAD, *rows, *waiting]), flush=True)
    if late := [name for name, entry in entries.items() if entry.get("backup_overdue")]:
        why = f"the newest one of {late[0]} is {backup_age(entries[late[0]])} old, but one is made each night"
        if not entries[late[0]]["last_backup"]:
            why = "none was ever made, but one is made each night"
        remedy = f"make backup shows the error; on the host: journalctl -u {NAME}-backup"
        raise CommandError(f"the backup of {' and '.join(late)} is overdue", why, remedy)


def environments(target):
    """{environment: entry} in the status of a target. Raises what `parse` and Target.ask raise."""
    return parse(target.ask("status"))


def parse(answer):
    """{environment: entry} in the JSON of a status. Raises CommandError if it does not have the form above."""
    try:
        return {entry["environment"]: entry for entry in json.loads(answer)["environments"]}
    except (KeyError, TypeError, ValueError) as error:
        why = f"invalid status: {type(error).__name__}: {error}"
        raise CommandError("cannot read the status of the target", why, "make status") from None


def history(target, environment, lines=RECENT):
    """The last entries of an environment's history (delivery/state.py), oldest first."""
    return [json.loads(line) for line in target.ask("history", environment, str(lines)).splitlines()]


def row(url, entry):
    """One environment as a line of text; a missing value is a dash."""
    lengths = {"version": 9, "revision": 12, "digest": 19, "previous": 19}
    version, revision, digest, previous = ((entry[key] or "-")[:length] for key, length in lengths.items())
    healthy = "yes" if entry["healthy"] else "NO"
    serves = f"{version:9} {revision:13} {digest:20} {healthy:8}"
    past = f"{previous:20} {backup_age(entry):8} {last_deploy(entry)}"
    return f"{entry['environment']:5} {url:24} {serves} {past}"


def pending(entry):
    """The line about an environment whose stored settings are not the live ones."""
    name = entry["environment"]
    image = order.Build(**entry["current"]).tag(name)
    return f"{name}: the stored settings are not the live ones. To apply them: make deploy-{name} IMAGE={image}"


def backup_age(entry):
    """The age of the newest nightly dump in words; a dash if there is none, as on a cluster."""
    if not entry.get("last_backup"):
        return "-"
    return backups.age(backups.now() - backups.Backup(entry["environment"], entry["last_backup"], 0).time)


def last_deploy(entry):
    """The running deploy, or the result of the last one. A host with older files reports neither."""
    if entry.get("deploying"):
        return f"now: {entry['deploying']}"
    last = entry.get("last")
    return f"{last['verb']} {last['result']} {last['time']} by {last['actor']}" if last else "-"
