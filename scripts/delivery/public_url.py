"""The setting PUBLIC_URL: the address at which users reach an environment, http(s)://HOST[:PORT]."""

import re
import urllib.parse

from delivery import allowed_hosts
from delivery.cli import UsageError
from delivery.grammar import GRAMMAR

SETTING = "PUBLIC_URL"


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
