"""In-memory fakes of the systems around a deploy. They behave: what one call changes, the next one sees.

A World holds them all. Images are known by a number; the words in `faults` are what is wrong with one:

    foreign, no-commit           another platform; no revision label
    migration, migration-hangs   the migration fails; does not end
    start, crash, crash-later    dev: the container does not start; crashes at start; crashes 3 s after
    never-ready, slow, late      it never becomes ready; it does after a second; after 20 s
    fails-smoke                  it never becomes ready, and its log has the reason
    wrong-revision, broken-page  it answers with another revision; a page has status 500
    old, bad-pages               it has no list of pages; it has an invalid one
    no-manifests, broken-manifests, refused    prod: none; kustomize fails; the API server refuses one
    no-settings, no-public-url   it is older than its settings; than PUBLIC_URL

It has the settings SCHEMA. It refuses the value `refused` of any, and is never ready with the value `unready`.
"""

import base64
import contextlib
import copy
import dataclasses
import functools
import itertools
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import yaml
from delivery import database_roles, scram
from delivery.clock import Clock
from delivery.database_roles import Role
from delivery.docker import Container, Image
from delivery.process import ProgramFailed, TimedOut
from delivery.settings import Snapshot

REPOSITORY = "localhost:5000/book-shop"
KUBECTL = Path(__file__).parents[1] / "lib/cluster-kubectl.fake"
SCHEMA = [
    {"name": name, "type": "str", "required": required, "secret": secret, "default": default, "help": f"the {name}"}
    for name, required, secret, default in (
        ("SECRET_KEY", True, True, None),
        ("ALLOWED_HOSTS", True, False, None),
        ("DATABASE_URL", True, True, None),
        ("COOKIE_SUFFIX", True, False, "shop"),
        ("SECRET_KEY_FALLBACKS", False, True, None),
        ("EMAIL_HOST", False, False, None),
        ("EMAIL_PORT", False, False, 25),
        ("DEBUG", False, False, False),
        ("PUBLIC_URL", False, False, None),
        ("PREVIEW", False, False, "0"),
        ("PREVIEW_PASSWORD", False, True, None),
    )
]
PAGES = '[{"path": "/", "status": 200, "marker": "books"}]'
MATCHES = functools.cache(scram.matches)  # it is slow
NOT_READY = '{"message": "Not ready: the smoke test failed: /: ValueError: no such.css"}\n'
START = 1795576500  # 2026-11-25T03:15:00Z
API = {  # how kubectl prints a kind
    "ConfigMap": "configmap", "Deployment": "deployment.apps", "HorizontalPodAutoscaler":
    "horizontalpodautoscaler.autoscaling", "Ingress": "ingress.networking.k8s.io", "Job": "job.batch",
    "Lease": "lease.coordination.k8s.io", "NetworkPolicy": "networkpolicy.networking.k8s.io",
    "PodDisruptionBudget": "poddisruptionbudget.policy", "Secret": "secret", "Service": "service",
}  # fmt: skip
NAMES = {plural: name for kind, name in API.items() for plural in (kind.lower(), kind.lower() + "s")}
NAMES |= {"ingresses": API["Ingress"], "networkpolicies": API["NetworkPolicy"]}
COMPONENT = "app.kubernetes.io/component"
WEB = f"{COMPONENT}=web"


class Killed(BaseException):
    """kill -9: the process does nothing from here on."""


def image(number):
    """The reference of an image."""
    return f"{REPOSITORY}@sha256:{number:064x}"


def revision(number):
    """The commit that an image was built from."""
    return f"a{number:039d}"


def number_of(reference):
    """The number of an image; None for no reference."""
    return int(reference.rpartition(":")[2], 16) if reference else None


class BuiltImage(NamedTuple):
    """An image in the registry. `objects` are manifests that it has in addition to those of every release.

    `version` is its label, "" if it has none.
    """

    faults: tuple
    objects: tuple
    version: str = ""


def failure(program, message):
    """The error of a program that fails with this message."""
    return ProgramFailed(program.split(), message, message)


