"""The user who runs a verb, for the history of the environment."""

import getpass
import os
import re

from delivery.grammar import GRAMMAR


def name():
    """GitHub's actor in CI, otherwise the local user; "unknown" if the name does not match the grammar."""
    try:
        user = os.environ.get("GITHUB_ACTOR") or getpass.getuser()
    except (KeyError, OSError):  # the user id has no name (KeyError up to Python 3.12)
        return "unknown"
    return user if re.fullmatch(GRAMMAR["actor"], user) else "unknown"
