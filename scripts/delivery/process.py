"""Runs other programs."""

import subprocess
import sys

from delivery.cli import CommandError


class ProgramFailed(CommandError):
    """A program is missing or failed; `stderr` is its output there, `code` its exit status if it ended."""

    def __init__(self, command, why, stderr="", code=None):
        self.stderr, self.code = stderr, code
        super().__init__(f"{' '.join(command[:2])} failed", why, "see the message above")


class TimedOut(ProgramFailed):
    """A program did not end in time and was killed."""


def run(command, *, input=None, timeout=None, env=None, show=False, merge=False, passed=(0,), stdin=None, stdout=None):
    """Runs a program and returns its stdout as text.

    With `show`, its output is passed through to stderr instead; with `merge`, its stderr is part of the
    result. It reads `input` (text) or the open file `stdin`, and writes to the open file `stdout` if one
    is given. Raises TimedOut after `timeout` seconds, ProgramFailed if its exit status is not in `passed`.

    The program inherits inheritable file descriptors. One of them is the host's lock, so that the kernel
    releases the lock of a killed deploy only when its last child has ended.
    """
    streams = {"stdout": stdout or subprocess.PIPE, "stderr": subprocess.STDOUT if merge else subprocess.PIPE}
    if show:
        streams = {"stdout": sys.stderr}
    if input is None:
        streams["stdin"] = stdin or subprocess.DEVNULL
    text = {"close_fds": False, "encoding": "utf-8", "errors": "replace"}
    try:
        done = subprocess.run(command, input=input, timeout=timeout, env=env, **text, **streams)
    except FileNotFoundError as error:
        raise ProgramFailed(command, error) from None
    except subprocess.TimeoutExpired:
        raise TimedOut(command, f"it did not end within {timeout} s") from None
    if done.returncode not in passed:
        stderr = (done.stderr or "").strip()
        raise ProgramFailed(command, stderr or f"exit status {done.returncode}", stderr, done.returncode)
    return done.stdout or ""


def succeeds(command, **options):
    """Whether a program succeeds. Takes the arguments of `run`."""
    try:
        run(command, **options)
    except ProgramFailed:
        return False
    return True
