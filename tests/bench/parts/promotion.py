"""A snapshot becomes a release: the same image under one more tag, in a registry on loopback.

Images are of random bytes in plain tar files: nothing to unpack, which flatters whoever pulls.
"""

import io
import json
import os
import shutil
import subprocess
import tarfile

import counting
import measure
import oci
from delivery import registry

TITLE = "Promotion"
UNIT = "s"
SIZES = {"60 MB": 60, "300 MB": 300, "1 GB": 1000}  # MB
SMALL = {"1 MB": 1}
LAYERS = 5
OURS, PEER, COLD = "scripts/promote", "oras tag", "docker pull, tag, push; cold"
NAMES = "{repository}:{snapshot} {repository}:{release}"
ENGINE = (
    "docker pull --quiet {repository}:{snapshot}",
    f"docker tag {NAMES}",
    "docker push --quiet {repository}:{release}",
)
WAYS = {
    OURS: ("scripts/promote",),
    PEER: ("oras tag --plain-http {repository}:{snapshot} {release}",),
    "skopeo copy": (
        "skopeo copy --quiet --src-tls-verify=false --dest-tls-verify=false"
        " docker://{repository}:{snapshot} docker://{repository}:{release}",
    ),
    "docker buildx imagetools create": (
        "docker buildx imagetools create --tag {repository}:{release} {repository}:{snapshot}",
    ),
    "docker pull, tag, push; warm": ENGINE,
    COLD: ENGINE,
}
VERSIONS = {
    "oras": "oras version",
    "skopeo": "skopeo --version",
    "docker": "docker version --format {{.Server.Version}}",
    "buildx": "docker buildx version",
    "registry": "docker-registry --version",
}


def missing() -> dict[str, str]:
    """Return the ways that can't be measured here, with the reason."""
    why = "it is in no package that this machine can install"
    lacking = measure.lacking(
        oras=why, skopeo=why, docker="there is no Docker engine", docker_buildx="it has no BuildKit"
    )
    tools = {way: ["docker_buildx" if "buildx" in way else way.split()[0]] for way in WAYS}
    return {way: lacking[tool] for way, (tool,) in tools.items() if tool in lacking}


def layer(megabytes: float) -> bytes:
    """Return a tar file of random bytes."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        entry = tarfile.TarInfo("random")
        entry.size = int(megabytes * 1_000_000)
        tar.addfile(entry, io.BytesIO(os.urandom(entry.size)))
    return made.getvalue()


class Image:
    """An image in the registry, and its way to a release in a repository of its own, so that each run finds it new."""

    def __init__(self, address: str, name: str, megabytes: int) -> None:
        self.address, self.name = address, name
        self.snapshot, self.release = (measure.run("scripts/version", word) for word in ("snapshot", "release"))
        self.source = f"{address}/{name}:{self.snapshot}"
        oci.push(self.source, {}, layers=(layer(megabytes / LAYERS) for _ in range(LAYERS)))

    def layers(self) -> set[str]:
        """Return the digests of its layers."""
        return {described["digest"] for described in json.loads(oci.manifest(self.source))["layers"]}

    def promoted(self, way: str, number: str, front: str, begin=lambda: None) -> dict:
        """Promote it in a way, through the registry's address or a front's; return the seconds and whether the digest
        was kept. What has to be there before is, when `begin` is called."""
        name = f"{self.name}/{way.split()[0].split('/')[-1]}-{number}"
        digest = oci.mount(self.source, f"{self.address}/{name}", self.snapshot)
        words = {"repository": f"{front}/{name}", "snapshot": self.snapshot, "release": self.release}
        commands = [command.format(**words).split() for command in WAYS[way]]
        if way.endswith("warm"):
            measure.run(*commands[0])
        begin()
        try:
            seconds = measure.timed(*commands, DELIVERY_REPOSITORY=words["repository"], DELIVERY_HOST="local")
        finally:
            if WAYS[way] is ENGINE:
                tags = [f"{words['repository']}:{tag}" for tag in (self.snapshot, self.release)]
                subprocess.run(["docker", "image", "rm", *tags], capture_output=True)  # those that came about
        kept = registry.Registry(f"{self.address}/{name}").digest(self.release) == digest
        return {"value": seconds, "kept": kept}


def measured(bench: measure.Bench):
    """Yield a row for each run. What is moved is counted in a run of its own: a proxy would slow the others."""
    server, address = oci.serve(bench.work / "registry")
    ways = [way for way in WAYS if way not in missing()]
    try:
        for case, megabytes in (SMALL if bench.small else SIZES).items():
            image = Image(address, f"bench-{megabytes}", megabytes)
            moved = {}
            for number, way in enumerate(ways):
                moved[way] = through_proxy(image, way, f"counted-{number}")
            for number, way in bench.turns(ways):
                yield {
                    "case": case,
                    "way": way,
                    **image.promoted(way, f"{number}-{ways.index(way)}", address),
                    **moved[way],
                }
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(bench.work / "registry")


def through_proxy(image: Image, way: str, number: str) -> dict:
    """Return how many requests and bytes a promotion takes, and how many of them are layers'."""
    counter = counting.Counter(image.address, image.layers())
    try:
        image.promoted(way, number, counter.address, counter.reset)
    finally:
        counter.close()
    return {"requests": counter.requests, "bytes": counter.bytes, "layer_bytes": counter.layer_bytes}


def besides(rows: list[dict]) -> str:
    """Return what is told besides the seconds."""
    row = rows[0]
    kept = "digest kept" if all(row["kept"] for row in rows) else "**another digest**"
    return f"{row['requests']} requests, {row['bytes']:,} bytes, {row['layer_bytes']:,} of layers; {kept}"


def goals(found) -> list[tuple[bool, str]]:
    """Return which goals are met."""
    cases = found.cases
    moved = max(row["layer_bytes"] for case in cases for row in found[case, OURS].rows)
    told = [(moved == 0, f"{OURS} moves 0 bytes of layers: {moved:,}")]
    if len(cases) > 1:
        factor = found[cases[-1], OURS].median / found[cases[0], OURS].median
        text = f"its cost is independent of the size: {factor:.2f} times as long at {cases[-1]} as at {cases[0]}"
        told.append((factor < 1.25, text))
    for case in cases:
        if (case, PEER) in found:
            factor = found[case, OURS].median / found[case, PEER].median
            told.append((factor <= 1.5, f"at most 1.5 times as long as {PEER} at {case}: {factor:.1f} times"))
    if ("300 MB", COLD) in found:
        factor = found["300 MB", COLD].median / found["300 MB", OURS].median
        told.append((factor >= 30, f"at least 30 times faster than {COLD} at 300 MB: {factor:.0f} times"))
    return told
