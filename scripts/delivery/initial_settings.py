"""The settings that a host generates for an environment that has none yet, at its installation.

database-roles generates DATABASE_URL, with the role of the database.
"""

import hashlib
import secrets

from delivery import state
from delivery.settings import Setting

ACTOR = "bootstrap"


def ensure(environment, store, lock, allowed_hosts):
    """Stores the missing ones of SECRET_KEY, COOKIE_SUFFIX and ALLOWED_HOSTS. Raises CommandError.

    `allowed_hosts` is the first value of ALLOWED_HOSTS. Returns whether another one is stored.
    """
    if missing(environment, store.load(), allowed_hosts):
        with lock.acquire(f"bootstrap {environment}"):
            settings = store.load()
            for name, value in missing(environment, settings, allowed_hosts).items():
                settings[name] = Setting(value, ACTOR, state.now())
                store.save(settings)
    return store.load()["ALLOWED_HOSTS"].value != allowed_hosts


def missing(environment, settings, allowed_hosts):
    """{name: value} of the settings to add, in an order in which an interrupted run can be repeated."""
    values = {
        "COOKIE_SUFFIX": cookie_suffix(environment, settings.get("SECRET_KEY")),
        "SECRET_KEY": secrets.token_hex(32),
        "ALLOWED_HOSTS": allowed_hosts,
    }
    return {name: value for name, value in values.items() if name not in settings}


def cookie_suffix(environment, key):
    """The end of the names of the cookies, which differ between the environments, because they share a host name.

    With a SECRET_KEY, it is the suffix that earlier images derive from it, or an upgrade would sign out all users.
    """
    return hashlib.sha256(f"cookie names:{key.value}".encode()).hexdigest()[:8] if key else environment
