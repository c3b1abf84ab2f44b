"""The settings that are generated for an environment that has none yet, when a host or a cluster is set up.

On a host, database-roles generates DATABASE_URL, with the role of the database.
"""

import hashlib
import secrets

from delivery import state
from delivery.settings import Setting, values

ACTOR = "bootstrap"


def ensure(environment, store, lock, first):
    """Stores the missing settings. `first` has the values of the installation by name. Raises CommandError.

    Returns the names in `first` of which another value is stored.
    """
    settings = store.load()
    if missing(environment, values(settings), first):
        with lock.acquire(f"bootstrap {environment}"):
            settings = store.load()
            for name, value in missing(environment, values(settings), first).items():
                settings[name] = Setting(value, ACTOR, state.now())
                store.save(settings)
    return [name for name, value in first.items() if settings[name].value != value]


def missing(environment, stored, first):
    """{name: value} to add to the stored ones, in an order in which an interrupted run can be repeated."""
    generated = {
        "COOKIE_SUFFIX": cookie_suffix(environment, stored.get("SECRET_KEY")),
        "SECRET_KEY": secrets.token_hex(32),
        **first,
    }
    if environment == "dev":
        generated["PREVIEW"] = "1"  # it is not a shop for the public
    return {name: value for name, value in generated.items() if name not in stored}


def cookie_suffix(environment, key):
    """The end of the names of the cookies, which differ between the environments, because they share a host name.

    With a SECRET_KEY, it is the suffix that earlier images derive from it, or an upgrade would sign out all users.
    """
    return hashlib.sha256(f"cookie names:{key}".encode()).hexdigest()[:8] if key else environment
