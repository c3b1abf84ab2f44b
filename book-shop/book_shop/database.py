"""The database of the shop, from a URL."""

from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

import dj_database_url
from psycopg import ProgrammingError
from psycopg.conninfo import make_conninfo

SCHEMES = ("postgres", "postgresql", "sqlite")

NOT_ENCODED = "its host or port is malformed, or a special character in the password is not percent-encoded"

# Options of a URL that Django's backend uses itself. It passes all others to PostgreSQL's library.
OF_DJANGO = {"assume_role", "isolation_level", "pool", "server_side_binding"}


def database(url: str | None, base: Path) -> dict:
    """Return the settings of Django's `default` database from a URL, or of db.sqlite3 in `base` without one.

    Raise ValueError with the reason, which has no part of the URL, if it is invalid.
    """
    url = url or f"sqlite:///{base / 'db.sqlite3'}"
    try:
        parts = urlsplit(url)
        settings = dj_database_url.parse(url) if parts.scheme in SCHEMES else None
        unquoted = unquote_to_bytes(url).decode()
    except ValueError:  # the errors of the parsers quote parts of the URL, which contains a password
        raise ValueError(NOT_ENCODED) from None
    if settings is None:
        raise ValueError("it does not begin with postgresql:// or sqlite:///")
    if not parts.path.strip("/"):
        raise ValueError("it has no database name")
    if "\0" in unquoted:
        raise ValueError("it contains a NUL character")
    if parts.scheme == "sqlite":
        # IMMEDIATE, because a deferred transaction that reads before it writes fails if another one writes meanwhile.
        settings["OPTIONS"] = {"transaction_mode": "IMMEDIATE"}
        return settings
    if "/" in parts.path.strip("/") or parts.port == 0 or parts.fragment:
        raise ValueError(NOT_ENCODED)
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
    try:
        make_conninfo(**{name: value for name, value in settings["OPTIONS"].items() if name not in OF_DJANGO})
    except (ProgrammingError, TypeError):
        raise ValueError("PostgreSQL does not know an option after the question mark") from None
    return settings
