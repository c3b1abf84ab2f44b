"""Decides which images of a repository can be deleted."""

from delivery import git, registry, status, targets
from delivery.cli import AlreadyReported, CommandError, UsageError, flag, log, required_variable
from delivery.references import DIGEST, ENVIRONMENTS, VERSION, snapshot_commit

UNKNOWN = "cannot determine which images are needed: nothing was deleted"


def prune(keep, yes):
    """Returns the plan, one line per image, and with `yes` deletes the images that are not needed.

    Raises CommandError and deletes nothing if the images that the host needs are not known.
    """
    planned = flag("DELIVERY_PLAN")
    shop = registry.shop()
    check_host(shop)
    live = environments()
    images = shop.images()
    decisions = plan(images, dates(images), needed(live), int(keep))

    old = [image for image, why in decisions if not why]
    if yes and old and not planned:
        log(f"deleting {len(old)} of {len(decisions)} images")
        shop.delete(old)
    else:
        command = "make prune-now" + (f" KEEP={keep}" if keep != "10" else "")
        log(f"{len(old)} of {len(decisions)} images can be deleted" + (f": {command}" if old else ""))
    return "\n".join(line(image, why) for image, why in decisions)


def check_host(shop):
    """Raises UsageError unless DELIVERY_HOST names the host that runs images of this registry."""
    host = required_variable("DELIVERY_HOST")
    if (shop.repository.host == "public.ecr.aws") != (host == "aws"):
        why = "another host may need them"
        remedy = "set DELIVERY_HOST and DELIVERY_REPOSITORY"
        raise UsageError(f"DELIVERY_HOST={host} does not run images of {shop.repository}", why, remedy)


def environments():
    """The status entries of dev and prod, from the targets that they run on. Raises CommandError."""
    entries = {}
    for name in ENVIRONMENTS:
        if name not in entries or targets.on_cluster(name):
            try:
                entries |= status.environments(targets.for_environment(name))
            except AlreadyReported as failure:
                why = f"the status verb failed with exit status {failure.status}"
                raise CommandError(UNKNOWN, why, "make status") from None
    return entries


def line(image, why):
    """One decision as a line of text."""
    return f"{'keep' if why else 'delete':6} {image.digest} {','.join(image.tags) or '-'}{f' ({why})' if why else ''}"


def commits(image):
    """The commits in an image's snapshot tags."""
    return [commit for tag in image.tags if (commit := snapshot_commit(tag))]


def dates(images):
    """{digest: Unix time in seconds} of when an image was pushed or, if unknown, of its newest commit.

    Images whose commits are missing from this clone are left out.
    """
    unknown = [image for image in images if image.pushed is None]
    committed = git.dates(sorted({commit for image in unknown for commit in commits(image)}))
    result = {image.digest: image.pushed for image in images if image.pushed is not None}
    for image in unknown:
        if known := [committed[commit] for commit in commits(image) if commit in committed]:
            result[image.digest] = max(known)
    return result


def needed(entries):
    """{digest: reason} of the live and the previous images, from the status entries {environment: entry}.

    Raises CommandError unless dev and prod have a live image: an environment whose Docker or Kubernetes
    is down reports none.
    """
    result = {}
    try:
        for name in ENVIRONMENTS:
            live, previous = entries[name]["digest"], entries[name]["previous"]
            for digest in (live, previous):
                if digest is not None and not DIGEST.fullmatch(digest):
                    raise ValueError(f"'{digest}' is not a digest")
            if not live:
                raise CommandError(UNKNOWN, f"{name} has no live image, or does not report it", f"make deploy-{name}")
            if previous:
                result[previous] = f"{name} would roll back to it"
        return result | {entries[name]["digest"]: f"{name} serves it" for name in ENVIRONMENTS}
    except (KeyError, TypeError, ValueError) as error:
        raise CommandError(UNKNOWN, f"invalid status: {type(error).__name__}: {error}", "make status") from None


def plan(images, dates, needed, keep):
    """[(image, why it is kept, or None if it can be deleted)], newest first.

    An image can be deleted only if all its tags are snapshot tags, because they are deleted with the digest. An
    untagged image may be a part of another one. The newest `keep` snapshots include those kept for another reason.
    """
    images = sorted(images, key=lambda image: (dates.get(image.digest, 0), image.tags), reverse=True)
    newest = [image.digest for image in images if commits(image) and image.digest in dates][:keep]
    return [(image, reason(image, dates, needed, newest)) for image in images]


def reason(image, dates, needed, newest):
    """Why an image is kept, or None."""
    others = [tag for tag in image.tags if not snapshot_commit(tag)]
    if releases := [tag for tag in others if VERSION.fullmatch(tag)]:
        return f"release {', '.join(releases)}"
    if others:
        return f"{', '.join(others)} is not the tag of a snapshot"
    if not image.tags:
        return "without a tag it may be a part of another image"
    if image.digest in needed:
        return needed[image.digest]
    if image.digest not in dates:
        return "its commit is not in this clone, so its age is not known"
    if image.digest in newest:
        return f"one of the newest {len(newest)}"
    return None
