"""The requests of a deploy to the application: is it ready, which revision answers, and a page."""

import http.client
import json
import urllib.error
import urllib.request

from delivery.application import READY


def get(url, timeout=5):
    """The body of a response with status 200, otherwise None. `timeout` is in seconds."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:  # noqa: S310
            return answer.read() if answer.status == 200 else None
    except (OSError, ValueError, http.client.HTTPException):
        return None


def page(url, timeout=10):
    """(status, text, URL after redirects) of a page. Raises OSError or HTTPException if there is no answer."""
    try:
        answer = urllib.request.urlopen(url, timeout=timeout)  # noqa: S310
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.read().decode(errors="replace"), answer.url


def version(url):
    """The answer of /version: {"version": …, "revision": …}, or {} without a valid answer."""
    try:
        answer = json.loads(get(f"{url}/version") or b"{}")
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def answers(url, revision):
    """Whether the application answers at `url` with that revision."""
    return bool(url) and version(url).get("revision") == revision


def is_ready(url):
    """Whether the application reports at `url` that it is ready."""
    return bool(url) and get(f"{url}{READY}") is not None
