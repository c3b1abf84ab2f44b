"""What the environments serve: the status that a target reports, and the table of it.

The host's verb prints {"environments": [...], ...}. Each environment has `environment`, `version`,
`revision`, `digest` and `previous` (a digest), each null when it has none; `healthy`, whether it
answers; `deploying`, who deploys there now, and `last`, how the last deploy ended.
"""

import json

from delivery import targets
from delivery.cli import CommandError

# The columns of `row`.
HEAD = f"{'':5} {'URL':24} {'VERSION':9} {'REVISION':13} {'DIGEST':20} {'HEALTHY':8} {'PREVIOUS':20} LAST DEPLOY"


def show(form=None):
    """The status of the host, or with PROD=cluster of the cluster: a table, or with the form `json` as reported."""
    target = targets.for_environment("prod")
    if form == "json":
        return target.ask("status").rstrip()
    return "\n".join([HEAD, *(row(target.url(name), entry) for name, entry in environments(target).items())])


def environments(target):
    """{environment: its entry} in the status of a target.

    Raises CommandError when it is not of the form above, and as Target.ask does.
    """
    answer = target.ask("status")
    try:
        return {entry["environment"]: entry for entry in json.loads(answer)["environments"]}
    except (KeyError, TypeError, ValueError) as error:
        why = f"its status can't be read: {type(error).__name__}: {error}"
        raise CommandError("what the host serves is not known", why, "make status") from None


def row(url, entry):
    """One environment as a line of text; a missing value is a dash."""
    lengths = {"version": 9, "revision": 12, "digest": 19, "previous": 19}
    version, revision, digest, previous = ((entry[key] or "-")[:length] for key, length in lengths.items())
    healthy = "yes" if entry["healthy"] else "NO"
    build = f"{version:9} {revision:13} {digest:20}"
    return f"{entry['environment']:5} {url:24} {build} {healthy:8} {previous:20} {last_deploy(entry)}"


def last_deploy(entry):
    """Who deploys there now, or how the last deploy ended. A host with older files reports neither."""
    if entry.get("deploying"):
        return f"now: {entry['deploying']}"
    last = entry.get("last")
    return f"{last['verb']} {last['result']} {last['time']} by {last['actor']}" if last else "-"
