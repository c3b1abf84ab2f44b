"""The host names that the application accepts: names separated by commas, as in Django's ALLOWED_HOSTS."""

import re

from delivery.cli import UsageError
from delivery.grammar import GRAMMAR

OF_HEALTH_CHECKS = ("localhost", "127.0.0.1")
LONGEST = 253  # characters of a host name: nginx/book-shop/http.conf has room for them
OF_NGINX = ("default", "hostnames", "include", "volatile")  # words that it reads as its own unless \ precedes them


def check(names):
    """Raises UsageError unless Django and NGINX understand each of the names."""
    one = GRAMMAR["allowed_host"]
    if not re.fullmatch(f"{one}(,{one})*", names) or max(map(len, names.split(","))) > LONGEST:
        why = f"expected names separated by commas, each of at most {LONGEST} characters"
        raise UsageError(f"invalid host names {names[:200]!r}", why, "ALLOWED_HOSTS=shop.example,.example.org")


def nginx_map(names):
    """The lines of NGINX's map with these names, which also has those of the health checks. Raises UsageError.

    Spaces around a name and empty names are ignored, as the application does.
    """
    listed = [name for name in map(str.strip, names.split(",")) if name]
    if listed:
        check(",".join(listed))
    every = {*OF_HEALTH_CHECKS, *map(str.lower, listed)}
    if "*" in every:
        return "default 1;"
    # NGINX refuses duplicate names, and .example.org includes example.org.
    kept = [name for name in every if f".{name}" not in every]
    return "\n".join(sorted(["default 0;", *(f"{escaped(name)} 1;" for name in kept)]))


def escaped(name):
    """A host name as NGINX's map has it."""
    return f"\\{name}" if name in OF_NGINX else name
