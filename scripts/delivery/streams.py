"""The streams of this process that a verb of a target inherits (Target.attach)."""

import os
import sys
import tempfile


def are_terminal():
    """Whether a user types the input and reads the output: then a verb has the terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def set_input(data=b""):
    """Makes the data, which is shorter than a pipe's buffer, this process's stdin.

    Without data it is empty, for verbs that read none: they must not wait for its end.
    """
    reader, writer = os.pipe()
    os.write(writer, data)
    os.close(writer)
    os.dup2(reader, 0)
    os.close(reader)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115


def output_of(operation):
    """What an operation and its programs write to stdout, as text. Passes the operation's exceptions on."""
    with tempfile.TemporaryFile() as file:
        sys.stdout.flush()
        saved = os.dup(1)
        os.dup2(file.fileno(), 1)
        try:
            operation()
            sys.stdout.flush()
        finally:
            os.dup2(saved, 1)
            os.close(saved)
        file.seek(0)
        return file.read().decode()
