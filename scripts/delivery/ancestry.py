"""Compares the commit of an image with the commit that is live in dev, in the clone of the current directory."""

import os

from delivery import git, order, status
from delivery.cli import CommandError, log


def compare(shop, target, image):
    """Compares a repository@digest with the live image of dev and returns `after` for the deploy (module `order`).

    Returns None for a host with older files, which takes no `after`. Raises order.Backwards if the image is
    older, and CommandError if this clone cannot tell.
    """
    entry = status.environments(target)["dev"]
    if "current" not in entry:
        log("the host's files are older than this checkout and do not compare: the order is not checked")
        return None
    if not entry["current"]:
        return "none"
    live = order.Build(**entry["current"])
    if image != live.image:
        labels = shop.labels(image.partition("@")[2])
        candidate = order.Build(image, labels.get(git.VERSION_LABEL, ""), labels.get(git.REVISION_LABEL, ""))
        if candidate.commit != live.commit:
            check(target, candidate, live)
    return live.digest


def check(target, candidate, live):
    """Raises order.Backwards if the candidate's commit is an ancestor of the live one, or its version went back."""
    if not is_known(candidate, live):
        return
    if git.is_ancestor(candidate.commit, live.commit):
        raise refusal(target, candidate, live, f"commit {candidate.commit} is an ancestor of {live.commit}")
    if git.is_ancestor(live.commit, candidate.commit):
        # A commit on another branch may have a lower version, as a hotfix has.
        try:
            order.check_version("dev", candidate, live, [])
        except order.Backwards as error:
            raise refusal(target, candidate, live, error.why) from None
    elif git.shallow():
        why = f"this clone is shallow and does not show whether {candidate.commit} is older than {live.commit}"
        raise CommandError("the order of two commits is not known", why, "git fetch --unshallow")
    else:
        log(f"commit {candidate.commit} is on another branch than {live.commit}, which was live")


def is_known(candidate, live):
    """Whether this clone has both commits. Raises CommandError if they have to be fetched."""
    missing = next((commit for commit in (candidate.commit, live.commit) if not git.has(commit)), None)
    if missing is None:
        return True
    # A checkout in CI has just fetched all branches, so that the live commit is on none of them.
    if os.environ.get("GITHUB_ACTIONS") == "true" and missing == live.commit and not git.shallow():
        log(f"the live commit {missing} is on no branch of this repository: the order is not checked")
        return False
    what = f"whether {candidate.tag('dev')} is older than the live image of dev is not known"
    remedy = f"{'git fetch --unshallow' if git.shallow() else 'git fetch'}; if no branch has the commit any more: "
    remedy += order.forced("dev", candidate.tag("dev"))
    raise CommandError(what, f"this clone does not have commit {missing or '(unknown)'}", remedy)


def refusal(target, candidate, live, why):
    """The order.Backwards error, with the deploy of the live image from the target's history."""
    return order.refusal("dev", candidate, live, order.deploys(status.history(target, "dev")), why)
