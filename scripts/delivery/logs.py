"""The lines of the application's log that a user selects, and those that follow."""

import datetime
import os
import re
import select
import subprocess
import sys
import threading
from typing import NamedTuple

from delivery.cli import CommandError, UsageError

MOST = 99999  # lines
LONGEST = 200  # characters of a text to search for
# Not 0s, which kubectl takes for no limit.
DURATION = re.compile("(?=.*[1-9])([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?")
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})")


class Selection(NamedTuple):
    """The last `lines` since `since` that contain `grep`; `since` is a duration as 2h30m, or a time (RFC 3339)."""

    lines: int
    since: str | None = None
    grep: str | None = None

    @property
    def tail(self):
        """How many of the last lines must be read: "all" where only some of them are selected."""
        return "all" if self.grep else self.lines

    def of(self, text):
        """The selected lines of a text."""
        lines = [line for line in text.split("\n") if line and (not self.grep or self.grep in line)]
        return lines[-self.lines :]

    def has(self, line):
        """Whether a line (bytes) is selected."""
        return not self.grep or self.grep.encode() in line


def add_options(parser):
    """Adds the options of the verb to a cli.Parser."""
    parser.add_argument("--since", type=since)
    parser.add_argument("--grep", type=grep)
    parser.add_argument("--previous", action="store_true")
    parser.add_argument("--follow", action="store_true")


def parse(lines, options):
    """(Selection, whether `previous` is given) from checked arguments of the verb, for logs that need no host."""
    given = {name: value for name, _, value in (option[2:].partition("=") for option in options)}
    return Selection(int(lines), given.get("since"), given.get("grep")), "previous" in given


def since(text):
    """Returns a duration or a time. Raises UsageError unless it has one of the forms; empty is None."""
    if not text or DURATION.fullmatch(text):
        return text or None
    try:
        if MOMENT.fullmatch(text):
            datetime.datetime.fromisoformat(re.sub(r"\.[0-9]+", "", text).replace("Z", "+00:00"))
            return text
    except ValueError:
        pass
    why = "expected a duration as 90s, 30m or 2h30m, or a time as 2026-11-25T03:15:00Z"
    raise UsageError(f"invalid SINCE {text[:80]!r}", why, "make logs-dev SINCE=1h")


def grep(text):
    """Returns a text to search for. Raises UsageError unless it is one printable line; empty is None."""
    # Systems Manager replaces {{...}} in parameters.
    if len(text) > LONGEST or not text.isprintable() or "{{" in text:
        why = f"expected one printable line of at most {LONGEST} characters, without {{{{"
        raise UsageError(f"invalid GREP {text[:80]!r}", why, "make logs-dev GREP=Traceback")
    return text or None


def check_exclusive(previous, follow):
    """Raises UsageError if both options are given."""
    if previous and follow:
        raise UsageError(
            "PREVIOUS and FOLLOW exclude each other", "a container that has ended logs nothing more", "omit one"
        )


def show(environment, selection, previous):
    """The selected lines of the live slot or pods, which may be crashing. Raises CommandError if there are no logs."""
    texts = environment.logs(selection.tail, selection.since, previous)
    if not texts:
        raise nothing_live(environment)
    if previous and not any(texts):
        why = "since it was deployed, it has run without a restart"
        raise CommandError(f"{environment.name} has no logs from before a crash", why, f"make logs-{environment.name}")
    return "\n".join(line for text in texts for line in selection.of(text))


def follow(environment, selection, wait):
    """Prints the selected lines, and those that the live image logs from now on, also after a deploy.

    `wait()` waits a second and returns whether to end. Raises CommandError if there is no live image.
    """
    if not environment.live():
        raise nothing_live(environment)
    followers, tail, oldest = {}, selection.lines, selection.since
    try:
        while True:
            for source in sources(environment):
                known = followers.get(source.name)
                if known is None or (known.started != source.started and not known.is_alive()):
                    # A container that starts later is read from its start.
                    begin = ("all", source.started) if known or tail is None else (tail, oldest)
                    followers[source.name] = Follower(environment.log_command(source.name, *begin), source, selection)
            tail = None
            if any(follower.is_broken for follower in followers.values()):
                raise BrokenPipeError
            if wait():
                return
    finally:
        for follower in followers.values():
            follower.stop()


def nothing_live(environment):
    """The error if there are no logs at all."""
    return CommandError("there are no logs", f"{environment.name} has no live image", f"make deploy-{environment.name}")


def sources(environment):
    """The running containers of the live image; none while Docker or Kubernetes does not answer."""
    try:
        return environment.log_sources()
    except CommandError:
        return []


class Source(NamedTuple):
    """A container or a pod, and when it was started (RFC 3339)."""

    name: str
    started: str


class Follower(threading.Thread):
    """Prints the selected lines of a program that does not end by itself."""

    output = threading.Lock()

    def __init__(self, command, source, selection):
        super().__init__(daemon=True)
        self.started, self.selection, self.is_broken = source.started, selection, False
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self.program = subprocess.Popen(command, **streams)
        self.start()

    def run(self):
        """Passes the lines on until the program ends."""
        for line in self.program.stdout:
            if self.selection.has(line):
                try:
                    with self.output:
                        sys.stdout.buffer.write(line)
                        sys.stdout.buffer.flush()
                except OSError:  # the reader of the output has ended
                    self.is_broken = True
                    return

    def stop(self):
        """Ends the program."""
        self.program.kill()
        self.program.wait()


def input_ends():
    """Waits a second and returns whether stdin has ended: the laptop holds it open while it follows."""
    ready, _, _ = select.select([0], [], [], 1)
    return bool(ready) and not os.read(0, 4096)
