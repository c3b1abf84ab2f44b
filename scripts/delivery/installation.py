"""Replaces the host's files with those of a new release, and keeps the owner's settings."""

import ctypes
import json
import os
from pathlib import Path

from delivery import files
from delivery.application import NAME
from delivery.cli import CommandError

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # renameat2(2)


class InvalidDockerSettings(CommandError):
    """The owner's daemon.json is not a JSON object. Docker would not start with it either."""


def install(release, repository, allowed_hosts, **more):
    """Installs the unpacked files in `release` as /opt/<name>, then replaces this process by `bootstrap`.

    `release` is a directory in <name>-releases, next to <name>. The two are exchanged atomically: a
    program that starts meanwhile finds all files of one of them. Afterwards `release` contains the
    previous files, where bootstrap looks up what to remove.

    host.env gets the values that are not empty: those of AWS, which are AWS_REGION, PARAMETERS (the path of the
    settings in Parameter Store) and TRANSFER (the bucket for stdin and stdout of verbs), and PUBLIC_URL_PROD and
    PUBLIC_URL_DEV, the first values of the setting PUBLIC_URL.

    Raises InvalidDockerSettings before anything is changed.
    """
    home = release.parents[1] / NAME
    root = release.parents[2]
    docker_settings(release, root)
    configuration = root / "etc" / NAME
    configuration.mkdir(mode=0o700, parents=True, exist_ok=True)
    values = {"repository": repository, "allowed_hosts": allowed_hosts} | more
    lines = [f"{name.upper()}={value}\n" for name, value in values.items() if value]
    files.replace(configuration / "host.env", "".join(lines))
    if home.exists():
        exchange(release, home)
    else:
        release.rename(home)
    os.execv(home / "bin/bootstrap", ["bootstrap"])  # noqa: S606


def exchange(one, other):
    """Exchanges the names of two directories of one file system atomically. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one), None, str(other))


def docker_settings(home, root):
    """The new text of /etc/docker/daemon.json under `root`: the owner's settings, overridden by those in `home`.

    Returns the owner's text unchanged if it contains all of them. Raises InvalidDockerSettings.
    """
    required = json.loads((home / "etc/docker/daemon.json").read_text(encoding="utf-8"))
    path = Path(root) / "etc/docker/daemon.json"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    try:
        settings = json.loads(text) if text.strip() else {}
        if not isinstance(settings, dict):
            raise ValueError("it is not an object")
    except ValueError as error:
        raise InvalidDockerSettings(
            f"invalid '{path}'",
            f"{error}. Nothing was changed",
            "correct the file, then install again: make demo, or on AWS: make infra",
        ) from error
    merged = settings | required
    return text if merged == settings else json.dumps(merged, indent=2) + "\n"
