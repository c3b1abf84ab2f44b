"""What the parts of the bench share: running and timing a way, whose turn it is, the local host, a load on it."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
IDENTITY = {"GIT_AUTHOR_NAME": "bench", "GIT_AUTHOR_EMAIL": "bench@example.com"}
IDENTITY |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in IDENTITY.items()}
LIMIT = 900  # seconds for one command


def run(*command: str, cwd: Path = ROOT, **environment: str) -> str:
    """Run a program; return what it says on stdout, without the last newline. Ends the bench if it fails."""
    settings = {"cwd": cwd, "env": os.environ | environment, "stdin": subprocess.DEVNULL, "timeout": LIMIT}
    done = subprocess.run(command, capture_output=True, text=True, **settings)
    if done.returncode:
        raise SystemExit(f"error: {' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout.rstrip("\n")


def timed(*commands: list[str], **environment: str) -> float:
    """Run programs one after another; return the seconds they took together."""
    start = time.perf_counter()
    for command in commands:
        run(*command, **environment)
    return time.perf_counter() - start


def lacking(**tools: str) -> dict[str, str]:
    """Return which of these tools are not here, with the reason; a tool is a program, or a plug-in of docker's."""
    found = {}
    for name, why in tools.items():
        plugin = name.partition("_")[2]
        if plugin:
            here = (
                shutil.which("docker")
                and not subprocess.run(["docker", plugin, "version"], capture_output=True).returncode
            )
        else:
            here = shutil.which(name)
        if not here:
            found[name] = why
    return found


def without_engine(ways) -> dict[str, str]:
    """Return all of these ways, with the reason, if there is no Docker engine."""
    return dict.fromkeys(ways, "there is no Docker engine") if lacking(docker="") else {}


def table(rows: list[list[str]]) -> str:
    """Return rows, the first of them the head, as a Markdown table."""
    head, *body = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


class Bench:
    """How large the bench is, and where it works."""

    def __init__(self, work: Path, small: bool, runs: int) -> None:
        self.work, self.small, self.runs = work, small, 1 if small else runs
        self._images: list[tuple[str, str]] = []

    def turns(self, ways):
        """Yield (number of the run, way), each way once a run, every other run in the reverse order."""
        for number in range(self.runs):
            for way in list(ways)[:: -1 if number % 2 else 1]:
                print(f"==> run {number + 1} of {self.runs}: {way}", file=sys.stderr)
                yield number, way

    # ---- the local host, and a clone of the shop to commit in; scripts/bench says where both are

    @property
    def clone(self) -> Path:
        """Where commits are made."""
        return Path(os.environ["SHOP"])

    def make(self, *targets: str, **environment: str) -> str:
        """Make targets in the clone."""
        return run("make", "--no-print-directory", *targets, cwd=self.clone, **environment)

    def on_host(self, script: str, **variables: str) -> str:
        """Run a shell script on the local host, with these variables."""
        words = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
        return run("docker", "exec", *words, host(), "bash", "-euo", "pipefail", "-c", script)

    def deploy(self, environment: str, image: str) -> None:
        """Deploy an image by the road's own verb."""
        run("scripts/deploy", environment, image, cwd=self.clone)

    def commit(self, what: str) -> str:
        """Commit what has changed in the clone; return the commit."""
        run("git", "commit", "--quiet", "--all", "--message", what, cwd=self.clone, **IDENTITY)
        return run("git", "rev-parse", "HEAD", cwd=self.clone)

    def change_code(self, number: str) -> str:
        """Change a line of the application and commit; return the commit."""
        with (self.clone / "book-shop/books/views.py").open("a") as file:
            file.write(f"# changed {number}\n")
        return self.commit(f"change {number}")

    def up(self) -> None:
        """Bring the local host up with both environments, unless they answer."""
        if not all(asked(f"{url(environment)}/version") for environment in ("dev", "prod")):
            self.make("demo")

    def images(self) -> list[tuple[str, str]]:
        """Return two releases as (repository@digest, revision), made once; the local host is up then."""
        if not self._images:
            self.up()
            project = self.clone / "book-shop/pyproject.toml"
            for number in range(2):
                version = run("scripts/version", cwd=self.clone)
                least = version.rpartition(".")
                project.write_text(
                    project.read_text().replace(f'version = "{version}"', f'version = "{least[0]}.{int(least[2]) + 1}"')
                )
                revision = self.change_code(f"image {number}")
                self._images.append((self.make("image", "push", "promote").splitlines()[-1], revision))
        return self._images


