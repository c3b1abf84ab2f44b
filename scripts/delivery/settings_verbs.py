"""The verbs on settings that the laptop runs on a target."""

import getpass
import io
import json
import sys

from delivery import settings, streams, targets


def show(environment, values):
    """The settings of an environment as a table; with `values` also those that are not secret."""
    answer = targets.for_environment(environment).ask("settings", environment, *["values"] if values else [])
    entries = json.loads(answer)
    head = ("NAME", "STATE", "CHANGED", "BY", *["VALUE"] * values, "HELP")
    rows = [head, *(row(entry, values) for entry in entries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (" ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in rows)
    return "\n".join(line.rstrip() for line in lines)


def row(entry, with_value):
    """The cells of one setting (delivery/settings_schema.py, `listing`)."""
    state = "set" if entry["is_set"] else "default" if entry["default"] is not None else "-"
    value = entry.get("value", "(hidden)" if entry["is_set"] else entry["default"])
    cells = (entry["name"], state, entry["time"] or "-", entry["actor"] or "-")
    return (*cells, *["-" if value is None else str(value)] * with_value, entry["help"])


def change(environment, setting):
    """Changes a setting to the value on stdin, or if that is a terminal, to one that is typed at a hidden prompt.

    Raises UsageError for a value that no setting can have, before anything is sent.
    """
    settings.check_name(setting)
    value = settings.read_value(environment, setting, _input(setting))
    target = targets.for_environment(environment)
    streams.set_input(value.encode())
    target.attach("set", environment, setting)


def remove(environment, setting):
    """Removes a setting, so that its default applies."""
    settings.check_name(setting)
    targets.for_environment(environment).run("unset", environment, setting)


def _input(setting):
    if not sys.stdin.isatty():
        return sys.stdin.buffer
    try:
        return io.BytesIO(getpass.getpass(f"{setting}: ").encode(errors="surrogateescape"))
    except EOFError:
        return io.BytesIO()
