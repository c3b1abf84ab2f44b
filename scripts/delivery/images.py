"""Brings an image to the machine that deploys it, and refuses one that cannot run there."""

import shutil

from delivery import references
from delivery.cli import CommandError, UsageError, log
from delivery.process import ProgramFailed

REQUIRED_SPACE = 2048  # MB: above the 5 % of a 30 GB disk at which Kubernetes begins to evict pods


def check(image, repository):
    """Raises UsageError unless the image is `repository` at a digest."""
    found, _ = references.image(image)
    if str(found) != repository:
        why = f"this target runs images of {repository} only"
        raise UsageError(f"invalid image {image[:200]!r}", why, "make history-dev history-prod lists what was deployed")


def fetch(docker, image, platform, directory):
    """Pulls an image, unless the engine has it, and returns the commit that it was built from.

    `platform` is the one it has to run on, `directory` is on the disk that has to have space for it.
    Raises CommandError before anything is pulled if there is too little, and for an image of another
    platform or without a commit.
    """
    found = docker.image(image)
    if found is None:
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
        found = docker.image(image)
    if found.platform != platform:
        why = f"it is built for {found.platform}, {platform} is required"
        raise CommandError(f"'{image}' cannot run here", why, "build it on such a machine: make image push")
    if not references.COMMIT.fullmatch(found.revision):
        raise CommandError(f"'{image}' does not name its commit", "it has no revision label", "make image push")
    return found.revision
