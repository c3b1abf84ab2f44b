"""The Git tag vVERSION and the GitHub release of HEAD, once prod serves it."""

import os

from delivery import git, github, handover, infra_due, order, registry, status, summary, targets
from delivery.cli import AlreadyReported, CommandError, log
from delivery.github_errors import NotPermitted

MOST = 200  # lines of notes
MOST_FILES = 10  # that are named
BUMP = f"bump the version in {git.PROJECT}, commit and push that to dev, then to main"


def publish(check_only):
    """Tags HEAD and creates its release; returns the URL. With `check_only` it returns the tag and changes nothing.

    An existing release is left alone. If the tag is on another commit with the same source, there is nothing to
    release. Raises CommandError if that commit has another source, or prod does not serve the release.
    """
    commit = git.resolve()
    version = git.version(commit)
    tag = f"v{version}"
    tagged = github.tagged(tag)
    if check_only:
        handover.clear()
    is_released = tagged not in (None, commit)
    if is_released:
        check_source(tag, tagged, commit)
    if check_only:
        report_infra(tagged, commit)
        if is_released:
            handover.write(commit, version, None)
            summary.note(f"{handover.Release(commit, version, None)} as commit {tagged}. Nothing is deployed.")
        return tag
    if is_released:
        if url := github.release(tag):
            log(f"{handover.Release(commit, version, None)} as commit {tagged}")
            return url
        commit = tagged  # its release failed after the tag
    image, labels = live_release(registry.shop(), commit, version)
    text = notes(image, labels, commit)

    if not tagged:
        make_tag(tag, commit)
    last = github.last_release()
    return github.make_release(tag, text, latest=not last or not order.is_lower(version, last.removeprefix("v")))


def check_source(tag, tagged, commit):
    """Raises CommandError unless the commit has the source of the released one."""
    version = tag.removeprefix("v")
    if not git.has(tagged):
        why = f"{tag} is on commit {tagged}, which this clone does not have; HEAD is {commit}"
        raise CommandError(f"{version} is released already", why, f"git fetch --tags; if the source differs, {BUMP}")
    if git.source(tagged) != git.source(commit):
        why = f"{tag} is on commit {tagged} and never moves; HEAD is {commit} and changes {' or '.join(git.TREES)}"
        raise CommandError(f"{version} is released already", why, BUMP)


def report_infra(tagged, commit):
    """Reports the changes since the last release that no pipeline deploys."""
    last = tagged or ((tag := github.last_release()) and github.tagged(tag))
    if not last or not git.has(last):
        return
    for command, files in infra_due.changes(last, commit).items():
        more = f" and {len(files) - MOST_FILES} more" if len(files) > MOST_FILES else ""
        files = ", ".join(files[:MOST_FILES]) + more
        summary.note(f"`{command}` is due, unless it ran since: {files} changed since the release on {last}.")


def make_tag(tag, commit):
    """Creates the tag. Raises NotPermitted with the commands that do what a workflow's token may not do."""
    log(f"tag {commit} as {tag}")
    try:
        github.make_tag(tag, commit)
    except NotPermitted as error:
        # GitHub wants the permission `workflows` for a reference to a commit that changes workflow files, unless a
        # branch or tag is there already: after a later push to main. GITHUB_TOKEN cannot have that permission.
        run = os.environ.get("GITHUB_RUN_ID")
        again = f"gh run rerun {run} --failed" if run else "make release"
        why = f"{error.why}; a workflow's token may not tag a commit that changes .github/workflows and is no longer"
        why += " the newest of a branch"
        remedy = f"in a clone, with your own login: git fetch origin && git push origin {commit}:refs/tags/{tag}"
        raise NotPermitted(f"cannot tag {commit} as {tag}", why, f"{remedy} && {again}") from None


def live_release(shop, commit, version):
    """The release's repository@digest and its labels. Raises CommandError unless it has this commit's source and is
    live in prod."""
    digest = shop.awaited_digest(version)
    if not digest:
        what = f"{shop.repository} has no tag {version}"
        raise CommandError(what, "it was never promoted", "make promote deploy-prod")
    labels = shop.labels(digest)
    if labels.get(git.SOURCE_LABEL) != git.source(commit):
        why = f"{version} in the registry is of commit {labels.get(git.REVISION_LABEL)}"
        raise CommandError(f"{version} is not the image of {commit}", why, BUMP)
    try:
        prod = status.environments(targets.for_environment("prod"))["prod"]
    except AlreadyReported as failure:
        why = f"the status verb failed with exit status {failure.status}"
        raise CommandError("the live image of prod is not known", why, "make status") from None
    if (prod["digest"], prod["version"], prod["healthy"]) != (digest, version, True):
        health = "healthy" if prod["healthy"] else "not healthy"
        why = f"it serves {prod['version']} as {prod['digest']}, {health}; {version} is {digest}"
        raise CommandError(f"prod does not serve {version}: nothing was released", why, "make deploy-prod")
    return shop.image(digest), labels


def notes(image, labels, commit):
    """The text of the release: the image, and the commits since the last release."""
    last = github.last_release()
    base = last and github.tagged(last)
    try:
        since = f"{base}..{commit}" if base else commit
        changes = git.output("log", "--no-merges", f"--max-count={MOST}", "--format=- %s (%h)", since, "--")
    except CommandError as error:
        remedy = "git fetch --unshallow" if git.shallow() else "git fetch --all"
        raise CommandError(f"the commits since {last} are not all in this clone", error.why, remedy) from None
    built = f"Built from {labels.get(git.REVISION_LABEL)}."
    return f"Image: `{image}`\n\n{built}\n\n## Changes{f' since {last}' if base else ''}\n\n{changes}"
