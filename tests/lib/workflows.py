#!/usr/bin/env python3
"""What GitHub does with workflow files before a runner sees them, for tests: which ones an event starts.

tests/lib/workflows.py push BRANCH    prints the workflow files that a push to the branch starts, by their own `on:`
"""

import re
import sys
from pathlib import Path

import yaml

DIRECTORY = Path(__file__).parents[2] / ".github/workflows"


def workflows(directory=DIRECTORY):
    """{file name: workflow}, with `on` as GitHub reads it; to YAML 1.1 it is the word for true."""
    found = {path.name: yaml.safe_load(path.read_text()) for path in sorted(Path(directory).glob("*.y*ml"))}
    for workflow in found.values():
        workflow["on"] = normal(workflow.pop(True))
    return found


def normal(on):
    """The three ways to write `on:` as {event: filter}."""
    if isinstance(on, str):
        on = [on]
    if isinstance(on, list):
        on = dict.fromkeys(on)
    return {event: given or {} for event, given in on.items()}


def pattern(text):
    """A GitHub filter pattern as a regular expression. `*` does not match a slash, `**` does. Others are refused."""
    if re.search(r"[?+\[\]!\\]", text):
        raise ValueError(f"the tests don't know the filter pattern {text!r}")
    parts = (".*" if part == "**" else "[^/]*" if part == "*" else re.escape(part) for part in re.split(r"(\*+)", text))
    return re.compile("".join(parts))


def starts(workflow, branch):
    """Whether a push of commits to a branch starts a workflow."""
    if "push" not in workflow["on"]:
        return False
    given = workflow["on"]["push"]
    if unknown := set(given) - {"branches", "branches-ignore"}:
        raise ValueError(f"the tests don't know the filter {unknown}")
    wanted, ignored = given.get("branches", ["**"]), given.get("branches-ignore", [])
    return any(pattern(text).fullmatch(branch) for text in wanted) and not any(
        pattern(text).fullmatch(branch) for text in ignored
    )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["push", branch]:
            for name, workflow in workflows().items():
                if starts(workflow, branch):
                    print(name)
        case _:
            sys.exit(__doc__)
