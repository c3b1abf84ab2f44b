"""The requests of a deploy to the application: is it ready, which revision answers, and a page."""

import functools
import http.client
import json
import os
import ssl
import urllib.error
import urllib.request

from delivery import direct
from delivery.application import READY
from delivery.cli import UsageError

VARIABLE = "DELIVERY_CA_FILE"


def get(url, timeout=5, address=None):
    """The body of a response with status 200, otherwise None. `timeout` is in seconds, `address` as for _open."""
    try:
        with _open(url, timeout, address) as answer:
            return answer.read() if answer.status == 200 else None
    except (OSError, ValueError, http.client.HTTPException):
        return None


def page(url, timeout=10, address=None):
    """(status, text, URL after redirects) of a page. Raises OSError or HTTPException if there is no answer."""
    try:
        answer = _open(url, timeout, address)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.read().decode(errors="replace"), answer.url


def header(url, name, timeout=10):
    """A header of the answer of a URL, or None. Raises OSError or HTTPException unless the answer is a success."""
    with _open(url, timeout, None) as answer:
        return answer.headers[name]


def version(url, address=None):
    """The answer of /version: {"version": …, "revision": …}, or {} without a valid answer."""
    try:
        answer = json.loads(get(f"{url}/version", address=address) or b"{}")
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def answers(url, revision):
    """Whether the application answers at `url` with that revision."""
    return bool(url) and version(url).get("revision") == revision


def is_ready(url, address=None):
    """Whether the application reports at `url` that it is ready."""
    return bool(url) and get(f"{url}{READY}", address=address) is not None


def check_certificates():
    """Raises UsageError if DELIVERY_CA_FILE has no certificates that the requests could trust in addition."""
    _context(os.environ.get(VARIABLE))


def _open(url, timeout, address):
    """As urllib.request.urlopen. With `address`, connects to it, whatever DNS says about the URL's host."""
    context = _context(os.environ.get(VARIABLE))
    if address is None:
        return urllib.request.urlopen(url, timeout=timeout, context=context)  # noqa: S310
    return direct.open_url(url, timeout, address, context)


@functools.cache
def _context(file):
    """The SSLContext with the system's certificates and those in a file; None, which is Python's own, for no file."""
    if not file:
        return None
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cafile=file)
    except OSError as error:
        why = "it has no certificate in PEM format" if isinstance(error, ssl.SSLError) else error.strerror
        raise UsageError(f"invalid {VARIABLE} '{file}'", why, f"unset {VARIABLE}, or set it to another file") from None
    return context
