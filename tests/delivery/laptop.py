"""The laptop of a developer: a clone of the shop, its registry, a host in memory, GitHub, and the verbs in scripts/."""

import contextlib
import http.client
import json
import os
import shutil
import sys
import uuid
from pathlib import Path

import github_fake
import oci
import pytest
from delivery import github, github_errors, registry
from delivery.cli import AlreadyReported, CommandError, log
from delivery.references import ENVIRONMENTS
from delivery.targets import local
from verb import run_script

SCRIPTS = Path(__file__).parents[2] / "scripts"
REVISION, SOURCE = "org.opencontainers.image.revision", "book-shop.source"  # labels
VERSION = "org.opencontainers.image.version"


class Shop:
    """A clone in the current directory, and the shop's repository in a registry."""

    def __init__(self, repository, address, directory):
        self._repository, self._directory = repository, directory
        self.reference, self.version = f"{address}/shop/{uuid.uuid4().hex}", "1.0.0"

    def verb(self, name, *arguments, stdin=""):
        """Runs a verb in the current clone."""
        return run_script(Path("scripts", name), *arguments, stdin=stdin)

    def git(self, *arguments):
        """Runs git and returns its stdout."""
        return self._repository.git(*arguments)

    def commit(self, files=(), message="a commit"):
        """Commits changes of files, {path: text}; None removes one. Each commit is a minute newer."""
        return self._repository.commit(dict(files), message)

    def bump(self, version):
        """Commits another version."""
        self.version = version
        return self.commit({"book-shop/pyproject.toml": f'[project]\nname = "book-shop"\nversion = "{version}"\n'})

    def head(self, name="HEAD"):
        """The hash of a commit or tree."""
        return self.git("rev-parse", name)

    def snapshot(self, commit="HEAD"):
        """The snapshot tag of a commit."""
        return f"{self.version}-SNAPSHOT-{self.head(commit)}"

    def labels(self, commit="HEAD"):
        """The labels of the image of a commit."""
        source = f"{self.head(commit + ':book-shop')}-{self.head(commit + ':k8s')}"
        return {REVISION: self.head(commit), SOURCE: source, VERSION: self.version}

    def push(self, tag=None, labels=None):
        """Puts an image into the registry, by default the snapshot of HEAD, and returns its digest."""
        return oci.push(f"{self.reference}:{tag or self.snapshot()}", labels or self.labels())

    def image(self, digest):
        """repository@digest."""
        return f"{self.reference}@{digest}"

    def digest(self, tag):
        """The digest of a tag; None when there is no such tag."""
        return registry.Registry(self.reference).digest(tag)

    def requests(self):
        """All requests about the repository so far."""
        return oci.requests(self._directory, self.reference)

    def writes(self):
        """Those that changed the tags."""
        return [request for request in self.requests() if request.startswith(("PUT manifests", "DELETE"))]

    @contextlib.contextmanager
    def shallow_clone(self):
        """A clone with the last commit alone, as the current one."""
        directory, clone = Path.cwd(), Path(".git/shallow").absolute()
        self.git("clone", "-q", "--depth", "1", f"file://{directory}", str(clone))
        (clone / "scripts").symlink_to(SCRIPTS)
        os.chdir(clone)
        yield
        os.chdir(directory)


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A directory for the clone of every Shop, which the first one fills."""
    return tmp_path_factory.mktemp("shop") / "clone"


@pytest.fixture
def shop(repository, real_registry, template, monkeypatch):
    """A Shop with a commit of version 1.0.0, and the settings that the Makefile exports."""
    for name in [name for name in os.environ if name.startswith(("DELIVERY_", "GITHUB_"))]:
        monkeypatch.delenv(name)
    made = Shop(repository, *real_registry)
    if template.exists():
        shutil.rmtree(".git")
        shutil.copytree(template, ".", dirs_exist_ok=True, symlinks=True)
    else:
        Path("scripts").symlink_to(SCRIPTS)
        Path(".git/info").mkdir(exist_ok=True)
        Path(".git/info/exclude").write_text("/scripts\n")
        made.bump("1.0.0")
        made.commit({"k8s/shop.yaml": "kind: Deployment\n"}, "first")
        shutil.copytree(".", template, symlinks=True)
    monkeypatch.setenv("DELIVERY_HOST", "local")
    monkeypatch.setenv("DELIVERY_REPOSITORY", made.reference)
    return made


class FakeHost:
    """A Target in memory: what one verb changes there, the next one reports.

    `entries` are those of its status, `deploys` those of its history, `dumps` the lines of its backups, and
    `restored` the last one by environment, `sent` the (after, reason) of each deploy and plan, `stored` the bytes of
    its settings.
    A verb in `failures`, {verb: (status, message, stdout)}, fails so.
    """

    def __init__(self):
        self.is_stopped, self.failures, self.calls, self.sent = False, {}, [], []
        nothing = (
            "version",
            "revision",
            "digest",
            "healthy",
            "previous",
            "current",
            "settings_pending",
            "deploying",
            "last",
            "last_backup",
        )
        self.entries = {name: {"environment": name} | dict.fromkeys(nothing) for name in ENVIRONMENTS}
        self.deploys, self.dumps, self.restored = [], [], {}
        self.stored = {name: {} for name in ENVIRONMENTS}

    def check(self):
        if self.is_stopped:
            raise CommandError("the local host is not running", "container test-host is stopped", "make demo")

    def run(self, verb, *arguments):
        print(self.ask(verb, *arguments), file=sys.stderr)

    def ask(self, verb, *arguments):
        self.calls.append(verb)
        log(f"the host's {verb}")
        if verb in self.failures:
            status, message, *output = self.failures[verb]
            print(message, file=sys.stderr)
            raise AlreadyReported(status, *output)
        return getattr(self, verb)(*arguments)

    def attach(self, verb, *arguments, terminal=False):
        self.ask(verb, *arguments)

    def set(self, environment, setting):
        self.stored[environment][setting] = sys.stdin.buffer.read()

    def unset(self, environment, setting):
        return f"the answer of unset {setting} {self.stored[environment].pop(setting)}"

    def settings(self, environment, values=None):
        settings = [
            ("EMAIL_HOST", True, None, False, "mail.example"),
            ("EMAIL_PORT", False, 25, False, None),
            ("EMAIL_USER", False, None, False, None),
            ("SECRET_KEY", True, None, True, None),
        ]
        entries = []
        for name, is_set, default, is_secret, value in settings:
            entry = {"name": name, "default": default, "is_set": is_set, "secret": is_secret, "help": f"the {name}"}
            entry |= {"time": "2026-01-02T03:04:05Z", "actor": "ann"} if value else {"time": None, "actor": None}
            entries.append(entry | ({"value": value} if value and values else {}))
        return json.dumps(entries)

    def url(self, environment):
        return "http://localhost:8080" if environment == "dev" else "http://localhost:80"

    def live(self, environment):
        return self.entries[environment]["digest"]

    def deploy(self, environment, image, after=None, reason=None):
        self.sent.append((after, reason))
        entry = self.entries[environment]
        digest = image.partition("@")[2]
        if entry["digest"] != digest:
            self.deploys.append({"environment": environment, "verb": "deploy", "result": "ok", "digest": digest})
            entry |= {"digest": digest, "previous": entry["digest"]}
        return f"the answer of deploy {environment}"

    def undo(self, environment, image):
        assert self.live(environment) == image.partition("@")[2]
        return self.rollback(environment)

    def rollback(self, environment, image=""):
        return self.deploy(environment, image or f"@{self.entries[environment]['previous']}")

    def plan(self, environment, image, after=None):
        self.sent.append((after, None))
        return f"{environment}: {self.live(environment)} -> {image}\n"

    def status(self):
        return json.dumps({"environments": list(self.entries.values()), "host_files": "aaa"}) + "\n"

    def history(self, environment, lines):
        deploys = [json.dumps(entry) + "\n" for entry in self.deploys if entry["environment"] == environment]
        return "".join(deploys[-int(lines) :])

    def logs(self, environment, lines):
        return f'{{"from": "{environment}"}}\n' * int(lines)

    def backup(self, *environments):
        return "".join(f"/var/backups/book-shop/{name}/1.dump\n" for name in environments or ENVIRONMENTS)

    def backups(self):
        return "".join(f"{line}\n" for line in self.dumps)

    def restore(self, environment, name):
        self.restored[environment] = name
        return f"the answer of restore {environment}"


@pytest.fixture
def local_host(monkeypatch):
    """The FakeHost that DELIVERY_HOST=local names."""
    made = FakeHost()
    monkeypatch.setattr(local, "LocalHost", lambda: made)
    return made


class Hub:
    """GitHub, behind github.ask without processes of gh."""

    def __init__(self, directory):
        self.directory, self.prefix = directory, f"/repos/{github_fake.REPOSITORY}"

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection((self.directory / "address").read_text())
        sent = None if body is None else json.dumps(body)
        token = {"Authorization": f"token {os.environ.get('GH_TOKEN') or 'a-token'}"}
        connection.request(method, f"{self.prefix}{path and '/' + path}", sent, token)
        with contextlib.closing(connection), connection.getresponse() as answer:
            status, content = answer.status, answer.read().decode()
            headers = {name.lower(): value for name, value in answer.getheaders()}
        if status < 300:
            return json.loads(content) if content else None
        message = f"gh: {json.loads(content)['message']} (HTTP {status})"
        raise github_errors.failure(f"{method} {path}", str(status), headers, message, content)

    @contextlib.contextmanager
    def changing(self):
        """The state of the repository, to be changed."""
        state = self.state
        yield state
        (self.directory / "state.json").write_text(json.dumps(state))

    @property
    def state(self):
        """The state of the repository."""
        return json.loads((self.directory / "state.json").read_text())

    def fails(self, method=None, path=None, status=None, **answer):
        """From here on GitHub answers such requests with that status, and the message and headers of `answer`;
        without a request, all as usual again."""
        fault = f"{method} {self.prefix}{path and '/' + path} {status} {json.dumps(answer)}\n" if method else ""
        (self.directory / "faults").write_text(fault)

    def requests(self):
        """All requests so far."""
        return (self.directory / "requests").read_text().replace(f"{self.prefix}/", "").splitlines()

    def writes(self):
        """Those that changed something."""
        return [request for request in self.requests() if not request.startswith("GET")]


@pytest.fixture
def hub(tmp_path_factory, monkeypatch):
    """The Hub, with an empty repository."""
    made = Hub(tmp_path_factory.mktemp("github"))
    server = github_fake.server(made.directory).start()
    monkeypatch.setattr(github, "ask", made.ask)
    yield made
    server.close()
