"""TCP sockets, as Linux lists them in /proc (proc(5))."""

from pathlib import Path

ESTABLISHED, LISTEN = "01", "0A"


def established(process, port):
    """How many connections to a local port there are in the network namespace of a process id."""
    return count(f"/proc/{process}/net", port, ESTABLISHED)


def is_listening(port):
    """Whether a program of this machine listens on a port."""
    return count("/proc/net", port, LISTEN) > 0


def count(directory, port, state):
    """How many sockets with that local port are in a state; 0 in the namespace of a process that ended."""
    found = 0
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(directory, table).read_text(encoding="ascii").splitlines()[1:]
        except (FileNotFoundError, ProcessLookupError):
            continue
        for _, local, _, current, *_ in map(str.split, lines):
            found += current == state and int(local.rpartition(":")[2], 16) == port
    return found
