"""Runs other programs."""

import subprocess
import sys

from delivery.cli import CommandError


class ProgramFailed(CommandError):
    """A program is missing or ended with an error; `stderr` is what it printed."""

    def __init__(self, command, why, stderr=""):
        self.stderr = stderr
        super().__init__(f"{' '.join(command[:2])} failed", why, "see the message above")


class TimedOut(ProgramFailed):
    """A program did not end in time and was killed."""


def run(command, *, input=None, timeout=None, env=None, show=False, merge=False, passed=(0,), stdin=None, stdout=None):
    """Runs a program and returns its stdout as text.

    With `show`, everything that it prints is passed through to stderr instead; with `merge`, its
    stderr is part of the result. It reads `input` (text) or the open file `stdin`, and writes to the
    open file `stdout`, if one is given. Raises TimedOut after `timeout` seconds, ProgramFailed when
    its exit status is not in `passed`.

    A child inherits the file descriptors that are marked inheritable: a host's lock, which the kernel
    then frees only when the last child of a killed deploy has ended.
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
        raise ProgramFailed(command, stderr or f"exit status {done.returncode}", stderr)
    return done.stdout or ""


def succeeds(command, **more):
    """Whether a program ends without an error. Takes what `run` takes."""
    try:
        run(command, **more)
    except ProgramFailed:
        return False
    return True
