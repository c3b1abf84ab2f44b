"""A host and a cluster in memory, and the verbs that are run there."""

import contextlib
import datetime
import fcntl
import json
import os
import shutil
import time
import types
from pathlib import Path

import pytest
from delivery import (
    backup,
    cli,
    cluster_verbs,
    compositions,
    host_commands,
    host_settings,
    host_verbs,
    http_client,
    nginx,
    sockets,
    state,
    switch,
)
from delivery.clock import Clock
from delivery.cluster_settings import ClusterSettings
from delivery.paths import Paths
from delivery.settings import Setting
from delivery.state import FileState
from delivery.targets import base
from fakes import REPOSITORY, World, image, number_of, revision
from laptop import hub, local_host, shop, template  # noqa: F401 fixtures
from verb import run, run_script

VERBS = Path(__file__).parents[2] / "scripts/host/bin"
SETTINGS = """SECRET_KEY=the-key
DATABASE_URL=postgresql://book_shop_{0}:the-password@db.internal:5432/book_shop_{0}
ALLOWED_HOSTS=localhost
"""
CLUSTER_SETTINGS = {"SECRET_KEY": "the-key", "DATABASE_URL": "postgresql://shop_a:the-password@db.example.org/shop"}
NGINX = "127.0.0.1 1;\ndefault 0;\nlocalhost 1;\n"


def run_verb(name, *arguments, stdin=""):
    """Runs a verb of the host."""
    return run_script(VERBS / name, *arguments, stdin=stdin)


