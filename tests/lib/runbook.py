#!/usr/bin/env python3
"""The commands of a runbook, for tests that execute them.

tests/lib/runbook.py FILE HEADING    prints the commands below a heading of docs/operations/FILE
"""

import re
import sys
import textwrap
from pathlib import Path

OPERATIONS = Path(__file__).resolve().parents[2] / "docs/operations"
BLOCK = re.compile(r"^( *)```\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def commands(name, heading):
    """The commands between a heading and the next one, as one shell script. Raises LookupError if there are none."""
    text = (OPERATIONS / name).read_text()
    parts = re.split(r"^#+ (.*)\n", text, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    found = [textwrap.dedent(match[2]) for match in BLOCK.finditer(sections[heading])]
    if not found:
        raise LookupError(f"no commands below '{heading}' in {name}")
    return "".join(found)


if __name__ == "__main__":
    print(commands(*sys.argv[1:]), end="")
