"""The weekly review: pins that were last reviewed too long ago, and vulnerabilities of the locked packages.

A pin is a version or a checksum that Dependabot cannot update. The date of its last review is next to it in the form
"reviewed 2026-11-27": on its line, or on a line above it in the same paragraph. A pin that occurs in several places
needs the date in one of them. A lock file has the date in its header.
"""

import datetime
import json
import os
import re
import subprocess
from typing import NamedTuple

from delivery import git
from delivery.cli import CommandError, log
from delivery.summary import append, table

LIMIT = 90  # days
LOCKS = re.compile(r"(.*/)?(requirements|go)\.lock|(.*/)?go\.mod")  # one pin for the whole file
# Not read: what describes or tests the project, what other programs write, and the version of the application.
IGNORED = re.compile(
    r"(.*/)?(docs|tests)/(?!requirements\.).*|.*\.(md|sum|po|svg|png)|.*\.terraform\.lock\.hcl|book-shop/pyproject\.toml"
)
COMMENT = re.compile(r"\s*(#|//)")
# Dependabot updates these.
UPDATED = re.compile(r"\s*- uses: \S+@[0-9a-f]{40} # v|FROM \S+@sha256:[0-9a-f]{64}")
PINS = re.compile(
    r"""
      \b[0-9a-f]{64}\b | \b[0-9a-f]{40}\b                         # a checksum or a commit
    | \b(?i:\w+[_-]version) \s*[:=]\s* ["']?v?[0-9][\w.+-]*      # of a named tool
    | \bversion \s*=\s* ["']?v?[0-9]+\.[0-9][\w.+-]*             # of the tool that a script installs
    | ^\s* default \s*=\s* ["']v?[0-9]+\.[0-9][0-9.]*["']        # of a variable of Terraform
    | ^[\w.-]+ (?:\[[\w,]+\])? == [0-9][\w.]*                    # a Python package
    | (?<![\w./@-]) (?!localhost/) [\w.-]+ (?:/[\w.-]+)+ : v?[0-9][\w.-]*   # an image by its tag
    | \b image: \s* ["']? [\w./-]+ : v?[0-9][\w.-]*              # in a manifest
    | \bubuntu [-:/] (?:server/)? [0-9]{2}\.[0-9]{2}\b           # a release of Ubuntu
    | \b (?:suite=|debian-packages[ ]) [a-z]+                    # a release of Debian
    """,
    re.VERBOSE,
)
REVIEWED = re.compile(r"\breviewed ([0-9]{4}-[0-9]{2}-[0-9]{2})\b")


class Pin(NamedTuple):
    """A pin: its text, the place where it was found, and the date of its last review or None."""

    text: str
    place: str
    date: datetime.date | None


class Vulnerability(NamedTuple):
    """A known vulnerability of a locked package; `fixed` has the versions without it, separated by commas."""

    lock: str
    package: str
    version: str
    id: str
    fixed: str


def review():
    """Prints the report as Markdown, and appends it to GITHUB_STEP_SUMMARY if that is set.

    Raises CommandError if a pin was not reviewed for more than LIMIT days or never, if a locked package has a known
    vulnerability, or if the packages could not be checked.
    """
    today = current_date()
    files = git.output("ls-files").splitlines()
    found = pins(files, today)
    old = [pin for pin in found if age(pin, today) is None or age(pin, today) > LIMIT]
    locks = [path for path in files if path.endswith(".lock") and LOCKS.fullmatch(path)]
    vulnerable, failure = [], None
    try:
        for lock in locks:
            log(f"looking up the packages of {lock}")
            vulnerable += vulnerabilities(lock)
    except CommandError as error:  # the old pins are reported all the same
        failure = error
    publish(report(found, today, vulnerable, locks, failure))
    problems = []
    if old:
        problems.append(f"{len(old)} of {len(found)} pins without a review in the last {LIMIT} days")
    if vulnerable:
        problems.append(f"{len({v[:3] for v in vulnerable})} locked packages with known vulnerabilities")
    if failure:
        problems.append(failure.what)
    if problems:
        why = failure.why if failure else "see the report above"
        remedy = failure.remedy if failure else "see docs/operations/review-pins.md"
        raise CommandError("; ".join(problems), why, remedy)


def current_date():
    """The date in UTC."""
    return datetime.datetime.now(datetime.timezone.utc).date()


