"""The verbs on settings that the laptop runs on a target."""

import getpass
import io
import json
import shutil
import sys
import textwrap

from delivery import settings, streams, targets

NARROWEST = 30  # columns


def show(environment, values):
    """The settings of an environment as a table; with `values` also those that are not secret.

    In a terminal, the texts of the last column are broken at its width.
    """
    answer = targets.for_environment(environment).ask("settings", environment, *["values"] if values else [])
    entries = json.loads(answer)
    head = ("NAME", "STATE", "CHANGED", "BY", *["VALUE"] * values, "HELP")
    rows = [head, *(row(entry, values) for entry in entries)]
    return table(rows, shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize)


def table(rows, most):
    """The rows as lines of at most `most` columns, unless less than NARROWEST of them are left for the last cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    indent = sum(widths) + len(widths)
    most = max(most, indent + NARROWEST)
    lines = []
    for *cells, text in rows:
        start = "".join(f"{cell:{width}} " for cell, width in zip(cells, widths, strict=True))
        lines.append(textwrap.fill(text, most, initial_indent=start, subsequent_indent=" " * indent))
    return "\n".join(lines)


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
