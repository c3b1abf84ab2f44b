"""A snapshot becomes a release: the same image under one more tag, in a registry on loopback.

The images are random bytes in plain tar files. There is nothing to decompress, which favours the ways that pull.
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
from delivery import git, registry

UNIT = "s"
SIZES = {"60 MB": 60, "300 MB": 300, "1 GB": 1000}  # MB
SMALL = {"1 MB": 1}
LAYERS = 5
OURS, ORAS, SKOPEO, BUILDX = "scripts/promote", "oras tag", "skopeo copy", "docker buildx imagetools create"
WARM, COLD = "docker pull, tag, push; warm", "docker pull, tag, push; cold"
ENGINE = (
    "docker pull --quiet {snapshot}",
    "docker tag {snapshot} {release}",
    "docker push --quiet {release}",
)
INSECURE = "--src-tls-verify=false --dest-tls-verify=false"
WAYS = {
    OURS: ("scripts/promote",),
    ORAS: ("oras tag --plain-http {snapshot} {tag}",),
    SKOPEO: (f"skopeo copy --quiet {INSECURE} docker://{{snapshot}} docker://{{release}}",),
    BUILDX: ("docker buildx imagetools create --tag {release} {snapshot}",),
    WARM: ENGINE,
    COLD: ENGINE,
}
NEEDS = {ORAS: "oras", SKOPEO: "skopeo", BUILDX: "buildx", WARM: "docker", COLD: "docker"}
TOOLS = ("oras", "skopeo", "docker", "buildx", "registry")


def layer(megabytes: float) -> bytes:
    """Return a tar file of random bytes."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        entry = tarfile.TarInfo("random")
        entry.size = int(megabytes * 1_000_000)
        tar.addfile(entry, io.BytesIO(os.urandom(entry.size)))
    return content.getvalue()


class Image:
    """An image in the registry. Each run promotes it in a repository of its own, to which it is new."""

    def __init__(self, address: str, name: str, megabytes: int) -> None:
        self.address, self.name = address, name
        self.snapshot, self.release = (measure.run("scripts/version", word) for word in ("snapshot", "release"))
        self.source = f"{address}/{name}:{self.snapshot}"
        labels = {git.REVISION_LABEL: git.resolve(), git.SOURCE_LABEL: git.source("HEAD")}
        oci.push(self.source, labels, layers=(layer(megabytes / LAYERS) for _ in range(LAYERS)))

    def layers(self) -> set[str]:
        """Return the digests of its layers."""
        return {described["digest"] for described in json.loads(oci.manifest(self.source))["layers"]}

    def promoted(self, way: str, number: str, front: str, begin=lambda: None) -> dict:
        """Promote it through the registry at `front`; return the seconds, and whether the digest is kept.

        `begin` is called after the preparation.
        """
        name = f"{self.name}/{way.split()[0].split('/')[-1]}-{number}"
        digest = oci.mount(self.source, f"{self.address}/{name}", self.snapshot)
        repository = f"{front}/{name}"
        snapshot, release = f"{repository}:{self.snapshot}", f"{repository}:{self.release}"
        words = {"snapshot": snapshot, "release": release, "tag": self.release}
        commands = [command.format(**words).split() for command in WAYS[way]]
        if way == WARM:
            measure.run(*commands[0])
        begin()
        try:
            seconds = measure.timed(*commands, DELIVERY_REPOSITORY=repository, DELIVERY_HOST="local")
        finally:
            if WAYS[way] is ENGINE:  # after a failure, not both images exist
                subprocess.run(["docker", "image", "rm", snapshot, release], capture_output=True)
        kept = registry.Registry(f"{self.address}/{name}").digest(self.release) == digest
        return {"value": seconds, "kept": kept}

    def moved(self, way: str, number: str) -> dict:
        """Promote it through a proxy; return how many requests and bytes that takes, in all and of layers."""
        counter = counting.Counter(self.address, self.layers())
        try:
            self.promoted(way, number, counter.address, counter.reset)
        finally:
            counter.close()
        return {"requests": counter.requests, "bytes": counter.bytes, "layer_bytes": counter.layer_bytes}


def measured(bench: measure.Bench, ways: list[str]):
    server, address = oci.serve(bench.work / "registry")
    try:
        for case, megabytes in (SMALL if bench.small else SIZES).items():
            image = Image(address, f"bench-{megabytes}", megabytes)
            # In runs of their own, because a proxy slows a run.
            moved = {way: image.moved(way, f"counted-{number}") for number, way in enumerate(ways)}
            for number, way in bench.turns(ways):
                run = image.promoted(way, f"{number}-{ways.index(way)}", address)
                yield {"case": case, "way": way, **run, **moved[way]}
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(bench.work / "registry")


def details(rows: list[dict]) -> str:
    row = rows[0]
    kept = "digest kept" if all(row["kept"] for row in rows) else "**another digest**"
    return f"{row['requests']} requests, {row['bytes']:,} bytes, {row['layer_bytes']:,} of layers; {kept}"


def goals(found):
    cases = found.cases
    moved = max(row["layer_bytes"] for case in cases for row in found[case, OURS].rows)
    yield moved == 0, f"{OURS} moves 0 bytes of layers: {moved:,}"
    if len(cases) > 1:
        factor = found[cases[-1], OURS].median / found[cases[0], OURS].median
        text = f"its cost is independent of the size: {factor:.2f} times as long at {cases[-1]} as at {cases[0]}"
        yield factor < 1.25, text
    for case in cases:
        if (case, ORAS) in found:
            factor = found[case, OURS].median / found[case, ORAS].median
            yield factor <= 1.5, f"at most 1.5 times as long as {ORAS} at {case}: {factor:.1f} times"
    if ("300 MB", COLD) in found:
        factor = found["300 MB", COLD].median / found["300 MB", OURS].median
        yield factor >= 30, f"at least 30 times faster than {COLD} at 300 MB: {factor:.0f} times"
