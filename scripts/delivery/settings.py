"""The settings of an environment: the environment variables of its application.

The live image defines them (book_shop/environment.py); this module only stores them. Values are one line of
UTF-8, so a file of lines NAME=value has them exactly.
"""

import hashlib
import json
from typing import NamedTuple, Protocol

from delivery import files

LONGEST = 4096  # bytes of a value: what Parameter Store accepts in its standard tier


class Setting(NamedTuple):
    """A value, the user who changed it, and when, in UTC as in the history; None if that is not known."""

    value: str
    actor: str | None = None
    time: str | None = None


class Settings(Protocol):
    """Where the settings of one environment are stored. Every method raises CommandError if it fails."""

    def load(self) -> dict[str, Setting]:
        """Returns the settings by name."""

    def save(self, settings: dict[str, Setting]) -> None:
        """Replaces them. The caller holds the environment's lock and changes one setting per call.

        A reader finds the old settings or the new ones.
        """


def values(settings):
    """{name: value} of settings."""
    return {name: setting.value for name, setting in settings.items()}


def version(values):
    """Identifies the values of all settings: 10 hex digits, which change when a value changes.

    The values include a random key, so they cannot be guessed from the digits.
    """
    text = json.dumps(sorted(values.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def environment_file(values):
    """The values as lines NAME=value, for Docker."""
    return "".join(f"{name}={value}\n" for name, value in values.items())


class FileSettings:
    """A file on the host that only root can read: lines NAME=value.

    The comment `# TIME ACTOR` before a line says when and by whom it was changed with a verb.
    """

    def __init__(self, path):
        self.path = path

    def load(self):
        """As Settings.load."""
        settings, changed = {}, (None, None)
        for line in self.path.read_text(encoding="utf-8").split("\n"):
            name, is_setting, value = line.partition("=")
            if line.startswith("# ") and len(words := line.split()) == 3:
                changed = words[2], words[1]
            elif is_setting and not line.startswith("#"):
                settings[name] = Setting(value, *changed)
                changed = (None, None)
        return settings

    def save(self, settings):
        """As Settings.save."""
        lines = []
        for name, setting in settings.items():
            if setting.time:
                lines.append(f"# {setting.time} {setting.actor}\n")
            lines.append(f"{name}={setting.value}\n")
        files.replace(self.path, "".join(lines), mode=0o600)
