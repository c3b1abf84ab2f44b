"""Writes files atomically: a reader finds the old text or the new one."""

import os


def replace(path, text):
    """Replaces a file atomically, even if the power fails. Every user can read the file."""
    new = path.with_name(path.name + ".new")
    with open(new, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.chmod(0o644)
    new.replace(path)
