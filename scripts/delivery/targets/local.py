"""The local host: the systemd container that scripts/local/up creates."""

import subprocess
import sys

from delivery import actor
from delivery.cli import AlreadyReported, CommandError, required_variable
from delivery.paths import BIN
from delivery.targets.base import report_continues


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
        self._execute(verb, arguments, options=("--interactive", *(["--tty"] if terminal else [])))

    def url(self, environment):
        """The address of the environment's published port on this machine."""
        port = "DELIVERY_DEV_PORT" if environment == "dev" else "DELIVERY_HTTP_PORT"
        return f"http://localhost:{required_variable(port)}"

    def _execute(self, verb, arguments, options=(), **streams):
        who = f"DELIVERY_ACTOR={actor.name()}"
        command = ["docker", "exec", *options, "--env", who, self.container, f"{BIN}/{verb}", *arguments]
        try:
            done = subprocess.run(command, **streams)
        except KeyboardInterrupt:
            report_continues(verb, *arguments)
            raise
        if done.returncode:
            raise AlreadyReported(done.returncode, done.stdout or "")
        return done.stdout
