"""The status of the environments, as a target reports it and as a table.

The host's verb prints {"environments": [...], ...}. Each environment has `environment`, `version`,
`revision`, `digest` and `previous` (a digest), each null if there is none; `healthy`, whether it
answers; `current`, the {image, version, commit} of the image that a deploy is compared with; `deploying`,
the holder of the lock; `settings_pending`, whether the stored settings differ from the live ones; `url`, the stored
PUBLIC_URL; `asks_password`, whether its pages have a password; and `last`, the last entry of the history. A host with
older files has no `current`, `settings_pending`, `url` and `asks_password`. On a host it also has `last_backup`, the
name of the newest nightly dump, and `backup_overdue`.
"""

import json

from delivery import backups, order, public_url, targets
from delivery.application import NAME
from delivery.cli import CommandError

RECENT = 50  # entries of a history: about as many as Systems Manager returns at once
# The columns of `row`.
HEAD = f"{'VERSION':9} {'REVISION':13} {'DIGEST':20} {'HEALTHY':8} {'PREVIOUS':20} {'BACKUP':8} LAST DEPLOY"


def show(form=None):
    """Prints the status of the host, or with DELIVERY_PROD=cluster of the cluster, as a table or as JSON (`json`).

    Raises CommandError afterwards if a nightly backup is overdue.
    """
    target = targets.for_environment("prod")
    answer = target.ask("status")
    entries = parse(answer)
    print(answer.rstrip() if form == "json" else "\n".join(table(target, entries)), flush=True)
    if late := [name for name, entry in entries.items() if entry.get("backup_overdue")]:
        why = f"the newest one of {late[0]} is {backup_age(entries[late[0]])} old, but one is made each night"
        if not entries[late[0]]["last_backup"]:
            why = "none was ever made, but one is made each night"
        remedy = f"make backup shows the error; on the host: journalctl -u {NAME}-backup"
        raise CommandError(f"the backup of {' and '.join(late)} is overdue", why, remedy)


def table(target, entries):
    """The lines about the environments."""
    urls = {name: url(target, entry) for name, entry in entries.items()}
    width = max(24, *map(len, urls.values()))
    rows = [("", "URL", HEAD), *((name, urls[name], row(entry)) for name, entry in entries.items())]
    lines = [f"{name:5} {address:{width}} {text}" for name, address, text in rows]
    if plain := [name for name, address in urls.items() if address and not public_url.is_https(address)]:
        lines.append(f"{' and '.join(plain)}: the connection is not encrypted: see docs/operations/serve-https.md")
    return lines + [pending(entry) for entry in entries.values() if entry.get("settings_pending")]


def url(target, entry):
    """The address at which users reach the environment of an entry; empty while there is none."""
    name = entry["environment"]
    if targets.on_cluster(name):  # its target knows PUBLIC_URL and the address that replaces it
        return target.url(name)
    return entry.get("url") or target.url(name)


def url_of(target, environment):
    """As `url`; asks the target. Raises what `environments` raises."""
    return url(target, environments(target)[environment])


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


def row(entry):
    """The cells of an environment as text, from VERSION on; a missing value is a dash."""
    lengths = {"version": 9, "revision": 12, "digest": 19, "previous": 19}
    version, revision, digest, previous = ((entry[key] or "-")[:length] for key, length in lengths.items())
    healthy = "yes" if entry["healthy"] else "NO"
    serves = f"{version:9} {revision:13} {digest:20} {healthy:8}"
    return f"{serves} {previous:20} {backup_age(entry):8} {last_deploy(entry)}"


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
