"""The streams of this process that a verb of a target inherits (Target.attach)."""

import os
import sys
import tempfile


def are_terminal():
    """Whether a user types the input and reads the output: then a verb has the terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def close_input():
    """Makes the input of this process empty, for verbs that read none: they must not wait for its end."""
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)


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
