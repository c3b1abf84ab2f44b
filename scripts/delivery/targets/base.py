"""What a target promises: the place where the verbs of the host run."""

from typing import Protocol


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
        its end was not seen: then it may still be running.
        """

    def ask(self, verb: str, *arguments: str) -> str:
        """Runs a verb and returns what it printed on stdout. Raises as `run` does."""

    def url(self, environment: str) -> str:
        """The address of an environment as seen from this machine; empty while it has none."""
