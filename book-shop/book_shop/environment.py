"""What the process takes from its environment, checked before anything starts.

SECRET_KEY and ALLOWED_HOSTS are demanded unless DEBUG=1; DATABASE_URL falls back to a SQLite file.
"""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url

# For DEBUG=1 only: everyone can read it here.
DEVELOPMENT_KEY = "development-only-key-that-signs-nothing-of-value-0123456789"

# The kubelet and the image's health check ask for `localhost`, whatever the public name is.
ALWAYS_ALLOWED = ["localhost", "127.0.0.1"]

SCHEMES = ("postgres", "postgresql", "sqlite")

NOT_ENCODED = "its host or port can't be read, or a special character of the password is not percent-encoded"


class Refusal(SystemExit):
    """The environment is not fit to start in: one line says what, why and the remedy, the exit status is 1.

    A SystemExit, because Django and gunicorn catch ordinary exceptions of the settings module and bury the line
    under a traceback.
    """


def debug(environ: Mapping[str, str]) -> bool:
    """Tell whether this is a developer's own run; only DEBUG=1 counts, everything else is production."""
    return environ.get("DEBUG") == "1"


def secret_key(environ: Mapping[str, str]) -> str:
    """Return the signing key. Raises Refusal when it is missing in production."""
    key = environ.get("SECRET_KEY", "").strip()
    if key:
        return key
    if debug(environ):
        return DEVELOPMENT_KEY
    raise Refusal(
        "error: SECRET_KEY is not set: sessions and forms could be forged. "
        "Set it to a long random text that stays the same over restarts, as `openssl rand -hex 32` makes."
    )


def allowed_hosts(environ: Mapping[str, str]) -> list[str]:
    """Return the host names that are answered, from the comma list in ALLOWED_HOSTS.

    Raises Refusal when it is missing in production.
    """
    hosts = [host for host in map(str.strip, environ.get("ALLOWED_HOSTS", "").split(",")) if host]
    if not hosts and not debug(environ):
        raise Refusal(
            "error: ALLOWED_HOSTS is not set: links could be made to point at any name a visitor claims. "
            "Set it to the names the shop is reached by, as in ALLOWED_HOSTS=shop.example.org,203.0.113.7"
        )
    return [*ALWAYS_ALLOWED, *hosts]


def database(environ: Mapping[str, str], base: Path) -> dict:
    """Return Django's `default` database: DATABASE_URL, or db.sqlite3 in `base` when that is unset.

    Raises Refusal for a URL that can't be used.
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
        raise _bad_database_url("it names no database")
    if parts.scheme == "sqlite":
        # A transaction takes its turn when it begins: one that first reads and then has to write can't wait any more.
        settings["OPTIONS"] = {"transaction_mode": "IMMEDIATE"}
        return settings
    if "/" in parts.path.strip("/"):
        raise _bad_database_url(NOT_ENCODED)
    # A thread of gunicorn keeps its connection for a minute and checks it before use, so that a restarted PostgreSQL
    # costs no failed request; an unreachable one fails within the kubelet's patience instead of the minutes of TCP.
    #
    # So a pod holds at most workers x threads = 8: a rollout of two pods 32, the snapshot's slots 16. PostgreSQL gives
    # 97 (max_connections = 100 less 3 for the superuser), just enough for the 12 pods of a cluster that rolls out 6
    # (k8s/overlays/cluster).
    #
    # No pool: it has the same upper bound. After a restart Django's hands out the dead connections one by one with a
    # pause of a second and then two between (psycopg_pool 3.3, measured), and while PostgreSQL is away each request
    # waits for the pool's timeout.
    settings |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    # PostgreSQL lets the scans of a large table join each other half-way: each page of a search would find other books.
    always = {"connect_timeout": 3, "options": "-c synchronize_seqscans=off"}
    settings["OPTIONS"] = always | settings.get("OPTIONS", {})
    return settings


def _bad_database_url(why: str) -> Refusal:
    # A fixed text: the URL holds a password, and the parsers' own errors quote pieces of it.
    return Refusal(
        f"error: DATABASE_URL can't be used: {why}. "
        "Set it as postgresql://USER:PASSWORD@HOST:5432/NAME, or leave it unset for SQLite."
    )
