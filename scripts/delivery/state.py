"""The state of an environment: its live and its previous image, the live manifests, and the history.

Docker and Kubernetes determine what is live; the state only records it. An entry of the history is a
dict with the keys time (UTC), actor, environment, verb, commit, digest, result (ok or failed), seconds. The verb is
deploy or rollback, or it begins with another verb, such as "restore 20261125T031500Z" or "manage check".
It may have version, replaced (the digest that was live before) and reason (of a deploy with FORCE);
entries of older hosts have none of them.
"""

import dataclasses
import datetime
import json
import os
import secrets
from typing import Protocol

from delivery import files, process
from delivery.application import NAME
from delivery.cli import CommandError
from delivery.lock import LockLost

CONFIG_MAP = f"{NAME}-deploys"
KEPT_ENTRIES = 500  # in the ConfigMap, whose size is limited to 1 MiB
TRIES = 20  # of a write to the ConfigMap while other processes write to it


@dataclasses.dataclass(frozen=True)
class Memory:
    """References of the live and the previous image; `manifests` is YAML, or "" for dev."""

    current: str | None = None
    previous: str | None = None
    manifests: str = ""

    def with_live(self, image, manifests=""):
        """The memory after `image` has become live."""
        if image == self.current:
            return dataclasses.replace(self, manifests=manifests)
        return Memory(image, self.current or self.previous, manifests)


class State(Protocol):
    """The memory and the history of one environment."""

    def claim(self, token) -> None:
        """Makes the holder of this token the only one whose writes are accepted."""

    def load(self) -> Memory:
        """Returns the memory."""

    def save(self, token, memory: Memory) -> None:
        """Replaces the memory. Raises LockLost and writes nothing if the token is stale."""

    def add(self, token, entry: dict) -> None:
        """Appends an entry to the history. Raises LockLost if the token is stale."""

    def note(self, entry: dict) -> None:
        """Appends an entry of a command, which holds no lock. A deploy that is running continues."""

    def history(self) -> list[dict]:
        """The entries of this environment, oldest first."""


def now():
    """The current time in UTC, as in the history."""
    return in_utc(datetime.datetime.now(datetime.timezone.utc))


def in_utc(moment):
    """A datetime in UTC, as in the history."""
    return moment.astimezone(datetime.timezone.utc).strftime("%FT%TZ")


def entry(environment, verb, actor, image, commit, result, seconds, **more):
    """An entry of the history with the current time. `more` are version, replaced and reason, unless empty."""
    past = {
        "time": now(),
        "actor": actor,
        "environment": environment,
        "verb": verb,
        "commit": commit,
        "digest": image.partition("@")[2],
        "result": result,
        "seconds": round(seconds),
    }
    return past | {key: value for key, value in more.items() if value}


def parse_history(text, environment):
    """The entries of an environment in lines of JSON. A line that a power failure has damaged is skipped."""
    entries = []
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and value.get("environment") == environment:
            entries.append(value)
    return entries


