"""Removes the images that a host does not need from Docker and from Kubernetes."""

import re

from delivery.cli import CommandError, log


def needed(environments, repository):
    """The references of the images that are live, would be rolled back to, or are being deployed."""
    found = set()
    for environment in environments:
        memory = environment.state.load()
        found |= {memory.current, memory.previous}
        found |= set(re.findall(re.escape(repository) + "@sha256:[0-9a-f]{64}", environment.lock.holder() or ""))
    return found - {None}


def clean_docker(docker, repository, kept):
    """Removes the images of a repository but those in `kept`. One that is in use stays."""
    docker.remove_leftovers()  # they keep their image
    for image in docker.images(repository):
        if image not in kept:
            try:
                docker.remove_image(image)
            except CommandError as error:
                log(f"not removed: {image}: {error.why}")


def clean_containerd(containerd, repository, kept):
    """Removes the images of a repository but those in `kept`, by all their names."""
    digests = {image.partition("@")[2] for image in kept}
    images = containerd.images()
    stale = {digest for name, digest in images.items() if name.startswith(f"{repository}@") and digest not in digests}
    if names := [name for name, digest in images.items() if digest in stale]:
        containerd.remove(names)
