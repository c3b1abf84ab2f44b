"""The user who runs a verb, for the history of the environment."""

import getpass
import os
import re

GRAMMAR = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@\[\]-]{0,63}")


def name():
    """GitHub's actor in CI, otherwise the local user; "unknown" if the name does not match the grammar."""
    try:
        user = os.environ.get("GITHUB_ACTOR") or getpass.getuser()
    except (KeyError, OSError):  # the user id has no name (KeyError up to Python 3.12)
        return "unknown"
    return user if GRAMMAR.fullmatch(user) else "unknown"
