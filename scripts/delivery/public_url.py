"""The setting PUBLIC_URL: the address at which users reach an environment, http(s)://HOST[:PORT]."""

import ipaddress
import re
import urllib.parse

from delivery import allowed_hosts
from delivery.cli import CommandError, UsageError
from delivery.grammar import GRAMMAR

SETTING = "PUBLIC_URL"
DEFAULT_PORTS = {"http": ":80", "https": ":443"}
REFUSED = (400, 421)  # the statuses of the application and of NGINX for a host name that they do not answer


def check(url):
    """Raises UsageError unless the application, NGINX and browsers understand the URL."""
    if not (re.fullmatch(GRAMMAR["public_url"], url) and _is_in_browsers_form(url)):
        why = "expected http:// or https://, a host name in lower case and possibly another port than the default one"
        raise UsageError(f"invalid public URL {url[:300]!r}", why, f"{SETTING}=https://shop.example")


def _is_in_browsers_form(url):
    """Whether browsers send a URL of the right pattern so, in the header Origin."""
    name = host(url)
    if re.fullmatch("[0-9]+|0x[0-9a-f]*", name.rpartition(".")[2]):  # then it is an address (WHATWG URL)
        try:
            ipaddress.IPv4Address(name)
        except ValueError:
            return False
    return len(name) <= allowed_hosts.LONGEST and not url.endswith(DEFAULT_PORTS[url.partition(":")[0]])


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
