"""Runs a verb in the process of a test."""

import contextlib
import io
import os
import runpy
import sys
from typing import NamedTuple
from unittest import mock


class Result(NamedTuple):
    """What the user of a verb sees."""

    status: int
    out: str
    err: str

    @property
    def last(self):
        """The last line of stderr."""
        return self.err.splitlines()[-1]

    def must_succeed(self):
        """Asserts that the verb succeeded."""
        assert self.status == 0, self.err

    def must_print(self, answer, *messages):
        """Asserts that the verb succeeded with this answer, and that stderr has each of the messages."""
        assert (self.status, self.out) == (0, answer and f"{answer}\n"), self.err
        assert [message for message in messages if message not in self.err] == [], self.err

    def must_fail(self, *messages, status=1):
        """Asserts that the verb failed without an answer, and that stderr has each of the messages."""
        assert (self.status, self.out) == (status, ""), self.err
        assert [message for message in messages if message not in self.err] == [], self.err


def run_script(script, *arguments, stdin=""):
    """Runs a script and returns its Result."""
    return run(lambda: runpy.run_path(str(script), run_name="__main__"), script, *arguments, stdin=stdin)


def run(operation, *arguments, stdin=""):
    """Calls an operation with these arguments of the process and returns its Result. A kill passes through.

    The directory, the environment variables and the umask, which a verb changes, are restored.
    """
    out, err, status, directory, umask = io.StringIO(), io.StringIO(), 0, os.getcwd(), os.umask(0o022)
    with (
        mock.patch.dict(os.environ),
        mock.patch.object(sys, "argv", [str(argument) for argument in arguments]),
        mock.patch.object(
            sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode() if isinstance(stdin, str) else stdin))
        ),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            operation()
        except SystemExit as end:
            status = end.code or 0
        finally:
            os.chdir(directory)
            os.umask(umask)
    return Result(status, out.getvalue(), err.getvalue())
