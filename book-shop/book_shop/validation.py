"""Validation of single settings. The functions return the value, or raise ValueError with the reason.

A reason does not contain the value, which may be a secret.
"""

import re
import unicodedata
from ipaddress import ip_address
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.mail.message import sanitize_address
from django.core.validators import validate_email

from book_shop.database import database

LONGEST = 4096  # bytes: the limit of Systems Manager's Parameter Store
SHORTEST_KEY = 32  # characters
SECURITY = ["none", "starttls", "tls"]

# NGINX has the same names (scripts/delivery/grammar.json): *, a name, or .example.org for a domain and its subdomains.
ALLOWED_HOST = re.compile(r"\*|\.?[A-Za-z0-9][A-Za-z0-9-]*(\.[A-Za-z0-9][A-Za-z0-9-]*)*")
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")


def text(value: str) -> str:
    """Refuse text that cannot be an environment variable, a header or a line of a file."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("it is not valid UTF-8") from None
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in value):
        raise ValueError("it contains a line break or another control character")
    return value


def storable(value) -> str:
    """Refuse a value that would be changed or cut off when it is stored and read at startup."""
    if not isinstance(value, str):
        raise ValueError("it is not text")
    if not value.strip():
        raise ValueError("it is empty; unset it instead")
    text(value)
    if value != value.strip():
        raise ValueError("it begins or ends with a blank")
    if len(value.encode()) > LONGEST:
        raise ValueError(f"it is longer than {LONGEST} bytes")
    return value


def database_url(value: str) -> str:
    """Refuse a URL that the shop cannot use."""
    database(value, Path("/"))
    return value


def parts(value: str) -> list[str]:
    """Return the parts of a comma-separated list."""
    return [part for part in map(str.strip, value.split(",")) if part]


def allowed_hosts(value: str) -> str:
    """Refuse host names that NGINX does not understand."""
    if not all(ALLOWED_HOST.fullmatch(name) for name in value.split(",")):
        raise ValueError("it is not a list of host names separated by commas without blanks")
    return value


def keys(value: str) -> str:
    """Refuse a list of keys with an empty one."""
    if not all(key and key == key.strip() for key in value.split(",")):
        raise ValueError("it is not a list of keys separated by commas without blanks")
    return value


def cookie_suffix(value: str) -> str:
    """Refuse a suffix that is not safe in the name of a cookie."""
    if not re.fullmatch("[a-z0-9-]{1,32}", value):
        raise ValueError("it is not 1 to 32 lower-case letters, digits and hyphens")
    return value


def host(value: str) -> str:
    """Refuse what is neither a host name nor an IP address."""
    if not HOST.fullmatch(value):
        try:
            ip_address(value)
        except ValueError:
            raise ValueError("it is not a host name or IP address") from None
    return value


def port(value: str | int) -> int:
    """Return the number of a TCP port."""
    if not re.fullmatch("[0-9]{1,5}", str(value)) or not 1 <= int(value) <= 65535:
        raise ValueError("it is not a number from 1 to 65535")
    return int(value)


def security(value: str) -> str:
    """Refuse an unknown kind of encryption."""
    if value not in SECURITY:
        raise ValueError("it is not none, starttls or tls")
    return value


def sender(value: str) -> str:
    """Refuse what Django cannot use as the sender of a mail: an address, or a name and an address in <>."""
    _, bracket, address = value.rpartition("<")
    try:
        validate_email(address.removesuffix(">") if bracket else value)
        sanitize_address(value, "utf-8")
    except (ValidationError, ValueError, IndexError):
        raise ValueError("it is not a mail address, or a name and a mail address in <>") from None
    return value