class World:
    """A host, or a cluster, and what happens there. `now` is the time in seconds."""

    def __init__(self):
        self.now, self.free = float(START), 10**12
        self.address = "cluster.example.org"  # of the load balancer
        self.elsewhere = set()  # names whose DNS records do not lead to it
        self.has_certificates = True  # the load balancer has one for each name, also without the Ingress
        self.registry = {}
        self.calls, self.changes, self.kill_at = [], [], None
        self.failures, self._hooks, self._events = {}, {}, []
        self.docker, self.kubernetes, self.containerd = FakeDocker(self), FakeKubernetes(self), FakeContainerd(self)
        self.postgres, self.switch, self.clock = FakePostgres(self), FakeSwitch(self), FakeClock(self)
        self.web, self.sockets = FakeWeb(self), FakeSockets(self)

    def push(self, number, *faults, objects=(), version=""):
        """Puts an image into the registry, or replaces it."""
        self.registry[image(number)] = BuiltImage(faults, tuple(objects), version)

    def has_fault(self, reference, fault):
        return fault in self.registry[reference].faults

    def reason(self, reference):
        """The line in the log of an image that fails its smoke test."""
        return NOT_READY if self.has_fault(reference, "fails-smoke") else ""

    def before(self, call, function):
        """Runs a function once, when that call comes next: "docker.run" for example."""
        self._hooks.setdefault(call, []).append(function)

    def at(self, seconds, function):
        """Runs a function once, that many seconds from now."""
        self._events.append((self.now + seconds, function))

    def pass_time(self, seconds):
        self.now += seconds
        due = [event for event in self._events if event[0] <= self.now]
        self._events = [event for event in self._events if event not in due]
        for _, function in due:
            function()

    def call(self, name, changes=False):
        """Every call of a fake comes by here. Those that change something are the moments at which a test kills.

        `failures` has by call either a message, with which it always fails, or a list: one for each of the next
        calls, None for a call that works.
        """
        self.calls.append(name)
        if self.is_dead:
            raise Killed(name)
        if changes:
            self.changes.append(name)
            if self.is_dead:
                raise Killed(name)
        for function in self._hooks.pop(name, ()):
            function()
        message = self.failures.get(name)
        if isinstance(message, list):
            message = message.pop(0) if message else None
        if message:
            raise failure(name, message)

    def run_program(self, command):
        """nginx and systemctl."""
        self.call(" ".join(command[:2]), changes=True)

    def save(self):
        """The state of all parts, for `restore`."""
        parts = (self.docker, self.kubernetes, self.switch, self.postgres, self.containerd)
        values = [{key: value for key, value in vars(part).items() if key != "world"} for part in parts]
        return self.now, parts, copy.deepcopy(values)

    def restore(self, saved):
        """Makes everything as it was when it was saved."""
        self.now, parts, values = saved
        for part, value in zip(parts, values, strict=True):
            vars(part).update(copy.deepcopy(value))
        self.revive()

    @property
    def is_dead(self):
        return self.kill_at is not None and len(self.changes) >= self.kill_at

    def revive(self):
        """Ends a kill: the next process runs."""
        self.kill_at = None
        self.changes.clear()


class Fake:
    def __init__(self, world):
        self.world = world


class FakeClock(Fake, Clock):
    def now(self):
        return self.world.now

    def sleep(self, seconds):
        self.world.call("clock.sleep")
        self.world.pass_time(seconds)


class FakeSwitch(Fake):
    slot = "a"

    def live(self):
        self.world.call("switch.live")
        return self.slot

    def to(self, slot):
        self.world.call("switch.to", changes=slot != self.slot)
        self.slot = slot

    def restore(self):
        self.world.call("switch.restore")


@dataclasses.dataclass
class FakeContainer:
    image: str
    started: float
    process: int
    port: int | None = None
    running: bool = True
    restarted: str = ""
    settings: Snapshot = dataclasses.field(default_factory=lambda: Snapshot("", {}))


