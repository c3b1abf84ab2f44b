"""Runs manage.py and gunicorn in processes of their own, with a controlled environment."""

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
# Seconds, enough for a busy machine. A passing test never waits that long.
LIMIT = 60


def environment(**changes: str) -> dict[str, str]:
    """Return the environment of the tests with changes. None removes a variable."""
    names = ("PATH", "LANG", "PYTHONDONTWRITEBYTECODE")
    merged = {name: os.environ[name] for name in names if name in os.environ} | ENVIRONMENT | changes
    return {name: value for name, value in merged.items() if value is not None}


def run(*arguments: str, directory: Path = PROJECT, **changes: str) -> subprocess.CompletedProcess:
    """Run python3 with these arguments in the directory of the project."""
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=directory, env=environment(**changes), capture_output=True, text=True, timeout=LIMIT, check=False
    )


class Server:
    """gunicorn as in the image, but on a free port. `lines` contains its output."""

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
        """Return the match of the next line that matches."""
        while (line := self._arrivals.get(timeout=LIMIT)) is not None:
            if match := re.search(pattern, line):
                return match
        pytest.fail(f"gunicorn exited without a line that matches {pattern}:\n{''.join(self.lines)}")

    def stop(self) -> int:
        """Send SIGTERM, wait, and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Wait until all output was read, and return the exit status."""
        status = self.process.wait(timeout=LIMIT)
        self._reader.join(timeout=LIMIT)
        return status

    def kill(self):
        """Stop gunicorn and its workers, by SIGKILL if they do not exit."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=5)
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=LIMIT)
        self._reader.join(timeout=LIMIT)
        self.process.stdout.close()
