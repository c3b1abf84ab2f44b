"""The install script of a host: scripts/host/install.py with the values of an installation."""

import re
from pathlib import Path

from delivery import allowed_hosts as host_names
from delivery import public_url, references
from delivery.cli import UsageError
from delivery.grammar import GRAMMAR

URL = re.compile(r"(https?|file)://[A-Za-z0-9._:/-]+")
SHA256 = re.compile("[0-9a-f]{64}")
REMEDY = "make infra; or make demo"  # they pass valid values


def with_values(
    url, sha256, repository, allowed_hosts, aws_region="", parameters="", transfer="", public_url_prod="",
    public_url_dev="",
):  # fmt: skip
    """The text of the script. A value may be its own placeholder, for example @URL@, for another program to replace.

    The values of AWS are all empty on other hosts. A public URL may be empty.

    Raises UsageError for an invalid value, which could be code.
    """
    values = {
        "@URL@": (url, check_url),
        "@SHA256@": (sha256, check_sha256),
        "@REPOSITORY@": (repository, references.repository),
        "@ALLOWED_HOSTS@": (allowed_hosts, host_names.check),
        "@AWS_REGION@": (aws_region, form("AWS region", f"({GRAMMAR['aws_region']})?")),
        "@PARAMETERS@": (parameters, form("path of parameters", f"(/{GRAMMAR['aws_name']})?")),
        "@TRANSFER@": (transfer, form("bucket", "([a-z0-9][a-z0-9-]{1,61}[a-z0-9])?")),
        "@PUBLIC_URL_PROD@": (public_url_prod, check_public_url),
        "@PUBLIC_URL_DEV@": (public_url_dev, check_public_url),
    }
    of_aws = (aws_region, parameters, transfer)
    if any(of_aws) and not all(of_aws):
        raise UsageError(f"incomplete values of AWS {of_aws}", "expected region, path and bucket", REMEDY)
    text = Path("scripts/host/install.py").read_text(encoding="utf-8")
    for placeholder, (value, check) in values.items():
        if value != placeholder:
            check(value)
            text = text.replace(placeholder, value)
    return text.rstrip("\n")


def form(name, pattern):
    """A function that raises UsageError unless a text matches the pattern."""

    def check(text):
        if not re.fullmatch(pattern, text):
            raise UsageError(f"invalid {name} {text[:200]!r}", "it is not the one that Terraform passes", REMEDY)

    return check


def check_url(text):
    """Raises UsageError unless curl can download the URL."""
    if not URL.fullmatch(text):
        raise UsageError(f"invalid URL {text[:200]!r}", "expected https://, http:// or file://", REMEDY)


def check_public_url(text):
    """Raises UsageError unless it is empty or can be the setting PUBLIC_URL."""
    if text:
        public_url.check(text)


def check_sha256(text):
    """Raises UsageError unless it has the form of a SHA-256."""
    if not SHA256.fullmatch(text):
        raise UsageError(f"invalid SHA-256 {text[:200]!r}", "expected 64 hexadecimal digits", REMEDY)