class FakeDocker(Fake):
    """An engine for linux/amd64. `held_ports` are those that it holds for no container."""

    def __init__(self, world):
        super().__init__(world)
        self.pulled, self.containers, self.held_ports = [], {}, set()
        self.attached, self.statuses = [], {}  # commands that were run, and their exit statuses by name
        self._processes = itertools.count(1000)

    def platform(self):
        self.world.call("docker.platform")
        return "linux/amd64"

    def image(self, reference):
        self.world.call("docker.image")
        if reference not in self.pulled:
            return None
        faults = self.world.registry[reference].faults
        platform = "linux/arm64" if "foreign" in faults else "linux/amd64"
        pages = "" if "old" in faults else "[]" if "bad-pages" in faults else PAGES
        commit = "" if "no-commit" in faults else revision(number_of(reference))
        return Image(platform, commit, self.world.registry[reference].version, pages)

    def pull(self, reference):
        self.world.call("docker.pull", changes=True)
        if reference not in self.world.registry:
            raise failure("docker pull", "manifest unknown")
        self.pulled.append(reference)

    def images(self, repository):
        self.world.call("docker.images")
        return sorted(reference for reference in self.pulled if reference.startswith(f"{repository}@"))

    def remove_image(self, reference):
        self.world.call("docker.remove_image", changes=True)
        if any(found.image == reference for found in self.containers.values()):
            raise failure("docker image", "conflict: a container uses it")
        self.pulled.remove(reference)

    def container(self, name):
        self.world.call("docker.container")
        found = self.containers.get(name)
        return found and Container(
            found.image, found.running, self._restarts(found), found.process, found.settings.version,
            name, found.restarted or str(found.started),
        )  # fmt: skip

    def start(self, name, image, port, settings):
        self.world.call("docker.start", changes=True)
        if name in self.containers:
            raise failure("docker run", f"the name {name} is in use")
        found = FakeContainer(image, self.world.now, next(self._processes), port, settings=settings)
        self.containers[name] = found
        if port in self.held_ports or self.world.has_fault(image, "start"):
            found.running = False
            raise failure("docker run", "cannot start the container")

    def run(self, name, image, command, settings, limit, show=True):
        self.remove(name)
        self.world.call("docker.run", changes=True)
        made = self.containers[name] = FakeContainer(image, self.world.now, next(self._processes))
        self.world.call("docker.run: meanwhile", changes=True)
        if self.containers.get(name) is not made:
            raise failure("docker run", "exit status 137")  # another process has removed it
        try:
            return self._run(image, command, settings, limit)
        finally:
            del self.containers[name]

    def query(self, image, command, input, limit):
        self.world.call("docker.query")
        assert image in self.pulled
        if self.world.has_fault(image, "no-settings"):
            return ""
        if command[-1] == "schema":
            later = ["PUBLIC_URL"] if self.world.has_fault(image, "no-public-url") else []
            return json.dumps([definition for definition in SCHEMA if definition["name"] not in later])
        known, values = [definition["name"] for definition in SCHEMA], json.loads(input)
        lines = [f"{name}: this image has no such setting" for name in values if name not in known]
        lines += [f"{name}: it is not what the application expects" for name in values if values[name] == "refused"]
        if lines:
            message = "\n".join(lines)
            raise ProgramFailed(["docker", "run"], message, message, 1)
        return ""

    def stop(self, name):
        self.world.call("docker.stop", changes=True)
        self.containers[name].running = False

    def remove(self, name):
        if name in self.containers:
            self.world.call("docker.remove", changes=True)
            del self.containers[name]

    def logs(self, name, lines, since=None, until=None):
        self.world.call("docker.logs")
        if name not in self.containers:
            raise failure("docker logs", f"No such container: {name}")
        found = self.containers[name]
        if until and not found.restarted:
            return ""
        which = "the crashed one" if until else number_of(found.image)
        return f"the last {lines} lines{f' since {since}' if since else ''} of {which}\n" + self.world.reason(
            found.image
        )

    def attach(self, name, image, command, values, terminal):
        self.world.call("docker.attach", changes=True)
        assert image in self.pulled
        self.containers[name] = FakeContainer(image, self.world.now, next(self._processes))
        self.world.call("docker.attach: meanwhile")
        del self.containers[name]
        self.attached.append((image, tuple(command), values, terminal))
        return self.statuses.get(command[2], 0)

    def copy_from_image(self, image, path, destination):
        self.world.call("docker.copy_from_image")
        if self.world.has_fault(image, "no-manifests"):
            raise failure("docker cp", f"no such directory {path}")
        Path(destination).mkdir()

    def remove_leftovers(self):
        self.world.call("docker.remove_leftovers", changes=True)

    def restart_engine(self):
        self.world.call("docker.restart_engine", changes=True)
        self.held_ports.clear()

    def _run(self, image, command, settings, limit):
        faults = self.world.registry[image].faults
        if command[-1] == "--plan":
            return f"Planned operations of {number_of(image)}\n"
        values = dict(line.split("=", 1) for line in settings.splitlines())
        database = self.world.postgres.databases.get(unquote(urlsplit(values["DATABASE_URL"]).path[1:]))
        if database is None or "migration" in faults:
            raise failure("docker run", "exit status 1")
        if command[2] == "anonymize":
            assert values["DATABASE_IN_USE"] == "0"
            if "no-anonymize" in faults:
                raise failure("docker run", "exit status 1")
            database["data"] = "no names"
            return ""
        if command[2] == "clearsessions":
            database["sessions"] = 0
            return ""
        if "migration-hangs" in faults:
            self.world.pass_time(limit)
            raise TimedOut(command, f"it did not end within {limit} s")
        database["schema"] = number_of(image)
        return ""

    def _restarts(self, found):
        age = self.world.now - found.started
        if self.world.has_fault(found.image, "crash"):
            return int(age / 0.5)
        return int(self.world.has_fault(found.image, "crash-later") and age >= 3)