def pins(files, today):
    """The pins in these files, without repetitions and in order. Raises CommandError for a date that is impossible."""
    found = {}
    for path in files:
        if IGNORED.fullmatch(path) or not os.path.isfile(path):
            continue
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except UnicodeDecodeError:
            continue  # an image or an archive
        pinned = [(path, path, text)] if LOCKS.fullmatch(path) else of_lines(path, text)
        for name, place, near in pinned:
            pin = Pin(name, place, reviewed(place, near, today))
            known = found.setdefault(name, pin)
            if pin.date and (not known.date or known.date < pin.date):
                found[name] = pin
    return list(found.values())


def of_lines(path, text):
    """Yields (pin, place, text that may have its date) for each pin in a file."""
    paragraph = ""
    for number, line in enumerate(text.splitlines(), 1):
        paragraph = f"{line}\n{paragraph}" if line.strip() else ""  # the nearest line first
        if COMMENT.match(line) or UPDATED.match(line):
            continue
        for match in PINS.finditer(REVIEWED.sub("", line)):
            yield match[0].strip(), f"{path}:{number}", paragraph


def reviewed(place, text, today):
    """The first date of a review in a text, or None. Raises CommandError if it is impossible or in the future."""
    match = REVIEWED.search(text)
    if not match:
        return None
    try:
        date = datetime.date.fromisoformat(match[1])
    except ValueError as error:
        raise CommandError(f"invalid date '{match[1]}' in {place}", error, f"correct it: reviewed {today}") from None
    if date > today + datetime.timedelta(days=1):  # the reviewer's time zone may be ahead
        raise CommandError(f"invalid date '{date}' in {place}", "it is in the future", f"correct it: reviewed {today}")
    return date


def age(pin, today):
    """Days since the last review of a pin, or None."""
    return pin.date and max(0, (today - pin.date).days)


def vulnerabilities(lock):
    """The known vulnerabilities of the packages in a lock file, from OSV or from the service at DELIVERY_OSV_URL.

    Only packages that this version of Python installs are looked up. Raises CommandError if one of them could not be.
    """
    command = ["pip-audit", "--requirement", lock, "--require-hashes", "--disable-pip", "--progress-spinner", "off"]
    command += ["--vulnerability-service", "osv", "--format", "json"]
    if url := os.environ.get("DELIVERY_OSV_URL"):
        command += ["--osv-url", url]
    what = f"cannot look up the packages of {lock}"
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise CommandError(what, "pip-audit is not on the PATH", "make setup-tools") from None
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        lines = done.stderr.strip().splitlines() or [f"pip-audit ended with exit status {done.returncode}"]
        raise CommandError(what, lines[-1], "try again later: make review") from None
    if skipped := [package["skip_reason"] for package in packages if "skip_reason" in package]:
        raise CommandError(what, "; ".join(skipped), "try again later: make review")
    return [
        Vulnerability(lock, package["name"], package["version"], entry["id"], ", ".join(entry["fix_versions"]))
        for package in packages
        for entry in package["vulns"]
    ]


def report(found, today, vulnerable, locks, failure):
    """The report as Markdown: the pins, the least recently reviewed first, and the vulnerabilities."""
    never = datetime.date.min
    rows = [
        (
            pin.text if len(pin.text) < 64 else f"{pin.text[:12]}…",
            pin.place,
            pin.date or "**never**",
            remark(pin, today),
        )
        for pin in sorted(found, key=lambda pin: (pin.date or never, pin.place))
    ]
    parts = [f"## Review of {today}\n", table(("pin", "place", "reviewed", "days"), rows)]
    parts.append("## Known vulnerabilities of the locked packages\n")
    if vulnerable:
        parts.append(table(("lock file", "package", "version", "vulnerability", "fixed in"), vulnerable))
    if failure:
        parts.append(f"**{failure.what}**: {failure.why}\n")
    elif not vulnerable:
        parts.append(f"None in {', '.join(locks)}.\n")
    return "\n".join(parts)


def remark(pin, today):
    """The age of a pin's last review; one that is overdue stands out."""
    days = age(pin, today)
    return "" if days is None else f"**{days}, overdue**" if days > LIMIT else str(days)


def publish(text):
    """Prints a report, and appends it to the job's summary page on GitHub."""
    print(text, flush=True)
    if page := os.environ.get("GITHUB_STEP_SUMMARY"):
        append(page, text)
