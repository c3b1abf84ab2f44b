"""The pages of an image (smoke.json in its sources, docs/reference.md), and requests to them at an address.

The application requests the same pages from itself before it reports that it is ready (book_shop/smoke.py). The two
cannot share code, so tests/lib/page_lists.py has the lists that both must accept or refuse.
"""

import html
import http.client
import json
import re
import urllib.parse

from delivery import git, http_client
from delivery.application import DIRECTORY, NAME
from delivery.cli import CommandError

FILE = f"{DIRECTORY}/smoke.json"
LABEL = f"{NAME}.smoke"  # the label of an image with the list as compact JSON
KEYS = ({"path", "status", "marker"}, {"link", "on", "status", "marker"})


def parse(text):
    """The pages in the JSON text, as dicts. Raises ValueError with the reason if it is not a valid list of pages."""
    try:
        pages = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not (isinstance(pages, list) and pages):
        raise ValueError("expected a list of pages, and at least one")
    for number, page in enumerate(pages):
        if problem := _problem(page, pages[:number]):
            raise ValueError(f"page {number + 1}, {json.dumps(page)[:200]}: {problem}")
    return pages


def of_commit(commit):
    """The list of pages of a commit on one line, for the label; empty for a commit that is older than the list.

    Raises CommandError if it is invalid.
    """
    text = git.content(commit, FILE)
    try:
        return text and json.dumps(parse(text), separators=(",", ":"))
    except ValueError as error:
        raise CommandError(f"invalid {FILE} in commit {commit}", error, f"fix {FILE} and commit it") from None


def of_label(image, label):
    """The pages in an image's label; none for an image that is older than the label.

    Raises CommandError if the label is invalid.
    """
    try:
        return parse(label) if label else []
    except ValueError as error:
        remedy = f"fix {FILE}, commit it, and make image push"
        raise CommandError(f"'{image}' has an invalid list of pages", error, remedy) from None


def check(address, pages, web=http_client):
    """Requests the pages at an address. Raises CommandError for the first one that is not as expected."""
    texts = {}
    for page in pages:
        path = _path(page, texts)
        if path:
            problem = _request(address + path, page, path, texts, web)
        else:
            problem = None if page.get("optional") else f"it has no link to {page['link']}"
        if problem:
            raise CommandError(f"cannot load '{address}{path or page['on']}'", problem, "make status")


def wait(address, pages, clock, limit, web=http_client):
    """Requests the pages until all are as expected. Raises CommandError if they are not within `limit` seconds."""
    for _ in clock.poll(limit, 1):
        try:
            return check(address, pages, web)
        except CommandError as error:
            failure = error
    raise failure


def _request(url, page, path, texts, web):
    """What is wrong with a page at a URL; None if nothing is. Adds its text to `texts` by its path."""
    try:
        status, text, final = web.page(url)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return error
    if urllib.parse.urlsplit(final)[2:4] != urllib.parse.urlsplit(url)[2:4]:
        return f"it redirects to {final}"
    if status != page["status"]:
        return f"status {status}, expected {page['status']}"
    if page["marker"] not in text:
        return f"{page['marker']!r} is not on the page"
    texts[path] = text
    return None


def _path(page, texts):
    """The path of a page; None if it is a link that is not on its page."""
    if "path" in page:
        return page["path"]
    match = re.search(page["link"], texts[page["on"]])
    path = match and html.unescape(match.group())
    return path if path and is_local(path) else None


def is_local(path):
    """Whether the path, possibly with a query, is one of the site."""
    if not (isinstance(path, str) and re.fullmatch(r"/(?!/)[!-~]*", path)):
        return False
    return not re.search(r"[\\#]|/\.\.?([/?]|$)", path)


def _problem(page, earlier):
    """What is wrong with an entry of the list; None if nothing is."""
    if not isinstance(page, dict) or {*page} - {"optional"} not in KEYS:
        return "expected the keys path (or link and on), status, marker and possibly optional"
    if "path" in page and not is_local(page["path"]):
        return "path must begin with one / and have no blanks, no #, no \\ and no /../"
    if "link" in page:
        try:
            is_pattern = page["link"].startswith("/") and bool(re.compile(page["link"]))
        except (AttributeError, OverflowError, RecursionError, re.error):
            is_pattern = False
        if not is_pattern:
            return "link must be a regular expression that begins with /"
        if not any(page["on"] == other.get("path") for other in earlier):
            return "on must be the path of an earlier page"
    status = page["status"]
    if type(status) is not int or not 200 <= status < 600 or status // 100 == 3:
        return "status must be a number from 200 to 599, and not a redirect"
    if not (isinstance(page["marker"], str) and page["marker"]):
        return "marker must be a text on the page"
    return None if page.get("optional", True) is True else "optional must be true"
