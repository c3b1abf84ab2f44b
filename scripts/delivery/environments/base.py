"""The interface of an environment. The methods are in the order in which `operations.deploy` calls them."""

import dataclasses
from typing import Any, Protocol

from delivery.docker import Docker
from delivery.environments import versioned_secrets
from delivery.lock import Lock
from delivery.logs import Source
from delivery.nginx import Nginx
from delivery.paths import BOOTSTRAP
from delivery.settings import Settings, Snapshot
from delivery.state import State


@dataclasses.dataclass(frozen=True)
class Candidate:
    """An image that is about to become live.

    `revision` is the commit it was built from. `manifests` are the Kubernetes manifests in the image (YAML),
    or "" for dev. `returns` is set for a rollback: the live image may be faulty. `pages` are those that must
    work (delivery/pages.py). It starts with `settings`; `restarts` is set if only these differ from the live ones.
    """

    image: str
    revision: str
    settings: Snapshot
    manifests: str = ""
    returns: bool = False
    pages: tuple = ()
    restarts: bool = False

    def with_settings(self, settings: Snapshot) -> "Candidate":
        """The same image, which is live, with other settings."""
        manifests = versioned_secrets.insert(self.manifests, settings.version)
        return dataclasses.replace(self, settings=settings, manifests=manifests, restarts=True)

    @property
    def remedy(self) -> str:
        """What to do if its code or its migration fails."""
        if self.restarts:
            return f"correct the setting; after an edit of the database password in a file, run {BOOTSTRAP} on the host"
        return "choose another version from the history" if self.returns else "fix it, commit, and deploy again"


class Entry(Protocol):
    """Where requests enter an environment on Kubernetes. `settings` is the Snapshot of a Candidate."""

    web: Any  # as that of an Environment

    def url(self, settings: Snapshot | None = None) -> str:
        """The address at which a release with these or the stored settings answers; empty while there is none."""

    def patches(self, settings: Snapshot) -> list:
        """What kustomize patches in the manifests of an image."""

    def is_patched(self, settings: Snapshot) -> bool:
        """Whether the live objects have these patches."""

    def failure(self, url: str, revision: str) -> tuple[str, str]:
        """Why a revision did not answer at the URL, and what to do."""


class Environment(Protocol):
    """dev or prod on a target. Every method raises CommandError if it fails."""

    name: str
    docker: Docker  # the engine that pulls its images
    lock: Lock
    state: State
    settings: Settings
    nginx: Nginx
    web: Any  # version, answers, is_ready and page of http_client, for its address
    repository: str  # only its images may become live

    def url(self) -> str:
        """The address at which NGINX or the load balancer serves it; empty while there is none."""

    def live(self) -> str | None:
        """The image that receives traffic, as Docker or Kubernetes reports it; None if there is none."""

    def live_settings(self) -> str | None:
        """The version of the live settings; "" if it is unknown, None if there is no live image."""

    def prepare(self, image: str, returns: bool = False) -> Candidate:
        """Fetches the image and checks everything that can be checked. Changes nothing that is live.

        The candidate has the stored settings.
        """

    def with_settings(self, candidate: Candidate, settings: Snapshot) -> Candidate:
        """The candidate, which is live, with other settings."""

    def is_live(self, candidate: Candidate) -> bool:
        """Whether the candidate is already live with its settings on all containers or pods, and answers."""

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
        """Waits until the previous slot or pods have finished their requests, up to a time limit."""

    def revert(self, candidate: Candidate) -> None:
        """Undoes start, prove and switch: makes the previous image live with its settings.

        Reports what it could not undo; the next deploy completes that. Raises only LockLost.
        """

    def clean_up(self, candidate: Candidate) -> None:
        """Makes NGINX follow the settings, and the database accept the password in them only. Removes leftovers of
        killed deploys, and old images."""

    def logs(self, lines: int | str, since: str | None = None, previous: bool = False) -> list[str]:
        """The last lines of the logs of the live slot, or of each pod; empty if there is none.

        `lines` may be "all", `since` is as in logs.Selection. With `previous`, those before the last restart.
        """

    def log_sources(self) -> list[Source]:
        """The live slot, or the pods that run."""

    def log_command(self, name: str, lines: int | str, since: str | None) -> list[str]:
        """The command that prints the log of a Source, and then what it logs from now on."""
