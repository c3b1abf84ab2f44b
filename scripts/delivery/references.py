"""The grammar of image references (OCI distribution-spec 1.1, "Pulling manifests") and environment names.

A reference is `repository:tag` or `repository@sha256:<64 hex digits>`.
"""

import collections
import re

from delivery.cli import UsageError
from delivery.grammar import GRAMMAR

ENVIRONMENTS = tuple(GRAMMAR["environments"])
REPOSITORY = f"(?P<host>{GRAMMAR['registry']})/(?P<name>{GRAMMAR['image_name']})"  # slow to compile
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
DIGEST = re.compile(GRAMMAR["digest"])
COMMIT = re.compile(r"[0-9a-f]{40}")
VERSION = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}")


class BadReference(UsageError):
    """An invalid repository, tag or digest."""


class Repository(collections.namedtuple("Repository", "host name")):  # typing is slower to import
    """`host` is for example `localhost:5000`; `name` is the part after the first slash."""

    def __str__(self):
        return f"{self.host}/{self.name}"


def repository(text):
    """Parses `host[:port]/name` to a Repository. Raises BadReference for anything else, for example a tag."""
    if match := re.fullmatch(REPOSITORY, text):
        return Repository(match["host"], match["name"])
    raise BadReference(
        f"invalid repository {text[:200]!r}",
        "expected host[:port]/name in lower case, without tag or digest",
        "set DELIVERY_REPOSITORY, for example to localhost:5000/shop",
    )


def image(text):
    """Parses `host[:port]/name@sha256:<64 hex>` to (Repository, digest). Raises BadReference for anything else."""
    name, _, digest = text.partition("@")
    if DIGEST.fullmatch(digest):
        return repository(name), digest
    raise BadReference(
        f"invalid image {text[:200]!r}", "expected repository@sha256:<64 hex digits>", "make push prints one"
    )


def tag(text):
    """Returns the text if it is a valid tag. Raises BadReference otherwise."""
    if TAG.fullmatch(text):
        return text
    raise BadReference(f"invalid tag {text[:200]!r}", "expected at most 128 letters, digits and _ . -", "make version")


def snapshot_commit(text):
    """The commit in a snapshot tag, VERSION-SNAPSHOT-<40 hex>, or None for another tag."""
    match = re.fullmatch(rf"{VERSION.pattern}-SNAPSHOT-(?P<commit>{COMMIT.pattern})", text)
    return match and match["commit"]


def environment(name):
    """Returns the name if it is dev or prod. Raises UsageError otherwise."""
    if name in ENVIRONMENTS:
        return name
    raise UsageError(f"invalid environment {name[:200]!r}", f"expected {' or '.join(ENVIRONMENTS)}", "make help")