class FakeSockets(Fake):
    """`busy_until` is when the last connection to a container ends."""

    def __init__(self, world):
        super().__init__(world)
        self.busy_until = {}

    def is_listening(self, port):
        docker = self.world.docker
        return port in docker.held_ports or any(c.port == port and c.running for c in docker.containers.values())

    def established(self, process, port):
        names = [name for name, found in self.world.docker.containers.items() if found.process == process]
        return sum(self.busy_until.get(name, 0) > self.world.now for name in names)


class FakeWeb(Fake):
    """What the application answers: dev and its slots by Docker, prod by Kubernetes. It answers no URL with one of
    the `unknown` host names.

    Without `has_certificates`, a load balancer serves https:// only for a host that its Ingress has a certificate for.
    """

    unknown = ()

    def get(self, url, timeout=5, address=None):
        self.world.call("web.get")
        page, port, reference = self._answering(url, address)
        if reference is None or urlsplit(url).hostname in self.unknown:
            return None
        if page == "readyz":
            database = self.world.postgres.databases.get("book_shop_prod" if port == 80 else "book_shop_dev")
            return b"" if database and "poisoned" not in database["data"] else None
        is_wrong = self.world.has_fault(reference, "wrong-revision")
        found = "f" * 40 if is_wrong else revision(number_of(reference))
        return json.dumps({"version": "1.0.0", "revision": found}).encode()

    def page(self, url, timeout=10, address=None):
        self.world.call("web.page")
        _, _, reference = self._answering(url, address)
        if reference is None:
            raise OSError("connection refused")
        if urlsplit(url).hostname in self.unknown:
            return 400, "Bad Request", url
        return (500, "", url) if self.world.has_fault(reference, "broken-page") else (200, "all books", url)

    def _answering(self, url, address):
        """The page and the port in a URL, and the image that answers there."""
        place, _, page = url.rpartition("/")
        port = int(place.rpartition(":")[2]) if place.count(":") > 1 else 80
        return page, port, self._pods(url, address) if port == 80 else self._container(port)

    def _pods(self, url, address):
        """The image of prod's pods, if a request to the URL reaches them."""
        parts = urlsplit(url)
        is_elsewhere = parts.hostname in self.world.elsewhere if address is None else address != self.world.address
        is_open = self.world.has_certificates or parts.scheme == "http"
        is_refused = not is_open and parts.hostname not in self.world.kubernetes._certified(parts.hostname)
        return None if is_elsewhere or is_refused else self.world.kubernetes._serving()

    def _container(self, port):
        """The image that answers at a port, if it is ready."""
        if port == 8080:
            port = {"a": 4001, "b": 4002}[self.world.switch.slot]
        for found in self.world.docker.containers.values():
            if found.port == port and found.running and not self.world.docker._restarts(found):
                ready_after = {"slow": 1, "late": 20} | dict.fromkeys(("never-ready", "fails-smoke", "crash"), math.inf)
                faults = self.world.registry[found.image].faults
                age = self.world.now - found.started
                if "unready" in found.settings.values.values():
                    return None
                return found.image if all(age >= ready_after.get(fault, 0) for fault in faults) else None
        return None