class FileState:
    """Files on a host: <environment>/current, previous and manifests.yaml; deploys.jsonl for both environments."""

    def __init__(self, environment, directory):
        self.environment = environment
        self.directory, self.log = directory / environment, directory / "deploys.jsonl"

    def claim(self, token):
        """As State.claim."""
        token.check()

    def load(self):
        """As State.load."""
        return Memory(self._read("current") or None, self._read("previous") or None, self._read("manifests.yaml"))

    def save(self, token, memory):
        """As State.save."""
        token.check()
        # previous first: if the power fails in between, both name the image that was live.
        names = {"previous": memory.previous, "current": memory.current, "manifests.yaml": memory.manifests}
        for name, value in names.items():
            if value:
                files.replace(self.directory / name, value.rstrip("\n") + "\n")

    def add(self, token, entry):
        """As State.add."""
        token.check()
        self.note(entry)

    def note(self, entry):
        """As State.note. The line is one write in append mode, so lines of other processes stay whole."""
        with files.reported(self.log), open(self.log, "ab+") as file:
            line = json.dumps(entry, separators=(",", ":")) + "\n"
            file.write(("" if ends_with_newline(file) else "\n").encode() + line.encode())

    def history(self):
        """As State.history."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        return parse_history(text, self.environment)

    def _read(self, name):
        try:
            text = (self.directory / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        return text if name.endswith(".yaml") else text.strip()


def ends_with_newline(file):
    """Whether the last line of a binary file is complete; a power failure may have damaged it."""
    if file.seek(0, os.SEEK_END) == 0:
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


class ConfigMapState:
    """A ConfigMap in the cluster: a key for each of current, previous, manifests.yaml and deploys.jsonl.

    Its annotation `claimed` is the fencing token: claim() replaces it, and a deploy whose claim was replaced writes
    nothing more. Kubernetes accepts only one change of each resourceVersion, so no write is lost.
    """

    def __init__(self, environment, kubernetes):
        self.environment, self.kubernetes = environment, kubernetes
        self._claimed = None

    def claim(self, token):
        """As State.claim."""
        claim = f"{datetime.datetime.now().isoformat()} {secrets.token_hex(4)}"

        def claimed(config_map):
            token.check()
            config_map["metadata"].setdefault("annotations", {})["claimed"] = claim
            return config_map

        self._claimed = self._update(claimed)

    def load(self):
        """As State.load."""
        data = (self._claimed or self._get()).get("data") or {}
        return Memory(data.get("current") or None, data.get("previous") or None, data.get("manifests.yaml", ""))

    def save(self, token, memory):
        """As State.save."""
        values = {"current": memory.current, "previous": memory.previous, "manifests.yaml": memory.manifests}
        self._change(token, lambda data: {key: value for key, value in values.items() if value})

    def add(self, token, entry):
        """As State.add."""
        self._change(token, lambda data: with_entry(data, entry))

    def note(self, entry):
        """As State.note."""
        self._update(lambda config_map: with_data(config_map, with_entry(config_map.get("data") or {}, entry)))

    def history(self):
        """As State.history."""
        data = (self._claimed or self._get()).get("data") or {}
        return parse_history(data.get("deploys.jsonl", ""), self.environment)

    def _change(self, token, changes):
        """Changes keys of the data: `changes` returns them for the current data. Raises LockLost."""
        claim = claim_of(self._claimed)

        def changed(config_map):
            if claim_of(config_map) != claim:
                raise LockLost("another deploy, which has written the state")
            token.check()
            return with_data(config_map, changes(config_map.get("data") or {}))

        self._claimed = self._update(changed, self._claimed)

    def _update(self, change, known=None):
        """Replaces the ConfigMap by what `change` makes of it, and returns it; `known` may be out of date."""
        for left in reversed(range(TRIES)):
            try:
                return self.kubernetes.replace(change(known or self._get()))
            except process.ProgramFailed as error:
                conflict = "conflict" in error.stderr.lower() or "has been modified" in error.stderr
                if not (conflict and left):
                    raise
            known = None  # another process has written meanwhile

    def _get(self):
        config_map = self.kubernetes.get("configmap", CONFIG_MAP)
        if config_map is None:
            raise CommandError("the cluster has no state of deploys", "it was not set up", "make cluster-setup")
        return config_map


def claim_of(config_map):
    """The fencing token in a ConfigMap; None if no deploy has claimed it."""
    return config_map["metadata"].get("annotations", {}).get("claimed")


def with_data(config_map, data):
    """A ConfigMap with these keys of its data replaced."""
    return config_map | {"data": (config_map.get("data") or {}) | data}


def with_entry(data, entry):
    """The changed key of a ConfigMap's data when an entry is appended to the history."""
    lines = data.get("deploys.jsonl", "").splitlines()
    lines.append(json.dumps(entry, separators=(",", ":")))
    return {"deploys.jsonl": "\n".join(lines[-KEPT_ENTRIES:]) + "\n"}
