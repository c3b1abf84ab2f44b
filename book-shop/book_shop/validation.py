"""Validation of single settings. The functions return the value, or raise ValueError with the reason.

A reason does not contain the value, which may be a secret.
"""

import re
import unicodedata
from ipaddress import IPv4Address, ip_address
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
# Of a public URL: the names that browsers send, so in lower case and without an underscore.
_PUBLIC_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
PUBLIC_HOST = re.compile(rf"(?=.{{1,253}}$){_PUBLIC_LABEL}(\.{_PUBLIC_LABEL})*")
DEFAULT_PORTS = {"http": "80", "https": "443"}
PASSWORD = re.compile("[ -~]{12,128}")


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


def public_url(value: str) -> str:
    """Refuse what is not http:// or https:// with a host and possibly a port, exactly as browsers send it in Origin.

    It is compared with what browsers send, and NGINX and Terraform have to understand it too. So there is one form of
    each address, and IPv6 addresses are refused.
    """
    scheme, separator, rest = value.partition("://")
    if not separator or scheme.lower() not in DEFAULT_PORTS:
        raise ValueError("it does not begin with http:// or https://")
    if not value.isascii():
        raise ValueError("it has characters other than ASCII; write the host name in its xn-- form")
    if "@" in rest:
        raise ValueError("it contains a user name or password")
    if re.search(r"[/?#\\]", rest):
        raise ValueError("it has more than a host and a port; remove the path and also a slash at the end")
    if "[" in rest or rest.count(":") > 1:
        raise ValueError("its host is an IPv6 address; use a host name")
    if value != value.lower():
        raise ValueError("it contains capital letters, which browsers send as small letters")
    name, colon, number = rest.partition(":")
    if name.endswith("."):
        raise ValueError("its host name ends with a dot")
    if not _is_public_host(name):
        raise ValueError("its host is not a host name or an IPv4 address")
    if colon and (number.startswith("0") or not _is_port(number)):
        raise ValueError("its port is not a number from 1 to 65535")
    if number == DEFAULT_PORTS[scheme]:
        raise ValueError(f"it has the default port of {scheme}, which browsers leave out")
    return value


def _is_public_host(name: str) -> bool:
    if not PUBLIC_HOST.fullmatch(name):
        return False
    # Browsers take a name that ends with a number for an IPv4 address (WHATWG URL, "ends in a number").
    if not re.fullmatch("[0-9]+|0x[0-9a-f]*", name.rpartition(".")[2]):
        return True
    try:
        return bool(IPv4Address(name))
    except ValueError:
        return False


def zero_or_one(value: str) -> str:
    """Refuse what is neither 0 nor 1."""
    if value not in ("0", "1"):
        raise ValueError("it is not 0 or 1")
    return value


def password(value: str) -> str:
    """Refuse a password that is short, or that browsers would send in different encodings (RFC 7617, 2.1)."""
    if not PASSWORD.fullmatch(value):
        raise ValueError("it is not 12 to 128 letters, digits and other ASCII characters")
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
    if not _is_port(str(value)):
        raise ValueError("it is not a number from 1 to 65535")
    return int(value)


def _is_port(value: str) -> bool:
    return bool(re.fullmatch("[0-9]{1,5}", value)) and 1 <= int(value) <= 65535


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