class FakeContainerd(Fake):
    def __init__(self, world):
        super().__init__(world)
        self.store = {}

    def images(self):
        self.world.call("containerd.images")
        return dict(self.store)

    def remove(self, names):
        self.world.call("containerd.remove", changes=True)
        for name in names:
            del self.store[name]


class FakeKubernetes(Fake):
    """A namespace. `objects` is the API server's store, `outage` how many calls it will not answer, `allowed` the
    kinds that the account of the deploys may change, `forbidden` those that it may not even read.

    A NetworkPolicy with spec {"denies": true} blocks all traffic to the pods.
    """

    def __init__(self, world):
        super().__init__(world)
        self.options, self.remedy = (), "systemctl status k3s"
        self.objects, self.rolled_out, self.outage, self.replica_sets = {}, None, 0, []
        self.rolled_out_secret, self.crashed = None, []
        self.allowed, self.forbidden = set(API), set()
        self._pods, self._versions, self._names = [], itertools.count(1), itertools.count(1)

    def check(self):
        self._call("check")

    def is_reachable(self):
        with contextlib.suppress(ProgramFailed):
            self.check()
            return True
        return False

    def get(self, kind, name):
        self._call("get")
        self._check_right(NAMES[kind])
        found = self.objects.get(f"{NAMES[kind]}/{name}")
        if kind == "job" and found:
            self._run_job(found)
        return found and copy.deepcopy(found)

    def names(self, kinds, selector):
        self._call("names")
        wanted = {NAMES[kind] for kind in kinds}
        return {key for key, found in self.objects.items() if key.split("/")[0] in wanted and matches(found, selector)}

    def pods(self, selector=None):
        self._call("pods")
        self._pods = [pod for pod in self._pods if pod["end"] is None or pod["end"] > self.world.now]
        return [pod for pod in self._pods if selector is None or matches(pod, selector)]

    def create(self, manifest):
        self._call("create", changes=key_of(manifest) not in self.objects)
        self._check_right(API[manifest["kind"]])
        if key_of(manifest) not in self.objects:
            self._store(manifest)

    def build(self, directory):
        self.world.call("kubernetes.build")
        kustomization = json.loads(Path(directory, "kustomization.yaml").read_text())
        (override,) = kustomization["images"]
        reference = f"{override['newName']}@{override['digest']}"
        if self.world.has_fault(reference, "broken-manifests"):
            raise failure("kubectl kustomize", "no such resource")
        overlay = kustomization["resources"][0].rpartition("/")[2]
        items = release(reference, overlay) + list(self.world.registry[reference].objects)
        if patches := kustomization["patches"]:
            items = [patched(item, patches) if item["kind"] == "Ingress" else item for item in items]
        return json.dumps({"kind": "List", "items": items})

    def apply(self, manifests, selector=None):
        names = set()
        for found in self._items(manifests, selector):
            self._call("apply", changes=True)
            refused = found["kind"] == "Deployment" and self.world.has_fault(image_in(found), "refused")
            if refused or found["kind"] not in self.allowed:
                raise failure("kubectl apply", "admission webhook denied the request")
            names.add(self._store(found))
            if found["kind"] == "Deployment" and matches(found["spec"]["template"], WEB):
                self._create_pods(found)
        return names

    def select(self, manifests, selector):
        self._call("select")
        return self._items(manifests, selector)

    def names_in(self, manifests, selector):
        self._call("names_in")
        return {key_of(found) for found in self._items(manifests, selector)}

    def delete(self, *names):
        for name in names:
            kind, _, name = name.partition("/")
            self._call("delete", changes=True)
            self.objects.pop(f"{NAMES.get(kind, kind)}/{name}", None)
            if kind == "deployment.apps":
                self.rolled_out = None
            selector = {"deployment.apps": WEB, "job": f"job-name={name}"}.get(kind, "none=none")
            self._pods = [pod for pod in self._pods if not matches(pod, selector)]

    def difference(self, manifests, selector):
        self._call("difference")
        lines = []
        for found in self._items(manifests, selector):
            stored = self.objects.get(key_of(found))
            if stored is None or stored["spec"] != found["spec"]:
                lines.append(f"+{key_of(found)}: {json.dumps(found['spec'])}\n")
        return "".join(lines)

    def wait_for_rollout(self, deployment, limit):
        with contextlib.suppress(ProgramFailed):
            self._call("wait_for_rollout")
            found = self.objects.get(f"deployment.apps/{deployment}")
            if found and not self._is_unready(found):
                self.world.pass_time(10)
                self.rolled_out, self.rolled_out_secret = what_runs(found)
                self._end_web_pods(self.world.now + 6, {what_runs(found)})
                return True
            self.world.pass_time(limit)
        return False

    def is_rolled_out(self, deployment):
        with contextlib.suppress(ProgramFailed):
            self._call("is_rolled_out")
            found = self.objects.get(f"deployment.apps/{deployment}")
            return bool(found) and what_runs(found) == (self.rolled_out, self.rolled_out_secret)
        return False

    def logs(self, pod, lines, since=None, previous=False):
        self._call("logs")
        for found in self._pods:
            if found["metadata"]["name"] == pod:
                is_plan = "--plan" in found["spec"]["containers"][0].get("command", ())
                if previous and pod not in self.crashed:
                    return ""
                which = "the crashed one" if previous else number_of(image_in(found))
                times = f" since {since}" if since else ""
                what = "Planned operations" if is_plan else f"the last {lines} lines{times}"
                return f"{what} of {which}\n" + self.world.reason(image_in(found))
        return ""

    def replace(self, manifest):
        self._call("replace", changes=True)
        stored = self.objects.get(key_of(manifest))
        if stored is None or stored["metadata"]["resourceVersion"] != manifest["metadata"]["resourceVersion"]:
            raise failure("kubectl replace", "Error from server (Conflict): the object has been modified")
        self._store(manifest)
        return copy.deepcopy(self.objects[key_of(manifest)])

    def kubectl(self, *arguments, input=None, passed=(0,)):
        """Prints the names of the Secrets."""
        self._call("kubectl")
        if arguments == ("get", "secrets", "--output=name"):
            self._check_right("secret")
            return "\n".join(key for key in self.objects if key.startswith("secret/"))
        if arguments[:2] == ("auth", "can-i"):
            return "no\n" if arguments[3].removesuffix("s") in self.forbidden else "yes\n"
        if arguments == ("get", "replicasets", "--output=json"):
            return json.dumps({"items": self.replica_sets})
        raise AssertionError(arguments)

    def pass_through(self, *arguments, **streams):
        """A command in a pod: there is no pod to run it (test_cluster_data.py runs real programs)."""
        raise failure("kubectl exec", f"no pod for {arguments}")

    def _serving(self):
        """The image that answers at the address."""
        denied = any(found.get("spec", {}).get("denies") for found in self.objects.values())
        return None if denied or "service/book-shop" not in self.objects else self.rolled_out

    def _certified(self, host):
        """The hosts for which the Ingress has a certificate; that of an ARN is for `host`."""
        ingress = self.objects.get("ingress.networking.k8s.io/book-shop", {"metadata": {}, "spec": {}})
        if "alb.ingress.kubernetes.io/certificate-arn" in ingress["metadata"].get("annotations", {}):
            return [host]
        return [name for entry in ingress["spec"].get("tls", []) for name in entry["hosts"]]

    def _check_right(self, kind):
        if kind in self.forbidden:
            raise failure("kubectl", f'Error from server (Forbidden): {kind}s is forbidden: User "deployer"')

    def _call(self, name, changes=False):
        self.world.call(f"kubernetes.{name}", changes)
        if self.outage:
            self.outage -= 1
            raise failure(f"kubectl {name}", "the connection to the server was refused")

    def _items(self, manifests, selector):
        found = json.loads(manifests)
        items = found["items"] if found["kind"] == "List" else [found]
        return [item for item in items if selector is None or matches(item, selector)]

    def _store(self, found):
        key = key_of(found)
        stored = copy.deepcopy(found)
        stored["metadata"]["resourceVersion"] = str(next(self._versions))
        if found["kind"] == "Ingress" and self.world.address:
            stored["status"] = {"loadBalancer": {"ingress": [{"hostname": self.world.address}]}}
        self.objects[key] = stored
        return key

    def _create_pods(self, deployment):
        image = image_in(deployment)
        digest = image.partition("@")[2]
        self.world.containerd.store |= dict.fromkeys((image, digest, f"sha256:id-of-{digest[7:]}"), digest)
        new = what_runs(deployment)
        if not [pod for pod in self._pods if matches(pod, WEB) and what_runs(pod) == new and pod["end"] is None]:
            self._pods += [self._pod(deployment["spec"]["template"]) for _ in range(2)]
        # Those of a rollout that was reverted.
        self._end_web_pods(self.world.now, {new, (self.rolled_out, self.rolled_out_secret)})

    def _end_web_pods(self, when, kept):
        """Ends those that run other images or have other settings than these."""
        for pod in self._pods:
            if matches(pod, WEB) and what_runs(pod) not in kept:
                pod["end"] = min(pod["end"] or when, when)

    def _is_unready(self, found):
        """Whether the pods of a Deployment, or a pod, do not become ready."""
        image, name = what_runs(found)
        secret = self.objects.get(f"secret/{name}", {"data": {}} if name == "book-shop-env" else None)
        if secret is None or base64.b64encode(b"unready").decode() in secret["data"].values():
            return True
        return bool({"never-ready", "fails-smoke", "crash"} & set(self.world.registry[image].faults))

    def _pod(self, template, **labels):
        labels |= template["metadata"]["labels"]
        image = template["spec"]["containers"][0]["image"]
        is_waiting = self._is_unready(template) or self.world.has_fault(image, "migration")
        state = {"waiting": {"reason": "CrashLoopBackOff"}} if is_waiting else {}
        return {
            "metadata": {"name": f"{labels[COMPONENT]}-{next(self._names)}", "labels": labels},
            "spec": template["spec"],
            "status": {"phase": "Running", "containerStatuses": [{"state": state}]},
            "end": None,
        }

    def _run_job(self, job):
        """A job succeeds or fails at the second look at it."""
        image, template = image_in(job), job["spec"]["template"]
        label = {"job-name": job["metadata"]["name"]}
        if not [pod for pod in self._pods if label.items() <= pod["metadata"]["labels"].items()]:
            self._pods.append(self._pod(template, **label))
        elif self.world.has_fault(image, "migration"):
            job["status"] = {"failed": 1}
        elif not self.world.has_fault(image, "migration-hangs"):
            job["status"] = {"succeeded": 1}
            if "--plan" not in template["spec"]["containers"][0]["command"]:
                self.world.postgres.databases["book_shop_prod"]["schema"] = number_of(image)


