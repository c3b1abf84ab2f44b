"""A real registry for tests, and images put into it without a Docker engine."""

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import NamedTuple

OCI = "application/vnd.oci.image"
TYPES = (f"{OCI}.manifest.v1+json", f"{OCI}.config.v1+json", f"{OCI}.layer.v1.tar")  # manifest, config, layer
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"  # of an image that the engine pushes
CONFIG = """
version: 0.1
storage:
  filesystem: {{rootdirectory: {directory}/storage}}
  delete: {{enabled: true}}
http:
  addr: 127.0.0.1:0
"""


def serve(directory):
    """Starts docker-registry on a free loopback port, waits until it listens, and returns (process, address).
    The directory then has its log."""
    program = shutil.which("docker-registry") or "/usr/bin/docker-registry"
    if not os.access(program, os.X_OK):
        sys.exit("tests need docker-registry: make setup installs it")
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.yml").write_text(CONFIG.format(directory=directory))
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", directory / "config.yml"], stdout=log, stderr=subprocess.STDOUT)
    said = read_until(directory / "log", "listening on ", process)
    return process, said.partition("listening on ")[2].split('"')[0].split()[0]


def read_until(path, text, process=None):
    """The content of a log as soon as it has that text. Ends this program if the text does not come in 30 s, or the
    process that writes the log has ended."""
    limit = time.monotonic() + 30
    while text not in (log := path.read_text()):
        if time.monotonic() > limit or (process and process.poll() is not None):
            sys.exit(f"docker-registry does not log {text!r}:\n{log}")
        time.sleep(0.01)  # a poll with a limit
    return log


def requests(directory, repository):
    """The requests about a repository, as "METHOD rest-of-path" in order, from the access log of the registry.

    The log is a moment behind the answers, so a request of our own is sent last and waited for.
    """
    host, _, name = repository.partition("/")
    mark = f"/v2/?mark={time.monotonic_ns()}"
    ask(host, "GET", mark, 200)
    log = read_until(Path(directory) / "log", f'"GET {mark} ')
    asked = [line.split('"')[1].split(" ")[:2] for line in log.splitlines() if line.startswith("127.0.0.1 - ")]
    about = f"/v2/{name}/"
    return [f"{method} {path.removeprefix(about)}" for method, path in asked if path.startswith(about)]


def digest_of(body):
    return "sha256:" + hashlib.sha256(body).hexdigest()


def descriptor(media_type, body):
    return {"mediaType": media_type, "digest": digest_of(body), "size": len(body)}


def encode(content):
    return json.dumps(content).encode()


def upload(repository, body):
    """Uploads one blob in one piece (distribution-spec, "Pushing a blob monolithically")."""
    host, _, name = repository.partition("/")
    start = ask(host, "POST", f"/v2/{name}/blobs/uploads/", 202)
    path = start.headers["Location"].partition(host)[2] or start.headers["Location"]
    ask(host, "PUT", f"{path}{'&' if '?' in path else '?'}digest={digest_of(body)}", 201, body)


def put(repository, tag, manifest, media_type):
    """Puts a manifest's bytes under a tag and returns their digest."""
    host, _, name = repository.partition("/")
    ask(host, "PUT", f"/v2/{name}/manifests/{tag}", 201, manifest, {"Content-Type": media_type})
    return digest_of(manifest)


class Answer(NamedTuple):
    headers: Message
    content: bytes


def ask(host, method, path, expected, body=b"", headers=None):
    """Sends one request and returns its answer, which must have the expected status."""
    with contextlib.closing(http.client.HTTPConnection(host, timeout=60)) as connection:
        connection.request(method, path, body, {"Content-Type": "application/octet-stream"} | (headers or {}))
        answer = connection.getresponse()
        content = answer.read()
    assert answer.status == expected, f"{method} {path}: {answer.status} {content!r}"
    return Answer(answer.headers, content)


def read(method, reference):
    """The answer to a request for the manifest that a tag names; fails when there is none."""
    repository, _, tag = reference.rpartition(":")
    host, _, name = repository.partition("/")
    return ask(host, method, f"/v2/{name}/manifests/{tag}", 200, headers={"Accept": f"{TYPES[0]}, {DOCKER}"})


def digest(reference):
    """The digest that a tag names in the registry."""
    return read("HEAD", reference).headers["Docker-Content-Digest"]


def tags(repository):
    """The tags of a repository in the registry; none if nothing was pushed to it."""
    host, _, name = repository.partition("/")
    try:
        with urllib.request.urlopen(f"http://{host}/v2/{name}/tags/list") as answer:
            return json.load(answer)["tags"] or []
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return []
        raise


def manifest(reference):
    """The bytes of the manifest that a tag names."""
    return read("GET", reference).content


def push(reference, labels, media_types=TYPES, layers=(b"a layer",)):
    """Uploads an image with these labels and layers (tar files), and returns its digest, which depends on both.
    The layers may come from a generator: one at a time is in memory."""
    repository, _, tag = reference.rpartition(":")
    manifest_type, config_type, layer_type = media_types
    described = []
    for layer in layers:
        upload(repository, layer)
        described.append(descriptor(layer_type, layer))
    rootfs = {"type": "layers", "diff_ids": [layer["digest"] for layer in described]}
    config = encode({"architecture": "amd64", "os": "linux", "config": {"Labels": labels}, "rootfs": rootfs})
    upload(repository, config)
    parts = {"config": descriptor(config_type, config), "layers": described}
    return put(repository, tag, encode({"schemaVersion": 2, "mediaType": manifest_type} | parts), manifest_type)


def mount(reference, target, tag):
    """Puts an image into another repository of its registry without moving a layer, and returns its digest."""
    host, _, name = reference.rpartition(":")[0].partition("/")
    _, _, to = target.partition("/")
    body = manifest(reference)
    named = json.loads(body)
    for blob in (named["config"], *named["layers"]):
        ask(host, "POST", f"/v2/{to}/blobs/uploads/?mount={blob['digest']}&from={name}", 201)
    return put(target, tag, body, TYPES[0])
