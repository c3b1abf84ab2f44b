"""The interface of a target, where the host's verbs run."""

import json
from pathlib import Path
from typing import Protocol

from delivery.cli import log


class Target(Protocol):
    """A host or a cluster. The implementations differ in how they reach it, not in what the verbs do there.

    `verb` is a key of verbs.json. The arguments are in the order given there, the environment first.
    """

    def check(self) -> None:
        """Raises CommandError unless the target can be reached. Changes nothing."""

    def run(self, verb: str, *arguments: str) -> None:
        """Runs a verb and passes its output through to stderr as it arrives.

        Raises AlreadyReported if the verb failed, and CommandError if it could not be started or its
        end was not seen; then it may still be running. After an interrupt (Ctrl-C), reports whether
        the verb continues and raises KeyboardInterrupt.
        """

    def ask(self, verb: str, *arguments: str) -> str:
        """Runs a verb and returns its output on stdout. Raises what `run` raises."""

    def attach(self, verb: str, *arguments: str, terminal: bool = False) -> None:
        """Runs a verb that is `attached` in verbs.json with this process's stdin, stdout and stderr.

        With `terminal`, the verb has the caller's terminal; without it, a terminal is not read. An interrupt ends a
        verb in INTERRUPTED. Raises AlreadyReported with the verb's exit status if it failed, and what `run` raises.
        """

    def follow(self, verb: str, *arguments: str) -> None:
        """Runs a verb that prints without end, with this process's stdout, until this process ends.

        Raises what `attach` raises, and UsageError if the target has no way to do it.
        """

    def url(self, environment: str) -> str:
        """The address of an environment as seen from this machine; empty while there is none."""


# Attached verbs that an interrupt (Ctrl-C) ends, because nothing depends on their end. The others continue.
INTERRUPTED = ("manage", "psql", "dump")


def verbs() -> dict:
    """verbs.json: the verbs of the host and their arguments.

    `takes_environment` is whether the first argument is an environment. `arguments` are the names of the
    others; ? marks an optional one. For Systems Manager, `document` is
    the kind of document that runs the verb (environment: the roles of that environment may send it;
    another name: no role may; null: the verb is not available there), and `merge_output` merges progress and
    answer into one stream. A verb that is `attached` reads stdin or writes data to stdout. `options` are passed
    after the arguments, as --name or --name=value.
    """
    return json.loads((Path(__file__).parents[1] / "verbs.json").read_text(encoding="utf-8"))


def report_continues(verb: str, *arguments: str, more: str = "") -> None:
    """Reports after an interrupt that a verb that changes something continues on the host, and how to follow it."""
    if verb in ("deploy", "rollback", "undo", "restore", "load", "set", "unset", "rotate"):
        follow = f"make status history-{arguments[0]}"
    elif verb == "backup":
        follow = "make backups"
    else:
        return
    log(f"{' '.join([verb, *arguments[:1]])} continues on the host. Follow it: {follow}{more}")
