"""Arguments, progress, errors and confirmation of all verbs, on the laptop and on the host.

stdout carries the answer; progress and errors go to stderr. The exit status is 0, 1 (the
operation failed) or 2 (wrong usage).
"""

import argparse
import contextlib
import itertools
import os
import re
import sys


class CommandError(Exception):
    """What failed, why, and the command that fixes it. All errors of the package derive from this class."""

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
    """A program failed and has printed its own error.

    `status` is its exit status, as in a shell 128 + the number of a signal that ended it. `output` is its output on
    stdout.
    """

    def __init__(self, status, output=""):
        super().__init__(status)
        self.status, self.output = status if status >= 0 else 128 - status, output


class Parser(argparse.ArgumentParser):
    """Parses the arguments of the running script, whose header comment is its help.

    `-h` prints the header on stdout and exits with 0. Wrong usage prints it on stderr and exits
    with 2. `--` is wrong usage too: no verb has an argument that begins with a dash.
    """

    def __init__(self):
        # An explicit usage and width keep argparse from importing shutil, a fifth of a verb's start-up time.
        width = {"formatter_class": lambda prog: argparse.HelpFormatter(prog, width=100)}
        super().__init__(prog=verb(), usage="", allow_abbrev=False, **width)

    def parse_known_args(self, args=None, namespace=None):
        """Also refuses `--`, which argparse ignores."""
        if "--" in (sys.argv[1:] if args is None else args):
            self.error("unrecognized arguments: --")
        return super().parse_known_args(args, namespace)

    def format_help(self):
        """The header comment of the script."""
        with open(sys.argv[0], encoding="utf-8") as script:
            header = itertools.takewhile(lambda line: line.startswith("#"), list(script)[1:])
            return "".join(line[2:] or "\n" for line in header)

    def error(self, message):
        """Prints the message and the header on stderr, and exits with 2."""
        print(f"{self.prog}: {message}", file=sys.stderr)
        print(self.format_help(), end="", file=sys.stderr)
        raise SystemExit(UsageError.status)


def run(operation, parser=None):
    """Calls `operation` with the parsed arguments as keywords and prints its result unless it is empty.

    The operation runs in the parent of the script's directory, whatever the current directory is.
    Ends the process. A CommandError is printed on stderr and determines the exit status.
    """
    if sys.stdin is None:  # it was closed: the next file that is opened would be the input of a program
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdin = open(0, encoding="utf-8")  # noqa: SIM115 until the end of the process
    with reported():
        arguments = vars((parser or Parser()).parse_intermixed_args())
        os.chdir(os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[0]))))
        answer = operation(**arguments)
        if answer:
            print(answer, flush=True)
    sys.exit()


@contextlib.contextmanager
def reported():
    """Ends the process with the exit status of an error that is raised inside; prints a CommandError on stderr."""
    try:
        yield
    except CommandError as error:
        print(f"{verb()}: {error}", file=sys.stderr)
        sys.exit(error.status)
    except AlreadyReported as failure:
        sys.exit(failure.status)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes stdout once more
        sys.exit(141)


def verb():
    """The name of the running script."""
    return os.path.basename(sys.argv[0])


def log(step):
    """Prints a progress message on stderr."""
    print(f"==> {step}", file=sys.stderr, flush=True)


def required_variable(name):
    """The value of an environment variable that the Makefile exports. Raises CommandError if it is unset or empty."""
    if value := os.environ.get(name):
        return value
    why = "the Makefile sets its default"
    raise CommandError(f"{name} is not set", why, f"run {verb()} through make: make help lists the targets")


def flag(name):
    """Whether an environment variable is 1. Raises UsageError unless it is 1, empty or unset."""
    if (value := os.environ.get(name, "")) in ("", "1"):
        return bool(value)
    raise UsageError(f"invalid {name} '{value}'", "expected 1 or no value", f"unset {name}")


def number(of_what, most):
    """An argparse `type`: a decimal number from 1 to `most`, returned as text. It raises UsageError."""

    def check(text):
        if re.fullmatch("[1-9][0-9]{0,8}", text) and int(text) <= most:
            return text
        raise UsageError(f"invalid number of {of_what} '{text[:20]}'", f"expected 1 to {most}", f"{sys.argv[0]} -h")

    return check


def number_variable(name, default, of_what="seconds", least=0):
    """An environment variable as an int from `least` to 99999, or the default. Raises UsageError."""
    text = os.environ.get(name) or str(default)
    if re.fullmatch("[0-9]{1,5}", text) and int(text) >= least:
        return int(text)
    why = f"expected a number of {of_what}, {least} to 99999"
    raise UsageError(f"invalid {name} {text[:200]!r}", why, f"unset {name}")


def confirm(question, expected, terminal=False):
    """Asks on stderr and raises CommandError unless the answer is the expected word.

    The answer is a line from stdin, or with `terminal` from the terminal, for verbs that read data from
    stdin.
    """
    print(f"{question} Type {expected} to continue: ", end="", file=sys.stderr, flush=True)
    try:
        with open("/dev/tty", encoding="utf-8") if terminal else contextlib.nullcontext(sys.stdin) as source:
            answer = source.readline().strip()
    except OSError as error:
        why = f"stdin has the data, and there is no terminal: {error.strerror}"
        raise CommandError("not confirmed: nothing was changed", why, "run the command in a terminal") from None
    if answer != expected:
        raise CommandError("not confirmed: nothing was changed", f"expected '{expected}'", "run the command again")