@pytest.fixture
def world(monkeypatch):
    """A World whose fakes the package uses instead of the real systems; time passes as its clock says."""
    made = World()
    for module in (compositions, host_commands, host_verbs):
        monkeypatch.setattr(module, "Docker", lambda *options: made.docker)
    for module in (compositions, host_commands, host_settings, host_verbs):
        monkeypatch.setattr(module, "Postgres", lambda: made.postgres)
    monkeypatch.setattr(nginx, "process", types.SimpleNamespace(run=made.run_program))
    monkeypatch.setattr(compositions, "Kubernetes", lambda *options, remedy="": made.kubernetes)
    monkeypatch.setattr(compositions, "Containerd", lambda: made.containerd)
    for module in (compositions, switch):
        monkeypatch.setattr(module, "Switch", lambda *root: made.switch)
    monkeypatch.setattr(Clock, "now", lambda self: made.clock.now())
    monkeypatch.setattr(Clock, "sleep", lambda self, seconds: made.clock.sleep(seconds))
    frozen = type(
        "Frozen", (datetime.datetime,), {"now": lambda zone=None: datetime.datetime.fromtimestamp(made.now, zone)}
    )
    monkeypatch.setattr(state, "datetime", types.SimpleNamespace(datetime=frozen, timezone=datetime.timezone))
    monkeypatch.setattr(http_client, "get", made.web.get)
    monkeypatch.setattr(http_client, "page", made.web.page)
    monkeypatch.setattr(sockets, "is_listening", made.sockets.is_listening)
    monkeypatch.setattr(sockets, "established", made.sockets.established)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: types.SimpleNamespace(free=made.free))
    monkeypatch.setenv("GITHUB_ACTOR", "unknown")
    for name in [name for name in os.environ if name.startswith("DELIVERY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(".")  # restores the directory, which a verb changes
    return made


@pytest.fixture
def act_as(monkeypatch):
    """A function that names the user who deploys from here on."""

    def act(name):
        monkeypatch.setenv("DELIVERY_ACTOR", name)  # on a host, from the verb on the laptop
        monkeypatch.setenv("GITHUB_ACTOR", name)

    return act


class Place:
    """An environment on a host or a cluster: what its users do and see.

    A subclass has `environment`, as a new process composes it, `run` for a verb, and `locked`.
    """

    def __init__(self, world, name):
        self.world, self.name = world, name
        self.kind = name

    def deploy(self, number, *faults, objects=()):
        """Deploys an image; with faults or objects it is pushed first."""
        if faults or objects or image(number) not in self.world.registry:
            self.world.push(number, *faults, objects=objects)
        return self.run("deploy", image(number))

    def deployed(self, *numbers):
        """Images have been deployed, one after the other."""
        for number in numbers:
            self.deploy(number).must_succeed()

    def rollback(self, *number):
        return self.run("rollback", *map(image, number))

    def undo(self, number):
        return self.run("undo", image(number))

    def serves(self):
        """The number of the image that answers there, with its own revision."""
        numbers, url = map(number_of, self.world.registry), self.environment.url()
        return next((number for number in numbers if http_client.answers(url, revision(number))), None)

    def serves_directly(self):
        """As `serves`, but where a deploy sends its requests, whatever DNS says."""
        entry, numbers = self.environment.entry, map(number_of, self.world.registry)
        return next((number for number in numbers if entry.web.answers(entry.url(), revision(number))), None)

    def remembered(self):
        """The numbers of (current, previous)."""
        memory = self.environment.state.load()
        return number_of(memory.current), number_of(memory.previous)

    def history(self):
        """The entries as (actor, verb, number, result)."""
        entries = self.environment.state.history()
        return [(e["actor"], e["verb"], number_of(e["digest"]), e["result"]) for e in entries]

    def holder(self):
        """Who holds the lock."""
        return self.environment.lock.holder()

    def snapshot(self):
        """Everything that a deploy may change, except what it may always leave: a pulled image and an empty lock."""
        jobs = {key: found["spec"] for key, found in self.world.kubernetes.objects.items() if key.startswith("job")}
        return self.parts(), jobs, json.dumps(self.world.postgres.databases), self.environment.state.history()

    def parts(self):
        """The containers, the slot, the objects of the release and the state: what a failed deploy leaves."""
        containers = {
            name: (found.image, found.running, found.settings) for name, found in self.world.docker.containers.items()
        }
        objects = self.world.kubernetes.objects.items()
        kept = ("lease", "job", "secret", f"configmap/{state.CONFIG_MAP}")
        release = {key: found.get("spec", found.get("data")) for key, found in objects if not key.startswith(kept)}
        return containers, self.world.switch.slot, release, self.environment.state.load()

    def objects(self):
        """The keys of the objects in Kubernetes, except those of the lock, the state and the settings."""
        return {key for key in self.world.kubernetes.objects if not key.startswith(("lease", "configmap", "secret"))}

    @contextlib.contextmanager
    def unchanged(self):
        """Asserts that what happens meanwhile changes nothing."""
        before = self.snapshot()
        yield
        assert self.snapshot() == before

    def locked_for(self, seconds, holder, then):
        """Another process holds the lock for that long; after that, a function is called."""
        lock = contextlib.ExitStack()
        lock.enter_context(self.locked(holder))
        self.world.at(seconds, lambda: (lock.close(), then()))


class HostPlace(Place):
    def __init__(self, world, name, paths):
        super().__init__(world, name)
        self.paths = paths

    @property
    def environment(self):
        return compositions.host_environments()[self.name]

    def run(self, verb, *arguments, stdin=""):
        return run_verb(verb, self.name, *arguments, stdin=stdin)

    @contextlib.contextmanager
    def locked(self, holder):
        """Another process holds the lock."""
        with open(self.paths.locks / f"book-shop-{self.name}", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            print(holder, file=file, flush=True)
            yield file


DEFAULTS = {"history": ("20",), "logs": ("100",)}  # of the verbs on the laptop


class ClusterPlace(Place):
    def __init__(self, world):
        super().__init__(world, "prod")
        self.kind = "cluster"

    @property
    def environment(self):
        return cluster_verbs.environment("the-cluster", REPOSITORY)

    def run(self, verb, *arguments, stdin=""):
        arguments = arguments or DEFAULTS.get(verb, ())
        where = {"context": "the-cluster", "repository": REPOSITORY}

        def operation():
            with cli.reported():
                if base.verbs()[verb].get("attached"):
                    cluster_verbs.attach(verb, "prod", *arguments, **where)
                else:
                    print(cluster_verbs.call(verb, "prod", *arguments, **where), end="")

        return run(operation, verb, stdin=stdin)

    @contextlib.contextmanager
    def locked(self, holder):
        self.hold(holder)
        yield
        self.hold("")

    def hold(self, holder):
        """Another process takes the Lease, or renews it."""
        lease = self.world.kubernetes.objects["lease.coordination.k8s.io/book-shop-deploys"]
        lease["spec"]["holderIdentity"] = holder
        self.world.kubernetes._store(lease)


class Host:
    """A host that was set up, with both environments; nothing is deployed."""

    def __init__(self, world, root):
        self.world, self.paths = world, Paths(root)
        for directory in (self.paths.settings, self.paths.locks, self.paths.files, self.paths.nginx):
            directory.mkdir(parents=True)
        for name in ("dev", "prod"):
            (self.paths.state / name).mkdir(parents=True)
            (self.paths.backups / name).mkdir(parents=True)
            (self.paths.settings / f"{name}.env").write_text(SETTINGS.format(name))
            (self.paths.nginx / f"allowed-hosts-{name}.conf").write_text(NGINX)
        (self.paths.nginx / "secrets").mkdir()
        (self.paths.nginx / "secrets/preview-password.conf").write_text("default unset;\n")
        (self.paths.state / "nginx-loaded").touch()
        (self.paths.settings / "host.env").write_text(f"REPOSITORY={REPOSITORY}\nALLOWED_HOSTS=localhost\n")
        (self.paths.files / "version").write_text("0123456789ab\n")
        world.kubernetes.allowed = {"Deployment", "Service", "Job"}  # scripts/host/k8s/namespace.yaml
        self.dev, self.prod = HostPlace(world, "dev", self.paths), HostPlace(world, "prod", self.paths)
        self.dev.host = self.prod.host = self

    run = staticmethod(run_verb)

    def files(self):
        """All files of the host with their contents."""
        root = self.paths.files.parents[1]
        return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def host(world, tmp_path, monkeypatch):
    """A Host below a directory of the test."""
    root = tmp_path / "root"
    made = Host(world, root)
    for module in (compositions, host_commands, host_verbs):
        monkeypatch.setattr(module, "Paths", lambda: Paths(root))
    # Files are changed step by step as well: a test may kill between any two.
    for function in ("rename", "replace", "unlink"):
        stepwise(monkeypatch, world, Path, function, root)
    stepwise(monkeypatch, world, FileState, "add", None)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # no test survives a power failure
    # The names of dumps.
    clock = types.SimpleNamespace(**vars(time) | {
        "gmtime": lambda: time.gmtime(world.now), "time": lambda: world.now, "sleep": world.pass_time,
    })  # fmt: skip
    monkeypatch.setattr(backup, "time", clock)
    return made


def stepwise(monkeypatch, world, owner, name, root):
    """Makes a method that writes to files, below `root`, a change of the world."""
    function = getattr(owner, name)

    def changed(self, *arguments, **options):
        if root is None or root in self.parents:
            world.call(f"file.{name}", changes=True)
        return function(self, *arguments, **options)

    monkeypatch.setattr(owner, name, changed)


@pytest.fixture
def cluster(world):
    """prod on a cluster that was set up."""
    labels = {"resourceVersion": "0", "name": "book-shop-deploys"}
    for kind in ("Lease", "ConfigMap"):
        world.kubernetes._store({"kind": kind, "metadata": labels, "spec": {}})
    ClusterSettings(world.kubernetes).create({name: Setting(value) for name, value in CLUSTER_SETTINGS.items()})
    world.calls.clear()
    world.changes.clear()
    return ClusterPlace(world)


@pytest.fixture(params=["dev", "prod", "cluster"])
def place(request):
    """Each environment, on each target."""
    if request.param == "cluster":
        return request.getfixturevalue("cluster")
    return getattr(request.getfixturevalue("host"), request.param)
