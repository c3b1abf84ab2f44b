"""The processes of one run of a verb on the host, which have DELIVERY_RUN in their environment."""

import contextlib
import os
import re
import secrets
import signal
from pathlib import Path

from delivery.cli import UsageError

VARIABLE = "DELIVERY_RUN"


def new():
    """A new name of a run."""
    return secrets.token_hex(8)


def check(name):
    """Returns the name of a run. Raises UsageError if it has another form."""
    if re.fullmatch("[0-9a-f]{16}", name):
        return name
    raise UsageError(f"invalid run {name[:80]!r}", "expected 16 hex digits", "interrupt -h")


def interrupt(run, hangup=None):
    """Sends SIGINT to all processes of a run, or with `hangup` SIGHUP."""
    variable = f"{VARIABLE}={run}".encode()
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            if variable in (directory / "environ").read_bytes().split(b"\0"):
                os.kill(int(directory.name), signal.SIGHUP if hangup else signal.SIGINT)


def identity(process):
    """Identifies a process for as long as the machine runs: its id and its start; None if there is no such one."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return f"{process}-{fields[19]}"  # proc_pid_stat(5): (22) starttime


def is_running(identity_):
    """Whether a process still runs."""
    return identity(identity_.partition("-")[0]) == identity_
