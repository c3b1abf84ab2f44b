"""What a target promises: the place where the verbs of the host run."""

import json
from pathlib import Path
from typing import Protocol

from delivery.cli import log


class Target(Protocol):
    """A host or a cluster. The implementations differ in how they reach it, not in what the verbs do there.

    `verb` is a key of verbs.json; the arguments are in the order that it states, the environment
    first.
    """

    def check(self) -> None:
        """Raises CommandError unless the target can be reached. Changes nothing."""

    def run(self, verb: str, *arguments: str) -> None:
        """Runs a verb and passes its output through to stderr as it comes.

        Raises AlreadyReported when the verb failed, and CommandError when it could not be started or
        its end was not seen: then it may still be running. After an interrupt (Ctrl-C) it reports
        whether the verb continues, and raises KeyboardInterrupt.
        """

    def ask(self, verb: str, *arguments: str) -> str:
        """Runs a verb and returns what it printed on stdout. Raises as `run` does."""

    def url(self, environment: str) -> str:
        """The address of an environment as seen from this machine; empty while it has none."""


def verbs() -> dict:
    """verbs.json: the verbs of the host and the form of their arguments.

    `environments` are those that its first argument may name (none: it takes no environment),
    `arguments` the names of the others, where ? marks an optional one. For Systems Manager: `document`
    says who may send it (environment: the roles of that environment; data: no role), and with
    `merge_output` progress and answer are one stream.
    """
    return json.loads((Path(__file__).parents[1] / "verbs.json").read_text(encoding="utf-8"))


def report_continues(verb: str, *arguments: str, more: str = "") -> None:
    """Reports, after an interrupt here, that a verb that changes something continues on the host; how to follow it."""
    if verb in ("deploy", "rollback", "restore"):
        follow = f"make status history-{arguments[0]}"
    elif verb == "backup":
        follow = "make backups"
    else:
        return
    log(f"{' '.join([verb, *arguments[:1]])} continues on the host. Follow it: {follow}{more}")
