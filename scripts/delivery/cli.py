"""Arguments, progress, errors and confirmation: what every verb has in common, on the laptop and on the host.

stdout carries the answer; progress and errors go to stderr. The exit status is 0, 1 (the work
failed) or 2 (wrong usage).
"""

import argparse
import itertools
import os
import sys


class CommandError(Exception):
    """Work that failed: what failed, why, and the command that fixes it. All errors of the package derive from it."""

    status = 1

    def __init__(self, what, why, remedy):
        super().__init__(what, why, remedy)
        self.what, self.why, self.remedy = what, why, remedy

    def __str__(self):
        return f"{self.what}\n  why: {self.why}\n  remedy: {self.remedy}"


class UsageError(CommandError):
    """A wrong argument or setting: nothing was changed."""

    status = 2


class AlreadyReported(Exception):
    """A verb on another machine failed and has printed its own error; `status` is its exit status."""

    def __init__(self, status):
        super().__init__(status)
        self.status = status


class Parser(argparse.ArgumentParser):
    """Parses the arguments of the running script, whose header comment is its help.

    `-h` prints the header on stdout and exits with 0. Wrong usage prints it on stderr and exits
    with 2.
    """

    def __init__(self):
        super().__init__(prog=os.path.basename(sys.argv[0]), allow_abbrev=False)

    def format_help(self):
        with open(sys.argv[0], encoding="utf-8") as script:
            header = itertools.takewhile(lambda line: line.startswith("#"), list(script)[1:])
            return "".join(line[2:] or "\n" for line in header)

    def error(self, message):
        print(f"{self.prog}: {message}", file=sys.stderr)
        print(self.format_help(), end="", file=sys.stderr)
        raise SystemExit(UsageError.status)


def log(step):
    """Prints on stderr which step begins."""
    print(f"==> {step}", file=sys.stderr, flush=True)


def run(operation, parser=None):
    """Calls `operation` with the parsed arguments as keywords and prints its result, unless that is None.

    Ends the process. A CommandError is printed on stderr and becomes its exit status.
    """
    try:
        arguments = vars((parser or Parser()).parse_args())
        answer = operation(**arguments)
        if answer is not None:
            print(answer)
    except CommandError as error:
        print(f"{os.path.basename(sys.argv[0])}: {error}", file=sys.stderr)
        sys.exit(error.status)
    except AlreadyReported as failure:
        sys.exit(failure.status)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit()


def line_count(text):
    """The text, if it is a number of lines, 1 to 99999. Raises UsageError for everything else."""
    if text.isascii() and text.isdigit() and text[0] != "0" and len(text) <= 5:
        return text
    raise UsageError(f"invalid number of lines {text[:200]!r}", "expected 1 to 99999", f"{verb()} -h")


def required_variable(name):
    """The value of an environment variable that the Makefile exports. Raises CommandError when it is unset or empty."""
    if value := os.environ.get(name):
        return value
    raise CommandError(f"{name} is not set", "it depends on the target: scripts have no default", f"make {verb()}")


def verb():
    """The name of the running script."""
    return os.path.basename(sys.argv[0])


def flag(name):
    """Whether an environment variable is 1. Raises UsageError for another value than 1 or none."""
    if (value := os.environ.get(name, "")) in ("", "1"):
        return bool(value)
    raise UsageError(f"invalid {name} '{value}'", "expected 1 or nothing", f"unset {name}")


def confirm(question, expected):
    """Asks on the terminal and raises CommandError unless the answer is the expected word."""
    print(f"{question} Type {expected} to continue: ", end="", file=sys.stderr, flush=True)
    try:
        with open("/dev/tty", encoding="utf-8") as terminal:
            answer = terminal.readline().strip()
    except OSError:
        answer = sys.stdin.readline().strip()
    if answer != expected:
        raise CommandError("not confirmed: nothing was changed", f"expected '{expected}'", "run the command again")