def matches(found, selector):
    """Whether an object has the label of a selector `key=value`."""
    key, _, value = selector.partition("=")
    return found["metadata"].get("labels", {}).get(key) == value


def key_of(found):
    return f"{API[found['kind']]}/{found['metadata']['name']}"


def patched(found, patches):
    """An object as the real kustomize patches it."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "object.yaml").write_text(json.dumps(found))
        kustomization = {"resources": ["object.yaml"], "patches": patches}
        Path(directory, "kustomization.yaml").write_text(json.dumps(kustomization))
        command = ["kubectl", "kustomize", directory]
        return yaml.safe_load(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def image_in(found):
    """The image of a Deployment, a Job or a pod."""
    return found["spec"].get("template", found)["spec"]["containers"][0]["image"]


def what_runs(found):
    """The image and the name of the Secret of a Deployment, a Job or a pod."""
    (container,) = found["spec"].get("template", found)["spec"]["containers"]
    return container["image"], container["envFrom"][0]["secretRef"]["name"]


def settings_in(secret):
    """The settings that a Secret has."""
    return {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}


def install_kubectl(directory):
    """Installs a kubectl whose cluster is this directory (tests/lib/cluster-kubectl.fake)."""
    program = directory / "kubectl"
    program.write_text(KUBECTL.read_text().replace("/usr/bin/env python3", f"{sys.executable} -SE"))
    program.chmod(0o755)


def labelled(kind, name, component="web", **spec):
    """An object of a release."""
    return {"kind": kind, "metadata": {"name": name, "labels": {COMPONENT: component}}, "spec": spec}


def release(reference, overlay):
    """The objects of every release."""

    def pod(component, **more):
        labels = {COMPONENT: component}
        settings = {"envFrom": [{"secretRef": {"name": "book-shop-env"}}]}
        return {"metadata": {"labels": labels}, "spec": {"containers": [{"image": reference} | settings | more]}}

    command = ["python3", "manage.py", "migrate", "--noinput"]
    items = [
        labelled("Service", "book-shop"),
        labelled("Deployment", "book-shop", template=pod("web")),
        labelled("Job", "book-shop-migration", "migration", template=pod("migration", command=command)),
    ]
    if overlay == "cluster":
        kinds = ("HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy")
        items += [labelled(kind, "book-shop") for kind in kinds]
        rules = [{"http": {"paths": [{"path": "/"}]}}]
        items.append({"apiVersion": "networking.k8s.io/v1"} | labelled("Ingress", "book-shop", rules=rules))
    return items


class FakePostgres(Fake):
    """`databases` by name: dicts with data (text), schema (the number of the image that migrated it), sessions.

    `known` are the roles by name. At first only the owner roles exist and can log in, as on an older host.
    """

    place = "db.internal", 5432

    def __init__(self, world):
        super().__init__(world)
        self.databases, self.known = {}, {}
        for environment in ("dev", "prod"):
            self.databases[f"book_shop_{environment}"] = {"data": "", "schema": None, "sessions": 3}
            self.known[f"book_shop_{environment}"] = Role(True, scram.verifier("the-password"))

    def _accepts(self, url):
        """Whether a client can log in with a DATABASE_URL."""
        parts = urlsplit(url)
        role = self.known.get(parts.username, Role(False))
        return role.can_login and MATCHES(unquote(parts.password), role.verifier)

    def create_roles(self, owner):
        names = {owner, *database_roles.logins(owner)}
        self.world.call("postgres.create_roles", changes=not self.known.keys() >= names)
        self.known = dict.fromkeys(names, Role(False)) | self.known
        self.databases.setdefault(owner, {"data": "", "schema": None, "sessions": 0})

    def roles(self, owner):
        self.world.call("postgres.roles")
        return {name: self.known[name] for name in (owner, *database_roles.logins(owner)) if name in self.known}

    def let_in(self, role, verifier):
        self.world.call("postgres.let_in", changes=True)
        self.known[role] = self.known[role]._replace(can_login=True, verifier=verifier)

    def lock_out(self, *roles):
        self.world.call("postgres.lock_out", changes=True)
        for role in roles:
            self.known[role] = self.known[role]._replace(can_login=False, verifier="")

    def size(self, name):
        self.world.call("postgres.size")
        if name not in self.databases:
            raise failure("psql", f"database {name} does not exist")
        return 1000

    def exists(self, name):
        self.world.call("postgres.exists")
        return name in self.databases

    def create(self, name, owner):
        self.world.call("postgres.create", changes=True)
        assert name not in self.databases
        self.databases[name] = {"data": None, "schema": None, "sessions": 0}

    def drop(self, name):
        self.world.call("postgres.drop", changes=name in self.databases)
        self.databases.pop(name, None)

    def dump(self, name, path):
        self.world.call("postgres.dump: begin", changes=True)
        with open(path, "w") as file:
            file.write(f"PGDMP{json.dumps(self.databases[name])}\n")
            file.flush()
            self.world.call("postgres.dump", changes=True)
            file.write("end\n")

    def check_dump(self, path):
        self.world.call("postgres.check_dump")
        if not Path(path).read_text().endswith("\nend\n"):
            raise failure("pg_restore", "could not read from input file: end of file")

    def load(self, path, name, role, url):
        self.world.call("postgres.load", changes=True)
        assert self.databases[name]["data"] is None
        self.databases[name] = json.loads(Path(path).read_text().splitlines()[0].removeprefix("PGDMP"))

    def exchange(self, live, new, old):
        self.world.call("postgres.exchange", changes=True)
        assert old not in self.databases
        self.databases[old], self.databases[live] = self.databases[live], self.databases.pop(new)
