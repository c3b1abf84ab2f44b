"""Checks an environment at its public address, as a customer uses it."""

import http.client
import json
import time

from delivery import application, git, handover, http_client, pages, registry, targets, undo
from delivery.cli import AlreadyReported, CommandError, log, number_variable


def check(environment):
    """Checks that HEAD's image answers and that the pages that it declares load; returns the address.

    It retries for DELIVERY_SMOKE_LIMIT seconds (default 30), because the last pods of the previous image
    may still be stopping. If that fails in a pipeline, rolls back what the same run has deployed. Raises CommandError.
    """
    limit = number_variable("DELIVERY_SMOKE_LIMIT", 30)
    release = handover.read() if environment == "prod" else None
    if release and not release.image:
        log(release)
        return None
    commit, shop = git.resolve(), registry.shop()
    version = git.version(commit)
    tag = git.snapshot(commit) if environment == "dev" else version
    digest = release.image.partition("@")[2] if release else shop.awaited_digest(tag)
    if not digest:
        remedy = "make image push deploy-dev" if environment == "dev" else "make promote deploy-prod"
        raise CommandError(f"{shop.repository} has no tag {tag}", "it was never pushed or promoted", remedy)
    labels = shop.labels(digest)
    build = {"version": version, "revision": labels.get(git.REVISION_LABEL)}
    declared = pages.of_label(shop.image(digest), labels.get(pages.LABEL))
    target = targets.for_environment(environment)
    url = target.url(environment)
    deadline = time.monotonic() + limit
    while True:
        try:
            probe(url, build, declared)
            return url
        except CommandError:
            if time.monotonic() > deadline:
                _undo(target, environment)
                raise
            time.sleep(1)


def _undo(target, environment):
    """Rolls back what this run of a pipeline has deployed. Logs a failure, because the smoke test's is reported."""
    try:
        undo.undo(target, environment)
    except (CommandError, AlreadyReported) as error:
        reason = f"{error.what}: {error.why}" if isinstance(error, CommandError) else "see above"
        log(f"the deploy of this run was not rolled back, {reason}. Do it: make rollback-{environment}")


def probe(url, build, declared):
    """Raises CommandError unless the build {version, revision} answers, is ready, and the declared pages load."""
    answer = get(f"{url}/version")
    try:
        same = json.loads(answer) == build
    except ValueError:
        same = False
    if not same:
        remedy = "make deploy-dev or make deploy-prod, then make status"
        raise CommandError(f"{url} serves another build", f"/version is {answer}, but HEAD's image is {build}", remedy)
    get(url + application.READY)
    pages.check(url, declared)


def get(url):
    """The text at a URL. Raises CommandError unless the status is 200."""
    try:
        status, text, _ = http_client.page(url)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise CommandError(f"cannot load '{url}'", error, "make status") from None
    if status != 200:
        raise CommandError(f"cannot load '{url}'", f"status {status}", "make status")
    return text
