"""The live images and the duration of each step, as Markdown for a job's summary page on GitHub."""

import os

from delivery import git, status, targets
from delivery.cli import AlreadyReported, CommandError, log

BUILD = ("version", "revision", "digest")


def write():
    """Appends the summary to GITHUB_STEP_SUMMARY and returns a message, or returns the summary if that is unset.

    If the host does not answer, it contains only the steps, and CommandError is raised afterwards.
    """
    commit = git.resolve()
    parts, failure = [f"## {git.version(commit)}, commit {commit}\n"], None
    try:
        parts.append(served(targets.for_environment("prod")))
    except CommandError as error:  # the steps may show why
        parts.append(f"The live images are not known: {error.what}.\n")
        failure = error
    if (path := os.environ.get("DELIVERY_STEPS")) and os.path.exists(path):
        parts.append(steps(path))
    text = "\n".join(parts)
    if page := os.environ.get("GITHUB_STEP_SUMMARY"):
        append(page, text)
        text = f"written to {page}"
    if failure:
        print(text)
        raise failure
    return text


def note(text):
    """Reports a fact in the log and, in CI, on the job's summary page."""
    log(text)
    if page := os.environ.get("GITHUB_STEP_SUMMARY"):
        append(page, f"{text}\n")


def append(page, text):
    """Appends Markdown to a page."""
    with open(page, "a", encoding="utf-8") as file:
        file.write(text + "\n")


def served(target):
    """The table of a target's live images. Raises CommandError if the target does not report them."""
    try:
        entries = status.environments(target)
    except AlreadyReported as failed:
        why = f"the status verb failed with exit status {failed.status}"
        raise CommandError("cannot read the status of the target", why, "make status") from None
    rows = []
    for name, entry in entries.items():
        build = (entry[key] for key in BUILD)
        rows.append((name, status.url(target, entry), *build, yes_or_no(entry["healthy"]), last_backup(entry)))
    return table(("", "URL", *BUILD, "healthy", "last backup"), rows)


def yes_or_no(value):
    """A boolean in words; "no" stands out."""
    return "yes" if value else "**no**"


def last_backup(entry):
    """The age of the newest nightly dump; one that is overdue stands out."""
    age = status.backup_age(entry)
    return f"**{age}, overdue**" if entry.get("backup_overdue") else age


def steps(path):
    """The table of the steps, from the lines that scripts/lib/timed.sh writes: seconds, exit status, recipe.

    Each target runs its setup first. A setup that takes less than a second has installed nothing and has
    no row.
    """
    with open(path, encoding="utf-8") as file:
        lines = [line.rstrip("\n").split(" ", 2) for line in file]
    rows = [
        (recipe, f"{seconds} s", "ok" if code == "0" else f"**failed ({code})**")
        for seconds, code, recipe in lines
        if not (recipe.startswith("scripts/setup ") and code == "0" and float(seconds) < 1)
    ]
    return table(("step", "time", "result"), rows)


def table(head, rows):
    """A table in GitHub's Markdown. A missing value is a dash."""
    lines = [head, ["---"] * len(head), *([str(cell) if cell else "-" for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines) + "\n"
