"""The settings that come from the environment, validated at startup.

SECRET_KEY and ALLOWED_HOSTS are required unless DEBUG=1. Without DATABASE_URL, the database is a SQLite file.
"""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url

# Used with DEBUG=1 only, because it is public.
DEVELOPMENT_KEY = "development-only-key-that-signs-nothing-of-value-0123456789"

# The kubelet and the health check of the image send these names.
ALWAYS_ALLOWED = ["localhost", "127.0.0.1"]

SCHEMES = ("postgres", "postgresql", "sqlite")

NOT_ENCODED = "its host or port is malformed, or a special character in the password is not percent-encoded"


class Refusal(SystemExit):
    """The environment is invalid. The message is printed on one line, and the exit status is 1.

    It is a SystemExit because Django and gunicorn print a traceback for other exceptions in the settings module.
    """


def debug(environ: Mapping[str, str]) -> bool:
    """Return whether DEBUG is 1. Any other value means production."""
    return environ.get("DEBUG") == "1"


def secret_key(environ: Mapping[str, str]) -> str:
    """Return the signing key. Raise Refusal if it is missing in production."""
    key = environ.get("SECRET_KEY", "").strip()
    if key:
        return key
    if debug(environ):
        return DEVELOPMENT_KEY
    raise Refusal(
        "error: SECRET_KEY is not set: sessions and forms could be forged. "
        "Set it to a long random value that stays the same across restarts, for example from `openssl rand -hex 32`."
    )


def allowed_hosts(environ: Mapping[str, str]) -> list[str]:
    """Return the host names of the shop, from the comma-separated ALLOWED_HOSTS.

    Raise Refusal if it is missing in production.
    """
    hosts = [host for host in map(str.strip, environ.get("ALLOWED_HOSTS", "").split(",")) if host]
    if not hosts and not debug(environ):
        raise Refusal(
            "error: ALLOWED_HOSTS is not set: links could point to any host name that a client sends. "
            "Set it to the host names of the shop, for example ALLOWED_HOSTS=shop.example.org,203.0.113.7"
        )
    return [*ALWAYS_ALLOWED, *hosts]


def database(environ: Mapping[str, str], base: Path) -> dict:
    """Return the settings of Django's `default` database from DATABASE_URL, or of db.sqlite3 in `base` if it is unset.

    Raise Refusal if the URL is invalid.
    """
    url = environ.get("DATABASE_URL", "").strip()
    if not url:
        url = f"sqlite:///{base / 'db.sqlite3'}"
    try:
        parts = urlsplit(url)
        settings = dj_database_url.parse(url) if parts.scheme in SCHEMES else None
    except ValueError:
        raise _bad_database_url(NOT_ENCODED) from None
    if settings is None:
        raise _bad_database_url("it does not begin with postgresql:// or sqlite:///")
    if not parts.path.strip("/"):
        raise _bad_database_url("it has no database name")
    if parts.scheme == "sqlite":
        # IMMEDIATE, because a deferred transaction that reads before it writes fails if another one writes meanwhile.
        settings["OPTIONS"] = {"transaction_mode": "IMMEDIATE"}
        return settings
    if "/" in parts.path.strip("/"):
        raise _bad_database_url(NOT_ENCODED)
    # Each thread keeps its connection for a minute and checks it before use, so no request fails after PostgreSQL
    # restarts. connect_timeout does not exceed the timeout of the readiness probe.
    #
    # A pod holds at most workers x threads = 8 connections; tests/delivery/test_connections.py adds them up.
    #
    # A pool would have the same upper bound. After a restart, Django's pool returns its broken connections one by one
    # with growing pauses, and without PostgreSQL each request waits for the timeout of the pool (psycopg_pool 3.3).
    settings |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    # Synchronized scans of a large table start anywhere in it, so each page of a search would find different books.
    always = {"connect_timeout": 3, "options": "-c synchronize_seqscans=off"}
    settings["OPTIONS"] = always | settings.get("OPTIONS", {})
    return settings


def _bad_database_url(why: str) -> Refusal:
    # The URL contains a password, and the errors of the parsers quote parts of the URL.
    return Refusal(
        f"error: DATABASE_URL is invalid: {why}. "
        "Set it to postgresql://USER:PASSWORD@HOST:5432/NAME, or unset it to use SQLite."
    )
