"""The settings of an environment: the environment variables of its application.

The live image defines them (book_shop/environment.py, delivery/settings_schema.py); this module only stores them.
Values are one line of UTF-8, so a file of lines NAME=value has them exactly.
"""

import dataclasses
import hashlib
import json
import re
import unicodedata
from typing import NamedTuple, Protocol

from delivery import files, public_url
from delivery.cli import CommandError, UsageError
from delivery.grammar import GRAMMAR

LONGEST = 4096  # bytes of a value: what Parameter Store accepts in its standard tier
CHANGE = r"# (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) (\S+)"  # the comment about the next line of a file
LINE_BREAKS = ("Cc", "Zl", "Zp")  # categories of characters in Unicode: control characters, and breaks of lines


class Setting(NamedTuple):
    """A value, the user who changed it, and when, in UTC as in the history; None if that is not known."""

    value: str
    actor: str | None = None
    time: str | None = None


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """All values at one time, and their version. `values` is None if this user may not read them.

    `public_url` is PUBLIC_URL, which deployers may read as well; None if there is none.
    """

    version: str
    values: dict[str, str] | None = dataclasses.field(default=None, repr=False)
    public_url: str | None = None


class Settings(Protocol):
    """Where the settings of one environment are stored. Every method raises CommandError if it fails."""

    def current(self) -> Snapshot:
        """Returns what a slot or a pod that starts now must have."""

    def load(self) -> dict[str, Setting]:
        """Returns the settings by name; empty if there are none."""

    def save(self, settings: dict[str, Setting]) -> None:
        """Replaces them. The caller holds the environment's lock and changes one setting per call.

        A reader finds the old settings or the new ones.
        """


def values(settings):
    """{name: value} of settings."""
    return {name: setting.value for name, setting in settings.items()}


def stored_value(environment, name):
    """The stored value of a setting of an environment. Raises CommandError if there is none."""
    setting = environment.settings.load().get(name)
    if not setting:
        why = "it is generated when the environment is set up"
        raise CommandError(f"{environment.name} has no {name}", why, f"make set-{environment.name} SETTING={name}")
    return setting.value


def snapshot(values):
    """The Snapshot of {name: value}."""
    return Snapshot(version(values), values, public_url.stored(values))


def version(values):
    """Identifies the values of all settings: 10 hex digits, which change when a value changes.

    The values include a random key, so they cannot be guessed from the digits.
    """
    text = json.dumps(sorted(values.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def environment_file(values):
    """The values as lines NAME=value, for Docker. Raises CommandError if a value would be more than one line."""
    for name, value in values.items():
        if "\n" in value:  # it was stored by hand
            remedy = f"make set-dev SETTING={name}; or set-prod"
            raise CommandError(f"invalid value of {name}", "it has more than one line", remedy)
    return "".join(f"{name}={value}\n" for name, value in values.items())


def check_name(name):
    """Raises UsageError unless the name has the form of a setting's name."""
    if not re.fullmatch(GRAMMAR["setting"], name):
        why = "expected capital letters, digits and _, as in ALLOWED_HOSTS"
        shown = name.partition("=")[0][:80]  # never NAME=value, which may be a secret
        raise UsageError(f"invalid setting {shown!r}", why, "make settings-dev settings-prod lists the names")


def read_value(environment, name, stream):
    """The value of a setting in a binary stream, without one newline at its end.

    Raises UsageError, without the value, for a value that one of the stores cannot have.
    """
    data = stream.read(LONGEST + 2)
    data = data[:-1] if data.endswith(b"\n") else data
    if not data:
        why, remedy = "only a setting that is removed has no value", f"make unset-{environment} SETTING={name}"
        raise UsageError(f"the value of {name} is empty: nothing was changed", why, remedy)
    try:
        value = data.decode()
        why = fault(value)
    except UnicodeDecodeError:
        why = f"it has more than {LONGEST} bytes" if len(data) > LONGEST else "it is not UTF-8"
    if why:
        what = f"invalid value of {name}: nothing was changed"
        raise UsageError(what, why, f"make set-{environment} SETTING={name}")
    return value


def fault(value):
    """Why no setting can have this value, without the value; None if one can."""
    if len(value.encode()) > LONGEST:
        return f"it has more than {LONGEST} bytes"
    if any(unicodedata.category(character) in LINE_BREAKS for character in value):
        return "expected one line without control characters"
    if "{{" in value:
        return "it contains {{, which Parameter Store refuses"
    return None


class FileSettings:
    """A file on the host that only root can read: lines NAME=value.

    The comment `# TIME ACTOR` before a line is about its last change with a verb.
    """

    def __init__(self, path):
        self.path = path

    def current(self):
        """As Settings.current."""
        return snapshot(values(self.load()))

    def load(self):
        """As Settings.load. Raises CommandError for a line that is neither a setting nor a comment.

        As for Docker and kubectl, which read this file until version 1.0, a line may begin with blanks.
        """
        try:
            text = self.path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "reason", None) or error.strerror  # without the text of the file
            raise CommandError(f"can't read '{self.path}'", why, "correct the file") from None
        settings, changed = {}, (None, None)
        for number, line in enumerate(text.split("\n"), 1):
            line = line.lstrip()
            name, is_setting, value = line.partition("=")
            if not line or line.startswith("#"):
                change = re.fullmatch(CHANGE, line)
                changed = (change[2], change[1]) if change else (None, None)
            elif is_setting and re.fullmatch(GRAMMAR["setting"], name):
                settings[name] = Setting(value, *changed)
                changed = (None, None)
            else:
                raise CommandError(f"invalid line {number} of '{self.path}'", "expected NAME=value", "correct the file")
        return settings

    def save(self, settings):
        """As Settings.save."""
        lines = []
        for name, setting in settings.items():
            if setting.time:
                lines.append(f"# {setting.time} {setting.actor}\n")
            lines.append(f"{name}={setting.value}\n")
        files.replace(self.path, "".join(lines), mode=0o600)
