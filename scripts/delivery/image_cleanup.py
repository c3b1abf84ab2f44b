"""Removes images that a host no longer needs from Docker and from Kubernetes."""

import re

from delivery.cli import CommandError, log
from delivery.references import DIGEST


def needed(environments, repository):
    """The references of the images that are live, that a rollback would return to, or that are being deployed."""
    references = set()
    for environment in environments:
        memory = environment.state.load()
        references |= {memory.current, memory.previous}
        references |= set(re.findall(re.escape(repository) + "@" + DIGEST.pattern, environment.lock.holder() or ""))
    return references - {None}


def clean_docker(docker, repository, kept):
    """Removes the images of a repository except those in `kept`. Images in use stay."""
    docker.remove_leftovers()  # each keeps its image in use
    for image in docker.images(repository):
        if image not in kept:
            try:
                docker.remove_image(image)
            except CommandError as error:
                log(f"not removed: {image}: {error.why}")


def clean_containerd(containerd, repository, kept):
    """Removes the images of a repository except those in `kept`, with all their names."""
    digests = {image.partition("@")[2] for image in kept}
    images = containerd.images()
    stale = {digest for name, digest in images.items() if name.startswith(f"{repository}@") and digest not in digests}
    if names := [name for name, digest in images.items() if digest in stale]:
        containerd.remove(names)
