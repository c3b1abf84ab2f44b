"""Mutual exclusion of the deploys of an environment: a file lock on a host, a Lease on a cluster."""

import contextlib
import datetime
import fcntl
import os
import signal
import socket
import threading
from contextlib import AbstractContextManager
from typing import Protocol

from delivery import process
from delivery.application import NAME
from delivery.cli import CommandError, log
from delivery.clock import Clock

LEASE = f"{NAME}-deploys"
RENEWAL = 5  # seconds between two renewals of a Lease


class LockLost(CommandError):
    """Another deploy has taken over the lock. This one must not change anything any more."""

    def __init__(self, holder):
        why = f"it is held by: {holder or 'no one'}"
        super().__init__("the deploy lost its lock and has stopped", why, "make status")


class Token(Protocol):
    """Proof of a lock that was acquired."""

    def check(self) -> None:
        """Raises LockLost if the lock is no longer held."""


class Lock(Protocol):
    """Mutual exclusion of the deploys of one environment."""

    def acquire(self, purpose: str) -> AbstractContextManager[Token]:
        """Waits for the lock and holds it while the context lasts.

        Reports the holder before it waits. Raises CommandError, which names the holder, if the lock is
        not released within the limit.
        """

    def holder(self) -> str | None:
        """The description of the lock's holder, or None if the lock is free."""


def description(purpose, actor, machine=""):
    """Describes this process as the holder of a lock; `machine` is its name where several machines use the lock."""
    since = datetime.datetime.now(datetime.timezone.utc).strftime("%FT%TZ")
    return f"{purpose}, by {actor}, process {os.getpid()}{machine and f' on {machine}'}, since {since}"


def busy(environment, holder, limit):
    """The error of a deploy that did not get the lock in time."""
    why = f"it is held by: {holder or 'unknown'}; waited {limit} s"
    return CommandError(f"{environment} is locked", why, "make status shows when it is free")


class FileLock:
    """A lock file. After a crash, the kernel releases the lock when the children of the process have ended too."""

    def __init__(self, environment, path, actor, limit=300, clock=None):
        self.environment, self.path, self.actor, self.limit = environment, path, actor, limit
        self.clock = clock or Clock()

    @contextlib.contextmanager
    def acquire(self, purpose):
        """As Lock.acquire."""
        with open(self.path, "a+", encoding="utf-8", errors="backslashreplace") as file:
            self._wait(file)
            # The children inherit it: a migration that outlives a killed deploy keeps the lock.
            os.set_inheritable(file.fileno(), True)
            file.truncate(0)
            print(description(purpose, self.actor), file=file, flush=True)
            yield self
            file.truncate(0)

    def check(self):
        """As Token.check. The kernel never revokes a file lock."""

    def holder(self):
        """As Lock.holder."""
        try:
            with open(self.path, encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return None
        except FileNotFoundError:
            return None
        except BlockingIOError:
            return self._owner()

    def _wait(self, file):
        reported = None
        for _ in self.clock.poll(self.limit, 0.2):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if (owner := self._owner()) not in ("", reported):
                    reported = owner
                    log(f"{self.environment} is locked by: {owner}. Waiting up to {self.limit} s")
        raise busy(self.environment, self._owner(), self.limit)

    def _owner(self):
        return self.path.read_text(encoding="utf-8").strip()


class LeaseLock:
    """A Lease in the cluster, renewed while it is held.

    A Lease that has not changed for `lease_limit` seconds, by this machine's clock, belongs to a deploy
    that died, and is taken over. Kubernetes accepts only one change of each resourceVersion.
    """

    def __init__(self, environment, kubernetes, actor, limit=300, lease_limit=30, clock=None):
        self.environment, self.kubernetes, self.actor = environment, kubernetes, actor
        self.limit, self.lease_limit, self.clock = limit, lease_limit, clock or Clock()
        self._lease = self._identity = self._taken_by = None

    @contextlib.contextmanager
    def acquire(self, purpose):
        """As Lock.acquire."""
        self._wait(description(purpose, self.actor, socket.gethostname()))
        previous = signal.signal(signal.SIGUSR1, self._stop)
        ended = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(ended,), name=LEASE, daemon=True)
        keeper.start()
        try:
            yield self
        finally:
            ended.set()
            keeper.join()
            signal.signal(signal.SIGUSR1, previous)
            self._release()
        if self._taken_by is not None:
            raise LockLost(self._taken_by)

    def check(self):
        """As Token.check."""
        if self._taken_by is None:
            # If Kubernetes does not answer, the resourceVersion still protects the state from stale writes.
            with contextlib.suppress(process.ProgramFailed):
                owner = self.holder()
                self._taken_by = None if owner == self._identity else owner or ""
        self._stop()

    def _stop(self, *_):
        if self._taken_by is not None:
            raise LockLost(self._taken_by)

    def holder(self):
        """As Lock.holder."""
        lease = self._read()
        return lease["spec"].get("holderIdentity") or None

    def _read(self):
        lease = self.kubernetes.get("lease", LEASE)
        if lease is None:
            raise CommandError("the cluster has no lock for deploys", "it was not set up", "make cluster-setup")
        lease.setdefault("spec", {})
        return lease

    def _wait(self, identity):
        version, since, reported = None, 0, None
        for _ in self.clock.poll(self.limit, 2):
            read_at, lease = self.clock.now(), self._read()
            owner = lease["spec"].get("holderIdentity")
            if lease["metadata"]["resourceVersion"] != version:
                version, since = lease["metadata"]["resourceVersion"], read_at
            if owner == identity:  # acquired before, but the response was lost
                self._lease, self._identity = lease, identity
                return
            if not owner or read_at - since >= self.lease_limit:
                now = timestamp()
                lease["spec"] = {
                    "holderIdentity": identity,
                    "acquireTime": now,
                    "renewTime": now,
                    "leaseDurationSeconds": max(self.lease_limit, 1),
                }
                with contextlib.suppress(process.ProgramFailed):  # another deploy was faster
                    self._lease, self._identity = self.kubernetes.replace(lease), identity
                    return
            elif owner != reported:
                reported = owner
                log(f"{self.environment} is locked by: {owner}. Waiting up to {self.limit} s")
        raise busy(self.environment, self.holder(), self.limit)

    def _keep(self, ended):
        """Renews the Lease until the deploy has ended. Raises LockLost in the main thread if the Lease is lost."""
        while not ended.wait(RENEWAL):
            try:
                self._lease["spec"]["renewTime"] = timestamp()
                self._lease = self.kubernetes.replace(self._lease)
            except process.ProgramFailed:
                # The API server may be restarting; only another holder means that the lock is lost.
                with contextlib.suppress(CommandError):
                    lease = self._read()
                    if (owner := lease["spec"].get("holderIdentity")) != self._identity:
                        self._taken_by = owner or ""
                        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
                        return
                    self._lease = lease

    def _release(self):
        """Releases the Lease if this deploy still holds it."""
        if self._taken_by is not None:
            return
        try:
            self._lease["spec"]["holderIdentity"] = ""
            self.kubernetes.replace(self._lease)
        except process.ProgramFailed:
            try:
                owner = self.holder()
            except CommandError:
                owner = self._identity
            if owner == self._identity:
                log(f"the lock could not be released; it expires in {self.lease_limit} s")
            else:
                self._taken_by = owner or ""


def timestamp():
    """The current time in UTC, in the format of a Lease (MicroTime)."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%FT%T.%fZ")
