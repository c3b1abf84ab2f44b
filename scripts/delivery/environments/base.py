"""What an environment promises. `operations.deploy` calls these methods in the order in which they stand."""

import dataclasses
from typing import Protocol

from delivery.lock import Lock
from delivery.state import State


@dataclasses.dataclass(frozen=True)
class Candidate:
    """An image that is about to become live.

    revision is the commit it was built from, manifests the Kubernetes manifests it carries (YAML), where
    the environment uses them. `returns` is set for a rollback: the live image may be the fault.
    """

    image: str
    revision: str
    manifests: str = ""
    returns: bool = False


class Environment(Protocol):
    """dev or prod on a target. Every method raises CommandError when it fails."""

    name: str
    repository: str  # the only one whose images may become live
    lock: Lock
    state: State

    def url(self) -> str:
        """The address that NGINX or the load balancer serves it at; empty while it has none."""

    def live(self) -> str | None:
        """The image that receives traffic, as Docker or Kubernetes report it."""

    def prepare(self, image: str, returns: bool = False) -> Candidate:
        """Fetches the image and checks everything that can be checked. Changes nothing that is live."""

    def is_live(self, candidate: Candidate) -> bool:
        """Whether the candidate is live already, completely, and answers."""

    def plan(self, candidate: Candidate) -> str:
        """What a deploy would change in addition to the image: migrations and manifests."""

    def migrate(self, candidate: Candidate) -> None:
        """Migrates the database by the candidate's code. The live image keeps running on the result."""

    def start(self, candidate: Candidate) -> None:
        """Starts the candidate next to the live image."""

    def prove(self, candidate: Candidate) -> None:
        """Waits until the candidate is ready."""

    def switch(self, candidate: Candidate) -> None:
        """Gives the candidate the traffic and waits until its revision answers at the address."""

    def drain(self, candidate: Candidate) -> None:
        """Waits until the previous image has finished its requests, at most a fixed time."""

    def revert(self, candidate: Candidate) -> None:
        """Undoes start, prove and switch: makes the previous image live.

        What it cannot undo is reported, and completed by the next deploy. Raises only LockLost.
        """

    def clean_up(self, candidate: Candidate) -> None:
        """Removes what the live image does not need: leftovers of a killed deploy, and old images."""

    def logs(self, lines: int) -> str:
        """The last lines that the live image has logged."""
