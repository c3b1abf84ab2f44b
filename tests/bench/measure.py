"""What the parts of the bench share: running and timing commands, the local host, a load on it."""

import contextlib
import functools
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LIMIT = 900  # seconds for one command
ENGINE = "docker version --format {{.Server.Version}}"
VERSIONS = {  # tool: the command that prints its version
    "docker": ENGINE,
    "buildx": "docker buildx version",
    "compose": "docker compose version",
    "oras": "oras version",
    "skopeo": "skopeo --version",
    "registry": "docker-registry --version",
    "k6": "k6 version",
    "host's docker": f"docker exec $DELIVERY_DEMO-host {ENGINE}",
    "Kubernetes": "docker exec $DELIVERY_DEMO-host kubectl version",
}


def run(*command: str, cwd: Path = ROOT, **environment: str) -> str:
    """Run a program and return its stdout without the last newline. SystemExit if the program fails."""
    settings = {"cwd": cwd, "env": os.environ | environment, "stdin": subprocess.DEVNULL, "timeout": LIMIT}
    done = subprocess.run(command, capture_output=True, text=True, **settings)
    if done.returncode:
        raise SystemExit(f"error: {' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout.rstrip("\n")


def timed(*commands: list[str], **environment: str) -> float:
    """Run programs one after another and return the seconds they took together."""
    start = time.perf_counter()
    for command in commands:
        run(*command, **environment)
    return time.perf_counter() - start


def version(tool: str) -> str | None:
    """Return the first number that a tool's version command prints, None if the command cannot run."""
    command = os.path.expandvars(VERSIONS[tool]).split()
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return next((word for word in (word.strip("v,") for word in done.stdout.split()) if word[:1].isdigit()), "unknown")


def table(rows: list[list]) -> str:
    """Return rows, of which the first is the head, as a Markdown table."""
    head, *body = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


class Bench:
    """The size of the bench, its working directory, the local host, and the clone in which commits are made."""

    def __init__(self, work: Path, small: bool, runs: int) -> None:
        self.work, self.small, self.runs = work, small, 1 if small else runs
        self.clone = Path(os.environ.get("SHOP", ROOT))

    def turns(self, ways):
        """Yield (number of the run, way): each way once in a run, every other run in the reverse order."""
        for number in range(self.runs):
            for way in list(ways)[:: -1 if number % 2 else 1]:
                print(f"==> run {number + 1} of {self.runs}: {way}", file=sys.stderr)
                yield number, way

    def make(self, *targets: str, **environment: str) -> str:
        return run("make", "--no-print-directory", *targets, cwd=self.clone, **environment)

    def deploy(self, environment: str, image: str) -> None:
        force = {"DELIVERY_FORCE": "1", "DELIVERY_REASON": "the bench deploys two images in turn"}
        run("scripts/deploy", environment, image, cwd=self.clone, **force)

    def on_host(self, function: str, *arguments: str, **variables: str) -> None:
        """Run a function of on_host.bash on the local host, with these environment variables."""
        words = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
        script = (HERE / "on_host.bash").read_text()
        run("docker", "exec", *words, host(), "bash", "-c", script, "on_host.bash", function, *arguments)

    def change_code(self, change: str) -> str:
        """Change a line of the application, commit it with all other changes, and return the commit."""
        with (self.clone / "book-shop/books/views.py").open("a") as file:
            file.write(f"# changed {change}\n")
        git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.com"]
        run(*git, "commit", "--quiet", "--all", "--message", f"change {change}", cwd=self.clone)
        return run("git", "rev-parse", "HEAD", cwd=self.clone)

    def up(self) -> None:
        """Start the local host, unless both of its environments answer."""
        if not all(read_json(f"{url(environment)}/version") for environment in ("dev", "prod")):
            self.make("demo")

    @functools.cached_property
    def images(self) -> list[tuple[str, str]]:
        """Two releases as (repository@digest, revision). The local host runs afterwards."""
        self.up()
        project = self.clone / "book-shop/pyproject.toml"
        images = []
        for number in range(2):
            current = run("scripts/version", cwd=self.clone)
            minor, _, patch = current.rpartition(".")
            text = project.read_text().replace(f'version = "{current}"', f'version = "{minor}.{int(patch) + 1}"')
            project.write_text(text)
            revision = self.change_code(f"image {number}")
            images.append((self.make("image", "push", "promote").splitlines()[-1], revision))
        return images


def host() -> str:
    return f"{os.environ['DELIVERY_DEMO']}-host"


def url(environment: str) -> str:
    """Return the URL at which the local host serves an environment."""
    return f"http://localhost:{os.environ['DELIVERY_DEV_PORT' if environment == 'dev' else 'DELIVERY_HTTP_PORT']}"


def read_json(address: str) -> dict:
    """Return the JSON at a URL, {} if there is no such answer."""
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return {}


class Answering(threading.Thread):
    """The time from here until an environment answers with a revision, or at all. start() starts the requests."""

    def __init__(self, environment: str, revision: str | None = None) -> None:
        super().__init__(daemon=True)
        self.begun, self.first = time.perf_counter(), None
        self._url, self._revision, self._ended = f"{url(environment)}/version", revision, threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            revision = read_json(self._url).get("revision")
            if revision and self._revision in (None, revision):
                self.first = self.since()
                return
            self._ended.wait(0.05)

    def since(self) -> float:
        """Return the seconds until now."""
        return time.perf_counter() - self.begun

    def seconds(self) -> float:
        """Return the seconds until the answer. Waits for it, for a minute at most."""
        self.join(60)
        self._ended.set()
        if self.first is None:
            raise SystemExit(f"error: {self._url} does not answer with {self._revision or 'anything'}")
        return self.first


@contextlib.contextmanager
def load(address: str, work: Path, **settings: object):
    """Put a load (load.js) on a URL while the context lasts; the mapping then has the results.

    With `seconds` the load ends by itself, and the context waits for it.
    """
    api, file = f"http://{os.environ['K6_API']}/v1/status", work / "k6.json"
    words = [f"--env={name.upper()}={value}" for name, value in {"url": address, **settings}.items()]
    command = ["k6", "run", "--quiet", "--no-usage-report", "--address", os.environ["K6_API"]]
    command += ["--summary-export", str(file), *words, str(HERE / "load.js")]
    k6 = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    results: dict[str, float] = {}
    try:
        while not read_json(api).get("data", {}).get("attributes", {}).get("running"):
            if k6.poll() is not None:
                raise SystemExit(f"error: k6 does not start: {k6.stdout.read()}")
            time.sleep(0.02)  # a poll with a limit: k6 runs or ends
        yield results
        if "seconds" not in settings:
            stop = json.dumps({"data": {"type": "status", "id": "default", "attributes": {"stopped": True}}}).encode()
            urllib.request.urlopen(urllib.request.Request(api, stop, method="PATCH"), timeout=10).close()
        output = k6.communicate(timeout=120)[0]
        if k6.returncode not in (0, 103):  # 103: stopped through its API
            raise SystemExit(f"error: k6 ended with {k6.returncode}: {output}")
        results |= counted(json.loads(file.read_text())["metrics"])
    finally:
        if k6.poll() is None:
            k6.kill()
            k6.wait()


def counted(metrics: dict) -> dict[str, float]:
    """Return the results of a load from k6's summary. A request is unsent when the machine is too slow for the load."""
    return {
        "requests": metrics["http_reqs"]["count"],
        "failed": metrics["http_req_failed"]["passes"],
        "unsent": metrics.get("dropped_iterations", {}).get("count", 0),
        "rate": metrics["http_reqs"]["rate"],
        "p99": metrics["http_req_duration"]["p(99)"],
    }
