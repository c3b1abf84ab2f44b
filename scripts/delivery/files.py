"""Writes files: atomically, so that a reader finds the old text or the new one, or in memory only."""

import contextlib
import os

from delivery.cli import CommandError


class NotWritten(CommandError):
    """A file was not written, for example because the disk is full."""


def replace(path, text, mode=0o644):
    """Replaces a file atomically, even if the power fails. By default every user can read the file.

    Raises NotWritten.
    """
    new = path.with_name(path.name + ".new")
    with reported(path):
        new.unlink(missing_ok=True)  # or it would keep its earlier mode
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.chmod(mode)
        new.replace(path)


@contextlib.contextmanager
def reported(path):
    """Raises NotWritten instead of the system's error."""
    try:
        yield
    except OSError as error:
        raise NotWritten(f"can't write '{path}'", error.strerror, f"df {path.parent} on the host") from None


@contextlib.contextmanager
def in_memory(text):
    """The path of a file in memory with a text, for this process and its children. It never is on a disk."""
    descriptor = os.memfd_create("text", 0)
    try:
        os.set_inheritable(descriptor, True)
        os.write(descriptor, text.encode())
        yield f"/dev/fd/{descriptor}"
    finally:
        os.close(descriptor)
