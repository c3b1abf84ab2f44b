"""The interface of an environment. The methods are in the order in which `operations.deploy` calls them."""

import dataclasses
from typing import Protocol

from delivery.docker import Docker
from delivery.lock import Lock
from delivery.state import State


@dataclasses.dataclass(frozen=True)
class Candidate:
    """An image that is about to become live.

    `revision` is the commit it was built from. `manifests` are the Kubernetes manifests in the image (YAML),
    or "" for dev. `returns` is set for a rollback: the live image may be faulty. `pages` are those that must
    work (delivery/pages.py).
    """

    image: str
    revision: str
    manifests: str = ""
    returns: bool = False
    pages: tuple = ()

    @property
    def remedy(self) -> str:
        """What to do if its code or its migration fails."""
        return "choose another version from the history" if self.returns else "fix it, commit, and deploy again"


class Environment(Protocol):
    """dev or prod on a target. Every method raises CommandError if it fails."""

    name: str
    repository: str  # only its images may become live
    docker: Docker  # the engine that pulls its images
    lock: Lock
    state: State

    def url(self) -> str:
        """The address at which NGINX or the load balancer serves it; empty while there is none."""

    def live(self) -> str | None:
        """The image that receives traffic, as Docker or Kubernetes reports it; None if there is none."""

    def prepare(self, image: str, returns: bool = False) -> Candidate:
        """Fetches the image and checks everything that can be checked. Changes nothing that is live."""

    def is_live(self, candidate: Candidate) -> bool:
        """Whether the candidate is already live on all containers or pods, and answers."""

    def plan(self, candidate: Candidate) -> str:
        """What a deploy would change in addition to the image: migrations and manifests."""

    def migrate(self, candidate: Candidate) -> None:
        """Migrates the database with the candidate's code. The live image keeps running on the migrated database."""

    def start(self, candidate: Candidate) -> None:
        """Starts the candidate next to the live image."""

    def prove(self, candidate: Candidate) -> None:
        """Waits until the candidate is ready."""

    def switch(self, candidate: Candidate) -> None:
        """Gives the candidate the traffic and waits until its revision and its pages answer at the address."""

    def drain(self, candidate: Candidate) -> None:
        """Waits until the previous image has finished its requests, up to a time limit."""

    def revert(self, candidate: Candidate) -> None:
        """Undoes start, prove and switch: makes the previous image live.

        Reports what it could not undo; the next deploy completes that. Raises only LockLost.
        """

    def clean_up(self, candidate: Candidate) -> None:
        """Removes leftovers of killed deploys, and old images."""

    def logs(self, lines: int) -> str:
        """The last log lines of the live image."""