def host() -> str:
    """Return the container that is the local host."""
    return f"{os.environ['DELIVERY_DEMO']}-host"


def url(environment: str) -> str:
    """Return where the local host serves an environment."""
    return f"http://localhost:{os.environ['DELIVERY_DEV_PORT' if environment == 'dev' else 'DELIVERY_HTTP_PORT']}"


def asked(address: str) -> dict:
    """Return the JSON at an address; an empty one if it does not answer so."""
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return {}


class Answering:
    """When an environment answers with a revision, or at all, counted from now on; asked twenty times a second."""

    def __init__(self, environment: str, revision: str | None = None) -> None:
        self.start, self.first = time.perf_counter(), None
        self._url, self._revision, self._given_up = f"{url(environment)}/version", revision, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def look(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def _look(self) -> None:
        while not self._given_up.is_set():
            told = asked(self._url).get("revision")
            if told and self._revision in (None, told):
                self.first = self.since()
                return
            self._given_up.wait(0.05)

    def since(self) -> float:
        """Return the seconds until now."""
        return time.perf_counter() - self.start

    def seconds(self) -> float:
        """Return the seconds until it answered; that is waited for, a minute at most."""
        self._thread.join(60)
        self._given_up.set()
        if self.first is None:
            raise SystemExit(f"error: {self._url} does not answer with {self._revision or 'anything'}")
        return self.first


@contextlib.contextmanager
def load(address: str, work: Path, **settings: object):
    """Put a load (load.js) on an address for as long as the context lasts; what it saw is in the mapping afterwards.

    With `seconds` it ends by itself and the context waits for it.
    """
    api, file = os.environ["K6_API"], work / "k6.json"
    words = [word for name, value in settings.items() for word in ("--env", f"{name.upper()}={value}")]
    command = ["k6", "run", "--quiet", "--no-usage-report", "--address", api, "--summary-export", str(file)]
    k6 = subprocess.Popen(
        [*command, "--env", f"URL={address}", *words, str(HERE / "load.js")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    seen: dict[str, float] = {}
    try:
        while not (asked(f"http://{api}/v1/status").get("data", {}).get("attributes", {}).get("running")):
            if k6.poll() is not None:
                raise SystemExit(f"error: k6 does not start: {k6.stdout.read().decode()}")
            time.sleep(0.02)  # a poll with a limit: k6 runs or ends
        yield seen
        if "seconds" not in settings:
            order = json.dumps({"data": {"type": "status", "id": "default", "attributes": {"stopped": True}}}).encode()
            stop = urllib.request.Request(f"http://{api}/v1/status", order, method="PATCH")
            urllib.request.urlopen(stop, timeout=10).close()
        said = k6.communicate(timeout=120)[0].decode()
        if k6.returncode not in (0, 103):  # 103: stopped as asked
            raise SystemExit(f"error: k6 ended with {k6.returncode}: {said}")
        seen |= counted(json.loads(file.read_text())["metrics"])
    finally:
        if k6.poll() is None:
            k6.kill()
            k6.wait()


def counted(metrics: dict) -> dict[str, float]:
    """Return what is told of a load, out of k6's own summary. Requests are unsent when all that were sent before still
    wait for their answers: the machine did not bear the load."""
    return {
        "requests": metrics["http_reqs"]["count"],
        "failed": metrics["http_req_failed"]["passes"],
        "unsent": metrics.get("dropped_iterations", {}).get("count", 0),
        "rate": metrics["http_reqs"]["rate"],
        "p99": metrics["http_req_duration"]["p(99)"],
    }
