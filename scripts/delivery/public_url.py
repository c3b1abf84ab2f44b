"""The setting PUBLIC_URL: the address at which users reach an environment, http(s)://HOST[:PORT]."""

import re
import urllib.parse

from delivery import allowed_hosts
from delivery.cli import CommandError, UsageError
from delivery.grammar import GRAMMAR

SETTING = "PUBLIC_URL"
REFUSED = (400, 421)  # the statuses of the application and of NGINX for a host name that they do not answer


def check(url):
    """Raises UsageError unless the application, NGINX and browsers understand the URL."""
    if not re.fullmatch(GRAMMAR["public_url"], url) or len(host(url)) > allowed_hosts.LONGEST:
        why = "expected http:// or https://, a host name in lower case and possibly a port, without a / at the end"
        raise UsageError(f"invalid public URL {url[:300]!r}", why, f"{SETTING}=https://shop.example")


def host(url):
    """The host name of a valid URL."""
    return urllib.parse.urlsplit(url).hostname


def stored(values):
    """The URL in the settings {name: value}; None if there is none. The application ignores blanks around it, too."""
    return values.get(SETTING, "").strip() or None


def is_https(url):
    """Whether a URL, which may be None, encrypts the connection."""
    return bool(url) and url.startswith("https://")


def refusal(environment, url, status):
    """The CommandError for a URL whose answer has one of the statuses in REFUSED."""
    why = f"status {status}: its host name is neither in ALLOWED_HOSTS nor that of {SETTING}"
    remedy = f"make set-{environment} SETTING={SETTING} stores the address of {environment}, which is then requested"
    return CommandError(f"the shop does not answer at '{url}'", why, remedy)
