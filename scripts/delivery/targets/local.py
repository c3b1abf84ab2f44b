"""The local host: the systemd container that scripts/local/up creates."""

import contextlib
import os
import signal
import subprocess
import sys

from delivery import actor, runs
from delivery.cli import AlreadyReported, CommandError, required_variable
from delivery.paths import BIN
from delivery.targets.base import INTERRUPTED, report_continues


class LocalHost:
    """A Target whose verbs run through `docker exec`."""

    def __init__(self):
        self.container = f"{required_variable('DELIVERY_DEMO')}-host"

    def check(self):
        """Raises CommandError unless the host is running. Changes nothing."""
        try:
            done = subprocess.run(
                ["docker", "container", "inspect", "--format", "{{.State.Running}}", self.container],
                capture_output=True,
                text=True,
            )
        except FileNotFoundError:
            raise CommandError("docker not found", "docker is not on the PATH", "make setup-image") from None
        if done.stdout.strip() != "true":
            why = done.stderr.strip() or f"container {self.container} is stopped"
            raise CommandError("the local host is not running", why, "make demo")

    def run(self, verb, *arguments):
        """As Target.run. An interrupt does not reach the verb, which continues on the host."""
        self._execute(verb, arguments, stdout=sys.stderr)

    def ask(self, verb, *arguments):
        """As Target.ask. Bytes that are not UTF-8, for example in an application's log, are replaced."""
        return self._execute(verb, arguments, stdout=subprocess.PIPE, encoding="utf-8", errors="replace")

    def attach(self, verb, *arguments, terminal=False):
        """As Target.attach."""
        run = runs.new()
        options = ("--interactive", *(["--tty"] if terminal else []), "--env", f"{runs.VARIABLE}={run}")
        stdin = subprocess.DEVNULL if not terminal and os.isatty(0) else None
        # In a session of its own, the client survives Ctrl-C: otherwise the verb would see the end of its input, and
        # take a part of it for the whole.
        command = self._command(verb, arguments, options)
        client = subprocess.Popen(command, stdin=stdin, start_new_session=not terminal)
        try:
            with interrupted_by_signals():
                status = client.wait()
        except KeyboardInterrupt:
            try:
                if verb in INTERRUPTED:
                    # In a terminal, Ctrl-C is a part of the input: only its end interrupts this process.
                    self._execute("interrupt", [run, *(["hangup"] if terminal else [])], stdin=subprocess.DEVNULL)
                    client.wait()
                else:
                    report_continues(verb, *arguments)
            finally:
                client.kill()
            raise
        if status:
            if verb in INTERRUPTED:  # docker may have ended before the verb, because it could not write its output
                with contextlib.suppress(AlreadyReported):
                    self._execute("interrupt", [run], stdin=subprocess.DEVNULL)
            raise AlreadyReported(status)

    def follow(self, verb, *arguments):
        """As Target.follow. The verb ends with its input, which is a pipe from this process."""
        command = self._command(verb, arguments, ("--interactive",))
        with subprocess.Popen(command, stdin=subprocess.PIPE) as client, interrupted_by_signals():
            if status := client.wait():
                raise AlreadyReported(status)

    def url(self, environment):
        """The address of the environment's published port on this machine."""
        port = "DELIVERY_DEV_PORT" if environment == "dev" else "DELIVERY_HTTP_PORT"
        return f"http://localhost:{required_variable(port)}"

    def _execute(self, verb, arguments, **streams):
        try:
            done = subprocess.run(self._command(verb, arguments), **streams)
        except KeyboardInterrupt:
            report_continues(verb, *arguments)
            raise
        if done.returncode:
            raise AlreadyReported(done.returncode, done.stdout or "")
        return done.stdout

    def _command(self, verb, arguments, options=()):
        """The program that runs a verb on the host."""
        who = f"DELIVERY_ACTOR={actor.name()}"
        return ["docker", "exec", *options, "--env", who, self.container, f"{BIN}/{verb}", *arguments]


@contextlib.contextmanager
def interrupted_by_signals():
    """SIGTERM and SIGHUP interrupt as Ctrl-C does: the end of a job in CI, and of a terminal."""

    def interrupt(*_):
        raise KeyboardInterrupt

    ends = (signal.SIGTERM, signal.SIGHUP)
    previous = [signal.signal(number, interrupt) for number in ends]
    try:
        yield
    finally:
        for number, handler in zip(ends, previous, strict=True):
            signal.signal(number, handler)
