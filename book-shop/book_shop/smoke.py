"""The smoke test: each process requests the pages of smoke.json from itself before it reports that it is ready.

The requests pass through Django and all middleware, but not through a socket, so they are not in the access log. They
are not counted in the metrics either, and what they write to the database is rolled back. docs/reference.md describes
smoke.json; scripts/delivery/pages.py requests the same pages at the public address. The two cannot share code, so
tests/lib/page_lists.py has the lists that both must accept or refuse.
"""

import contextlib
import html
import json
import re
import sys
import threading
from pathlib import Path
from urllib.parse import unquote
from wsgiref.util import setup_testing_defaults

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.core.signals import got_request_exception
from django.db import Error, transaction
from django.utils import translation

PATH = Path(__file__).resolve().parent.parent / "smoke.json"
KEYS = ({"path", "status", "marker"}, {"link", "on", "status", "marker"})
MARK = "book_shop.smoke"  # in the WSGI environment of the test's requests; clients can only set HTTP_* there
WAIT = 2  # seconds for a test in another thread, less than the timeout of the readiness probe


class Failed(Exception):
    """A page does not work. Everybody may see `page` and `error`; the message is for the log."""

    def __init__(self, page: str, error: str, detail: str = ""):
        super().__init__(f"{page}: {detail or error}")
        self.page, self.error = page, error


def load(path: Path = PATH) -> list[dict]:
    """Return the pages in the file. Raise ValueError if it is not a valid list of pages, OSError if it is missing."""
    pages = json.loads(path.read_text(encoding="utf-8"))
    if not (isinstance(pages, list) and pages):
        raise ValueError("expected a list of pages, and at least one")
    for number, page in enumerate(pages):
        if not _is_valid(page, pages[:number]):
            raise ValueError(f"invalid page {json.dumps(page)}")
    return pages


def is_request(request) -> bool:
    """Return whether the request is one of a smoke test."""
    return MARK in request.META


class SmokeTest:
    """The smoke test of a process. It runs until it has passed once."""

    def __init__(self, path: Path = PATH):
        self._path, self._lock = path, threading.Lock()
        self._passed, self._page = False, ""

    def run(self):
        """Raise Failed unless all pages work, or have worked before."""
        if self._passed:
            return
        # A page that hangs must not occupy all threads: the liveness probe needs one.
        if not self._lock.acquire(timeout=WAIT):
            raise Failed(self._page, "not answered yet")
        try:
            if not self._passed:
                self._request_pages()
                self._passed = True
        except Error as error:  # the database fails between two pages
            raise Failed(self._page, type(error).__name__, _text_of(error)) from error
        finally:
            self._lock.release()

    def _request_pages(self):
        self._page = self._path.name
        try:
            pages = load(self._path)
        except (OSError, ValueError) as error:
            raise Failed(self._page, type(error).__name__, _text_of(error)) from error
        handler, bodies = WSGIHandler(), {}
        # The pages activate a language in this thread, which is answering the request of a probe.
        with translation.override(translation.get_language()), transaction.atomic():
            for page in pages:
                if path := self._path_of(page, bodies):
                    self._page = path
                    bodies[path] = _body(handler, path, page)
            transaction.set_rollback(True)

    def _path_of(self, page: dict, bodies: dict[str, str]) -> str | None:
        if "path" in page:
            return page["path"]
        match = re.search(page["link"], bodies.get(page["on"], ""))
        if match and _is_local(path := html.unescape(match.group())):
            return path
        if page.get("optional"):
            return None
        raise Failed(page["on"], f"no link to {page['link']}")


def _body(handler: WSGIHandler, path: str, page: dict) -> str:
    """Return the body of a page. Raise Failed unless it has the expected status and marker."""
    errors = []
    file, _, query = path.partition("?")
    # As behind a proxy with HTTPS, so that a redirect to HTTPS does not hide the page.
    environ = {"HTTP_HOST": "localhost", "HTTP_X_FORWARDED_PROTO": "https", "wsgi.url_scheme": "https", MARK: True}
    environ |= {"PATH_INFO": unquote(file, "latin-1"), "QUERY_STRING": query}
    setup_testing_defaults(environ)

    def remember(sender, request=None, **kwargs):
        if request is not None and request.META is environ:  # other threads answer other requests
            errors.append(sys.exc_info()[1])

    got_request_exception.connect(remember)
    try:
        # Not by calling the handler: its signals close the connection to the database in the middle of the transaction.
        response = handler.get_response(WSGIRequest(environ))
        with getattr(response, "file_to_stream", None) or contextlib.nullcontext():
            body = b"".join(response).decode(errors="replace")
    except Exception as error:  # the error page fails as well
        errors.append(error)
    finally:
        got_request_exception.disconnect(remember)
    if errors:
        raise Failed(path, type(errors[0]).__name__, _text_of(errors[0])) from errors[0]
    if response.status_code != page["status"]:
        raise Failed(path, f"status {response.status_code}, expected {page['status']}")
    if page["marker"] not in body:
        raise Failed(path, f"{page['marker']!r} is not on the page")
    return body


def _is_valid(page, earlier: list[dict]) -> bool:
    if not isinstance(page, dict) or {*page} - {"optional"} not in KEYS or page.get("optional", True) is not True:
        return False
    if "path" in page:
        is_placed = _is_local(page["path"])
    else:
        is_placed = _is_pattern(page["link"]) and any(page["on"] == other.get("path") for other in earlier)
    status, marker = page["status"], page["marker"]
    # The test does not follow redirects.
    is_final = type(status) is int and 200 <= status < 600 and status // 100 != 3
    return is_placed and is_final and isinstance(marker, str) and marker != ""


def _is_pattern(link) -> bool:
    try:
        return link.startswith("/") and bool(re.compile(link))
    except (AttributeError, OverflowError, RecursionError, re.error):
        return False


def _is_local(path) -> bool:
    """Return whether the path, possibly with a query, is one of this site."""
    if not isinstance(path, str) or not re.fullmatch(r"/(?!/)[!-~]*", path):
        return False
    return not re.search(r"[\\#]|/\.\.?([/?]|$)", path)


def _text_of(error: Exception) -> str:
    """Return the type and the first line of the message."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:300]}"


test = SmokeTest()
