"""Who runs a verb, for the history of the environment."""

import getpass
import os
import re

GRAMMAR = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@\[\]-]{0,63}")


def name():
    """GitHub's actor in CI, else the user; "unknown" where that does not match the grammar."""
    try:
        found = os.environ.get("GITHUB_ACTOR") or getpass.getuser()
    except (KeyError, OSError):  # a user id without a name: KeyError up to Python 3.12
        return "unknown"
    return found if GRAMMAR.fullmatch(found) else "unknown"
