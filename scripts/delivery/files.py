"""Writes files so that a reader finds the old text or the new one."""

import os


def replace(path, text):
    """Replaces a file whole or not at all, also when the power fails. Everyone may read it."""
    new = path.with_name(path.name + ".new")
    with open(new, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.chmod(0o644)
    new.replace(path)
