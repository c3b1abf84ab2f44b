"""The base image of the application's image, and whether this machine reaches the registry that has it.

Without a connection, scripts/local/base-image builds a substitute from Debian's archive. Images that are
built on it have the label SUBSTITUTE_LABEL, and stay on this machine.
"""

import json
import re
from urllib.parse import urlsplit

from delivery import git, process, registry
from delivery.application import DIRECTORY, NAME
from delivery.cli import CommandError, log
from delivery.connection import LOOPBACK

NAME_LABEL = "org.opencontainers.image.base.name"  # image-spec, annotations
DIGEST_LABEL = "org.opencontainers.image.base.digest"
SUBSTITUTE_LABEL = f"{NAME}.base"  # "substitute" on the substitute image, which images built on it inherit
PINNED = (r"(?m)^FROM (\S+) AS pinned$", r"(?m)^ARG BASE_IMAGE=(\S+)")  # the second one until version 1.0.1


def reaches(url):
    """Whether this machine has a connection to the public server of an address.

    A server that is slow or answers 429 or 5xx is tried again a few times. Raises CommandError if it still does,
    and if it answers with another error.
    """
    host = urlsplit(url).netloc
    remedy = (
        "run the command again in a few minutes; without access to public servers: export DELIVERY_CLOSED_NETWORK=1"
    )
    try:
        status = registry.Client().exchange("GET", url, {}, None).status
    except registry.NoConnection as error:
        log(f"no connection to {host}: {error.why}")
        return False
    except registry.Unreachable as error:
        raise CommandError(f"cannot use {host}: {error.what}", error.why, remedy) from None
    if status in (200, 301, 302, 401):  # a registry answers a request without a token with 401
        return True
    raise CommandError(f"cannot use {host}", f"GET {url} was answered {status}", remedy)


def labels(commit, base):
    """The labels of an image with its base: `base`, or if that is empty, the one in the Dockerfile of the commit.

    The digest is that of the reference, or the id in the engine. It is left out if neither is known.
    """
    if not base:
        text = git.content(commit, f"{DIRECTORY}/Dockerfile") or ""  # the build reports a missing one
        base = next((found[1] for pattern in PINNED if (found := re.search(pattern, text))), "")
        if not base:
            return {}
    name, _, digest = base.partition("@")
    return {NAME_LABEL: name} | ({DIGEST_LABEL: digest} if (digest := digest or local_id(base)) else {})


def local_id(image):
    """The id of an image in the engine, or "" if it has none of that name."""
    try:
        return json.loads(process.run(["docker", "image", "inspect", image]))[0]["Id"]
    except process.ProgramFailed:  # not pulled yet; the build reports an engine that fails
        return ""


def is_local(repository):
    """Whether a repository (references.Repository) is on this machine."""
    return bool(LOOPBACK.fullmatch(repository.host))


def check(labels, where, build):
    """Raises CommandError for an image with these labels if its base is a substitute. `build` builds it again."""
    if labels.get(SUBSTITUTE_LABEL) == "substitute":
        why = f"its base is the substitute '{labels.get(NAME_LABEL, '')}', which is for this machine only"
        raise CommandError(f"{where} must not leave this machine", why, f"where public.ecr.aws can be reached: {build}")
