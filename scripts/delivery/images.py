"""Pulls an image to the machine that deploys it, and refuses images that cannot run there."""

import shutil

from delivery import pages, references
from delivery.cli import CommandError, UsageError, log
from delivery.process import ProgramFailed

REQUIRED_SPACE = 2048  # MB; Kubernetes evicts pods below 5 % of a disk, 1.5 GB of the usual 30 GB


def check(image, repository):
    """Raises UsageError unless the image is `repository` at a digest."""
    name, _ = references.image(image)
    if str(name) != repository:
        why = f"this target runs images of {repository} only"
        raise UsageError(f"invalid image {image[:200]!r}", why, "make history-dev history-prod lists what was deployed")


def fetch(docker, image, platform, directory):
    """Pulls an image unless the engine has it, and returns the commit that it was built from.

    `platform` is the required platform; `directory` is on the disk that must have space for the image.
    Raises CommandError before the pull if there is too little space, and for an image of another
    platform or without a commit.
    """
    local = docker.image(image)
    if local is None:
        free = shutil.disk_usage(directory).free // 1_000_000
        if free < REQUIRED_SPACE:
            why = f"{free} MB are free, {REQUIRED_SPACE} MB are required"
            raise CommandError("not enough disk space: nothing was changed", why, "docker system df")
        log(f"pull {image}")
        try:
            docker.pull(image)
        except ProgramFailed as error:
            remedy = "check that it was pushed and that this machine reaches the registry"
            raise CommandError(f"cannot pull '{image}'", error.why, remedy) from None
        local = docker.image(image)
    if local.platform != platform:
        why = f"it is built for {local.platform}, {platform} is required"
        remedy = "no tag ever moves: commit again, then build for that platform: make image push"
        raise CommandError(f"'{image}' cannot run here", why, remedy)
    if not references.COMMIT.fullmatch(local.revision):
        raise CommandError(f"'{image}' does not name its commit", "it has no revision label", "make image push")
    return local.revision


def pages_of(docker, image):
    """The pages that a fetched image must answer. Raises CommandError if its list of pages is invalid."""
    found = tuple(pages.of_label(image, docker.image(image).pages))
    if not found:
        log("the image is older than the smoke test: only its readiness is checked")
    return found
