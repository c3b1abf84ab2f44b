"""Checks an environment at its public address, as a customer uses it."""

import json
import re
import time
import urllib.parse
import urllib.request

from delivery import application, git, registry, targets
from delivery.cli import CommandError, number_variable

PAGES = (application.READY, *application.SMOKE)
SHEET = re.compile(r'<link rel="stylesheet" href="([^"]+)"')
TIMEOUT = 10  # seconds for each answer


def check(environment):
    """Checks that HEAD's image answers and that its pages and their style sheets load; returns the address.

    It retries for DELIVERY_SMOKE_LIMIT seconds (default 30), because the last pods of the previous image
    may still be stopping. Raises CommandError.
    """
    limit = number_variable("DELIVERY_SMOKE_LIMIT", 30)
    commit, shop = git.resolve(), registry.shop()
    version = git.version(commit)
    tag = git.snapshot(commit) if environment == "dev" else version
    digest = shop.awaited_digest(tag)
    if not digest:
        remedy = "make image push deploy-dev" if environment == "dev" else "make promote deploy-prod"
        raise CommandError(f"{shop.repository} has no tag {tag}", "it was never pushed or promoted", remedy)
    build = {"version": version, "revision": shop.labels(digest).get("org.opencontainers.image.revision")}
    url = targets.for_environment(environment).url(environment)
    deadline = time.monotonic() + limit
    while True:
        try:
            probe(url, build)
            return url
        except CommandError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def probe(url, build):
    """Raises CommandError unless the build {version, revision} answers and its pages and their style sheets load."""
    answer = get(f"{url}/version")
    try:
        same = json.loads(answer) == build
    except ValueError:
        same = False
    if not same:
        remedy = "make deploy-dev or make deploy-prod, then make status"
        raise CommandError(f"{url} serves another build", f"/version is {answer}, but HEAD's image is {build}", remedy)
    for page in PAGES:
        text = get(url + page)
        for sheet in SHEET.findall(text):
            get(urllib.parse.urljoin(url + page, sheet))


def get(url):
    """The text at a URL. Raises CommandError unless the status is 200."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310 the target's own URL
            return answer.read().decode()
    except (OSError, ValueError) as error:  # no answer, another status, or not UTF-8
        raise CommandError(f"cannot load '{url}'", error, "make status") from None
