"""Which images of a repository may go: the one decision behind scripts/prune, made of facts that others bring."""

import json
import re

import registry
import say
import version

SNAPSHOT = re.compile(rf"{version.NUMBER.pattern}-SNAPSHOT-(?P<commit>[0-9a-f]{{40}})")


def commits(image):
    """The commits that an image's snapshot tags name."""
    return [found["commit"] for tag in image.tags if (found := SNAPSHOT.fullmatch(tag))]


def dates(images):
    """{digest: when it came, in seconds since 1970}: when it was pushed, or where the registry doesn't know, when its
    newest commit was made. Images whose commits aren't in this clone are left out."""
    unknown = [image for image in images if image.pushed is None]
    told = version.dates(sorted({commit for image in unknown for commit in commits(image)}))
    found = {image.digest: image.pushed for image in images if image.pushed is not None}
    for image in unknown:
        if known := [told[commit] for commit in commits(image) if commit in told]:
            found[image.digest] = max(known)
    return found


def needed(answer):
    """{digest: why} of what the host serves and would roll back to, out of its status as JSON.

    Raises Problem unless it says for dev and for prod what is served: nothing is also what an environment says whose
    Docker or Kubernetes is down.
    """
    try:
        environments = {told["environment"]: told for told in json.loads(answer)["environments"]}
        found = {}
        for name in ("dev", "prod"):
            serves, previous = environments[name]["digest"], environments[name]["previous"]
            for digest in (serves, previous):
                if digest is not None and not registry.DIGEST.fullmatch(digest):
                    raise ValueError(f"'{digest}' is no sha256 digest")
            if not serves:
                why = f"{name} serves nothing, or can't say what it serves"
                raise say.Problem("what the host needs is not known: nothing is deleted", why, f"make deploy-{name}")
            if previous:
                found[previous] = f"{name} would roll back to it"
        return found | {environments[name]["digest"]: f"{name} serves it" for name in ("dev", "prod")}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        why = f"its status can't be read: {type(error).__name__}: {error}"
        raise say.Problem("what the host needs is not known: nothing is deleted", why, "make status") from None


def plan(images, dates, needed, keep):
    """[(image, why it stays or None if it may go)], newest first.

    Only an image whose every tag is a snapshot's may go, since a deleted digest takes all its tags along; one without
    a tag may be a part of another one. The newest `keep` snapshots are counted with those that stay anyway.
    """
    images = sorted(images, key=lambda image: (dates.get(image.digest, 0), image.tags), reverse=True)
    newest = [image.digest for image in images if commits(image) and image.digest in dates][:keep]
    return [(image, reason(image, dates, needed, newest)) for image in images]


def reason(image, dates, needed, newest):
    """Why an image stays, or None."""
    others = [tag for tag in image.tags if not SNAPSHOT.fullmatch(tag)]
    if releases := [tag for tag in others if version.NUMBER.fullmatch(tag)]:
        return f"release {', '.join(releases)}"
    if others:
        return f"{', '.join(others)} is no snapshot's tag"
    if not image.tags:
        return "without a tag it may be a part of another image"
    if image.digest in needed:
        return needed[image.digest]
    if image.digest not in dates:
        return "its commit is not in this clone, so its age is not known"
    if image.digest in newest:
        return f"one of the newest {len(newest)}"
    return None
