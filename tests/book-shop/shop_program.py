"""The real program in a process of its own: manage.py and gunicorn, in an environment made here."""

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from shop_settings import ENVIRONMENT

PROJECT = Path(__file__).resolve().parents[2] / "book-shop"
# Long enough for a busy machine; a test that passes never waits for it.
LIMIT = 60


def environment(**changes: str) -> dict[str, str]:
    """Return a process environment: the tests' own, changed; None removes a name."""
    names = ("PATH", "LANG", "PYTHONDONTWRITEBYTECODE")
    merged = {name: os.environ[name] for name in names if name in os.environ} | ENVIRONMENT | changes
    return {name: value for name, value in merged.items() if value is not None}


def run(*arguments: str, directory: Path = PROJECT, **changes: str) -> subprocess.CompletedProcess:
    """Run python3 with these arguments in the project's directory and return what came of it."""
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=directory, env=environment(**changes), capture_output=True, text=True, timeout=LIMIT, check=False
    )


class Server:
    """gunicorn as the image starts it, on a free port; `lines` is everything it printed so far."""

    def __init__(self, project: Path, *arguments: str, **changes: str):
        self.lines: list[str] = []
        self._arrivals: queue.Queue = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", *arguments],
            cwd=project,
            env=environment(**changes),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.port = int(self.wait_for(r"Listening at: http://127\.0\.0\.1:(\d+)").group(1))
        for _ in range(2):
            self.wait_for("Booting worker")

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line)
            self._arrivals.put(line)
        self._arrivals.put(None)

    def wait_for(self, pattern: str) -> re.Match:
        """Return the match of the next line that has the pattern."""
        while (line := self._arrivals.get(timeout=LIMIT)) is not None:
            if match := re.search(pattern, line):
                return match
        pytest.fail(f"gunicorn ended without a line that has {pattern}:\n{''.join(self.lines)}")

    def stop(self) -> int:
        """Send SIGTERM and return the exit status, with all output read."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Return the exit status, with all output read."""
        status = self.process.wait(timeout=LIMIT)
        self._reader.join(timeout=LIMIT)
        return status

    def kill(self):
        """End it and its workers, whatever state they are in: it is asked to, and made to if it does not."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=5)
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=LIMIT)
        self._reader.join(timeout=LIMIT)
        self.process.stdout.close()
