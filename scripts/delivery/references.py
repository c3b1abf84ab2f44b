"""Names of images and environments: the only grammar of each (OCI distribution-spec 1.1, "Pulling manifests").

A reference is `repository:tag` or `repository@sha256:<64 hex digits>`.
"""

import collections
import re

from delivery.cli import UsageError

ENVIRONMENTS = ("dev", "prod")

# A host has a dot or a port or is localhost, as Docker has it.
WORD = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
HOST = r"(?:localhost|(?=[^/]*[.:])[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::[0-9]{1,5})?"
REPOSITORY = re.compile(rf"(?P<host>{HOST})/(?P<name>{WORD}(?:/{WORD})*)")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
COMMIT = re.compile(r"[0-9a-f]{40}")
VERSION = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}")
SNAPSHOT = re.compile(rf"{VERSION.pattern}-SNAPSHOT-(?P<commit>{COMMIT.pattern})")


class BadReference(UsageError):
    """A repository, tag or digest that the grammar does not allow."""


class Repository(collections.namedtuple("Repository", "host name")):  # typing would be slower to import
    """`host` is `localhost:5000` or `public.ecr.aws`, `name` what follows the first slash."""

    def __str__(self):
        return f"{self.host}/{self.name}"


def repository(text):
    """The Repository that `host[:port]/name` names. Raises BadReference for everything else, a tag included."""
    if found := REPOSITORY.fullmatch(text):
        return Repository(found["host"], found["name"])
    raise BadReference(
        f"invalid repository {text[:200]!r}",
        "expected host[:port]/name in lower case, without tag or digest",
        "set DELIVERY_REPOSITORY, for example to localhost:5000/shop",
    )


def image(text):
    """The (Repository, digest) that `host[:port]/name@sha256:<64 hex>` names. Raises BadReference for all else."""
    name, _, digest = text.partition("@")
    if DIGEST.fullmatch(digest):
        return repository(name), digest
    raise BadReference(
        f"invalid image {text[:200]!r}", "expected repository@sha256:<64 hex digits>", "make push prints one"
    )


def tag(text):
    """The text, if it is a tag. Raises BadReference for everything else."""
    if TAG.fullmatch(text):
        return text
    raise BadReference(f"invalid tag {text[:200]!r}", "expected at most 128 letters, digits and _ . -", "make version")


def environment(name):
    """The text, if it names an environment. Raises UsageError for everything else."""
    if name in ENVIRONMENTS:
        return name
    raise UsageError(f"invalid environment {name[:200]!r}", f"expected {' or '.join(ENVIRONMENTS)}", "make help")
