"""An image from nothing, after a change of the code and after a change of the dependencies: our Dockerfile, and two as
tutorials have them, on the same base image.

Each run is one after another: all new with one package left out of the lock, a line of code more, then the package.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import measure
import oci
from delivery import registry

TITLE = "Build"
UNIT = "s"
OURS, NAIVE, ORDERED = "this Dockerfile", "all copied, then pip", "requirements copied, pip, then the rest"
COLD, CODE, PACKAGE = "from nothing", "a line of code more", "a package more"
# As tutorials have it: one stage, packages installed into what runs. Debian's Python wants an environment for that.
PLAIN = """ARG BASE_IMAGE
FROM ${BASE_IMAGE}
WORKDIR /app
%s
EXPOSE 8000
ENV PATH=/venv/bin:$PATH
CMD ["gunicorn", "--bind", "0.0.0.0:8000", "book_shop.wsgi"]
"""
PIP = "RUN python3 -m venv /venv && /venv/bin/pip install -r requirements.lock\n"
WAYS = {
    OURS: None,
    NAIVE: PLAIN % ("COPY . .\n" + PIP),
    ORDERED: PLAIN % ("COPY requirements.lock .\n" + PIP + "COPY . ."),
}
LEFT_OUT = "tqdm"
CACHE = "--mount=type=cache,target=/root/.cache/pip"
VERSIONS = {"docker": "docker version --format {{.Server.Version}}", "buildx": "docker buildx version"}


def missing() -> dict[str, str]:
    """Return the ways that can't be measured here, with the reason."""
    return measure.without_engine(WAYS)


def measured(bench: measure.Bench):
    """Yield a row for each run of each case."""
    own = (measure.ROOT / "book-shop/Dockerfile").read_text()
    base = measure.run("scripts/demo/base-image", "app") or re.search("^ARG BASE_IMAGE=(.*)", own, re.MULTILINE)[1]
    server, address = oci.serve(bench.work / "registry")
    sizes: dict[str, int] = {}
    try:
        for number, way in bench.turns([] if missing() else WAYS):
            context = bench.work / "context"
            mark = f"{bench.work.name}-{number}-{list(WAYS).index(way)}"
            lock, package = laid(way, context, mark)
            image = f"{address}/bench:{mark}"
            build = ["docker", "buildx", "build", "--quiet", "--load", "--tag", image]
            build += ["--build-arg", f"BASE_IMAGE={base}"]
            try:
                yield {"case": COLD, "way": way, "value": measure.timed([*build, "--no-cache", str(context)])}
                with (context / "books/views.py").open("a") as file:
                    file.write(f"# {mark}\n")
                yield {"case": CODE, "way": way, "value": measure.timed([*build, str(context)])}
                (context / "requirements.lock").write_text(lock + package)
                seconds = measure.timed([*build, str(context)])
                if way not in sizes:
                    measure.run("docker", "push", "--quiet", image)
                    manifest = registry.Registry(f"{address}/bench").manifest(mark)
                    sizes[way] = sum(layer["size"] for layer in json.loads(manifest.body)["layers"])
                yield {"case": PACKAGE, "way": way, "value": seconds, "compressed": sizes[way]}
            finally:
                subprocess.run(["docker", "image", "rm", "--force", image], capture_output=True)  # if it came about
                shutil.rmtree(context)
    finally:
        server.terminate()
        server.wait()


def laid(way: str, context: Path, mark: str) -> tuple[str, str]:
    """Lay the build context of a way, one package left out; return its lock, and that package's lines."""
    shutil.copytree(measure.ROOT / "book-shop", context, ignore=shutil.ignore_patterns("__pycache__", "*.sqlite3"))
    own = (context / "Dockerfile").read_text()
    if CACHE not in own:
        raise SystemExit(f"error: the Dockerfile has no {CACHE} any more, which this makes new for each run")
    (context / "Dockerfile").write_text(WAYS[way] or own.replace(CACHE, f"{CACHE},id={mark}"))
    lock = (context / "requirements.lock").read_text()
    package = re.search(rf"^{LEFT_OUT}==.*\n(?:[ ]+.*\n)*", lock, re.MULTILINE)[0]
    lock = f"# {mark}\n{lock.replace(package, '')}"  # the builder has seen no such lock, in no run before
    (context / "requirements.lock").write_text(lock)
    return lock, package


def besides(rows: list[dict]) -> str:
    """Return what is told besides the seconds."""
    return f"{rows[0]['compressed'] / 1e6:.0f} MB compressed" if "compressed" in rows[0] else ""


def goals(found) -> list[tuple[bool, str]]:
    """Return which goals are met."""
    told = []
    for case in found.cases:
        ours, others = found[case, OURS].median, [found[case, way].median for way in (NAIVE, ORDERED)]
        told.append(
            (
                ours <= min(others),
                f"{case}: no slower than the plain ones: {min(others) / ours:.1f} times as fast as the faster one",
            )
        )
    size = {way: found[PACKAGE, way].rows[0]["compressed"] for way in WAYS}
    told.append(
        (size[OURS] < size[ORDERED], f"the image is smaller: {size[OURS] / size[ORDERED]:.2f} of the plain one's size")
    )
    return told
