"""The release of a pipeline run, which `make promote` hands over to the later steps of its job.

A tag in the registry can be moved between two steps, so these deploy, test and compare the promoted digest. The
file that DELIVERY_RELEASE_FILE names has it as JSON: the commit, the version and the image, null if there is
nothing to release. Without the variable, as on a laptop, nothing is handed over.
"""

import contextlib
import json
import os  # pathlib is slow to import
from collections import namedtuple

from delivery import git
from delivery.cli import CommandError


class Release(namedtuple("Release", "commit version image")):
    """`image` is repository@digest, or None if there is nothing to release."""

    def __str__(self):
        return f"nothing to release: {self.version} was released with the same {' and '.join(git.TREES)}"


def path():
    """The file, or None."""
    return os.environ.get("DELIVERY_RELEASE_FILE") or None


def write(commit, version, image):
    """Hands a release over."""
    if file := path():
        with open(file, "w", encoding="utf-8") as stream:
            stream.write(json.dumps(Release(commit, version, image)._asdict()) + "\n")


def clear():
    """Removes what an earlier run has handed over."""
    if file := path():
        with contextlib.suppress(FileNotFoundError):
            os.unlink(file)


def read(required=True):
    """The Release of HEAD, or None if nothing is handed over. Raises CommandError if it is missing though required."""
    file = path()
    if not file or not (required or os.path.exists(file)):
        return None
    try:
        with open(file, encoding="utf-8") as stream:
            release = Release(**json.load(stream))
    except (OSError, TypeError, ValueError) as error:
        raise CommandError(f"no release was handed over in '{file}'", error, "make release-check promote") from None
    if release.commit != (head := git.resolve()):
        why = f"it is of commit {release.commit}, HEAD is {head}"
        raise CommandError(f"'{file}' is of another run", why, "make release-check promote")
    return release


def check_tag(shop, release):
    """Raises CommandError unless the release's tag in the registry still names the promoted image."""
    tagged = shop.awaited_digest(release.version)
    if tagged != release.image.partition("@")[2]:
        why = f"{release.image} was promoted, and the tag is {tagged or 'gone'} now"
        remedy = f"find out who moved the tag; then bump the version in {git.PROJECT} and release that"
        raise CommandError(f"{shop.repository}:{release.version} has moved: nothing was changed", why, remedy)
