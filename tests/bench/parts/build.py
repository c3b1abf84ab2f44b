"""An image built from nothing, after a change of the code and after a change of the dependencies: with our Dockerfile
and with two as in tutorials, on the same base image.

A run builds all three: from nothing with one package left out of the lock, with a line of code more, with the package.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import measure
import oci
from delivery import registry

UNIT = "s"
OURS, NAIVE, ORDERED = "this Dockerfile", "all copied, then pip", "requirements copied, pip, then the rest"
COLD, CODE, PACKAGE = "from nothing", "a line of code more", "a package more"
# One stage, as in tutorials. Debian's Python installs packages only into a virtual environment.
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
NEEDS = dict.fromkeys(WAYS, "docker")
TOOLS = ("docker", "buildx")
LEFT_OUT = "tqdm"
CACHE = "--mount=type=cache,target=/root/.cache/pip"


def measured(bench: measure.Bench, ways: list[str]):
    dockerfile = (measure.ROOT / "book-shop/Dockerfile").read_text()
    pattern = re.compile("^FROM (.*) AS pinned$", re.MULTILINE)
    base = measure.run("scripts/local/base-image", "app") or pattern.search(dockerfile)[1]
    server, address = oci.serve(bench.work / "registry")
    context, sizes = bench.work / "context", {}
    try:
        for number, way in bench.turns(ways):
            mark = f"{bench.work.name}-{number}-{ways.index(way)}"
            lock, package = write_context(way, context, mark)
            image = f"{address}/bench:{mark}"
            build = ["docker", "buildx", "build", "--quiet", "--load", "--tag", image]
            build += ["--build-arg", f"BASE_IMAGE={base}", str(context)]
            try:
                yield {"case": COLD, "way": way, "value": measure.timed([*build, "--no-cache"])}
                with (context / "books/views.py").open("a") as file:
                    file.write(f"# {mark}\n")
                yield {"case": CODE, "way": way, "value": measure.timed(build)}
                (context / "requirements.lock").write_text(lock + package)
                seconds = measure.timed(build)
                if way not in sizes:
                    measure.run("docker", "push", "--quiet", image)
                    manifest = registry.Registry(f"{address}/bench").manifest(mark)
                    sizes[way] = sum(layer["size"] for layer in json.loads(manifest.body)["layers"])
                yield {"case": PACKAGE, "way": way, "value": seconds, "compressed": sizes[way]}
            finally:
                subprocess.run(["docker", "image", "rm", "--force", image], capture_output=True)  # if it exists
                shutil.rmtree(context)
    finally:
        server.terminate()
        server.wait()


def write_context(way: str, context: Path, mark: str) -> tuple[str, str]:
    """Write the build context of a way without one package; return its lock, and that package's lines."""
    shutil.copytree(measure.ROOT / "book-shop", context, ignore=shutil.ignore_patterns("__pycache__", "*.sqlite3"))
    dockerfile, locked = context / "Dockerfile", context / "requirements.lock"
    if CACHE not in dockerfile.read_text():
        raise SystemExit(f"error: {CACHE} not found in the Dockerfile: each run replaces it by a cache of its own")
    dockerfile.write_text(WAYS[way] or dockerfile.read_text().replace(CACHE, f"{CACHE},id={mark}"))
    package = re.search(rf"^{LEFT_OUT}==.*\n(?:[ ]+.*\n)*", locked.read_text(), re.MULTILINE)[0]
    lock = f"# {mark}\n{locked.read_text().replace(package, '')}"  # the mark makes it new to the builder's cache
    locked.write_text(lock)
    return lock, package


def details(rows: list[dict]) -> str:
    return f"{rows[0]['compressed'] / 1e6:.0f} MB compressed" if "compressed" in rows[0] else ""


def goals(found):
    for case in found.cases:
        fastest, ours = min(found[case, way].median for way in (NAIVE, ORDERED)), found[case, OURS].median
        text = f"{case}: no slower than the plain ones: {fastest / ours:.1f} times as fast as the faster one"
        yield ours <= fastest, text
    ours, plain = (found[PACKAGE, way].rows[0]["compressed"] for way in (OURS, ORDERED))
    yield ours < plain, f"the image is smaller: {ours / plain:.2f} of the plain one's size"
