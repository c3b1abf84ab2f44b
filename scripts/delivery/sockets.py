"""The TCP sockets that Linux lists in /proc (proc(5))."""

from pathlib import Path

ESTABLISHED, LISTEN = "01", "0A"


def established(process, port):
    """The number of connections to a local port in the network namespace of a process id."""
    return count(f"/proc/{process}/net", port, ESTABLISHED)


def is_listening(port):
    """Whether a program on this machine listens on a port."""
    return count("/proc/net", port, LISTEN) > 0


def count(directory, port, state):
    """The number of sockets with a local port and a state; 0 if the process has ended."""
    total = 0
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(directory, table).read_text(encoding="ascii").splitlines()[1:]
        except (FileNotFoundError, ProcessLookupError):
            continue
        for _, local, _, current, *_ in map(str.split, lines):
            total += current == state and int(local.rpartition(":")[2], 16) == port
    return total
