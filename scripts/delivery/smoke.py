"""Checks an environment at its public URL, as a customer uses it."""

import http.client
import json
import time

from delivery import application, git, handover, http_client, pages, public_url, registry, status, targets, undo
from delivery.cli import AlreadyReported, CommandError, log, number_variable
from delivery.paths import BOOTSTRAP


def check(environment):
    """Checks that HEAD's image answers and that the pages that it declares load; returns the address.

    It retries for DELIVERY_SMOKE_LIMIT seconds (default 30), because the last pods of the previous image
    may still be stopping. If that fails in a pipeline, rolls back what the same run has deployed. Of an environment
    whose pages have a password, it checks only that they ask for it. Raises CommandError.
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
    entry = status.environments(target)[environment]
    url, asks_password = status.url(target, entry), entry.get("asks_password")
    deadline = time.monotonic() + limit
    while True:
        try:
            probe(environment, url, build, [] if asks_password else declared)
            if asks_password:
                check_password(environment, url)
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


def probe(environment, url, build, declared):
    """Raises CommandError unless the build {version, revision} answers, is ready, and the declared pages load."""
    answer = get(environment, f"{url}/version")
    try:
        same = json.loads(answer) == build
    except ValueError:
        same = False
    if not same:
        remedy = "make deploy-dev or make deploy-prod, then make status"
        raise CommandError(f"{url} serves another build", f"/version is {answer}, but HEAD's image is {build}", remedy)
    get(environment, url + application.READY)
    pages.check(url, declared)


def check_password(environment, url):
    """Raises CommandError unless the pages ask for a password."""
    code, _ = load(f"{url}/")
    if code != 401:
        why = f"status {code} without the PREVIEW_PASSWORD of {environment}, expected 401"
        raise CommandError(f"'{url}/' asks for no password", why, f"run {BOOTSTRAP} on the host")
    log(f"the pages of {environment} have a password; the host requested them itself when it deployed the image")


def get(environment, url):
    """The text at a URL of an environment. Raises CommandError unless the status is 200."""
    code, text = load(url)
    if code in public_url.REFUSED:
        raise public_url.refusal(environment, url, code)
    if code != 200:
        raise CommandError(f"cannot load '{url}'", f"status {code}", "make status")
    return text


def load(url):
    """(status, text) of a page. Raises CommandError if there is no answer."""
    try:
        code, text, _ = http_client.page(url)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise CommandError(f"cannot load '{url}'", error, "make status") from None
    return code, text
