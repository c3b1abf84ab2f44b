"""The Docker engine, through its command line. Callers decide what runs, and when."""

import contextlib
import json
import os
import subprocess
from typing import NamedTuple

from delivery import pages, process, runs
from delivery.application import NAME, PORTS
from delivery.cli import CommandError, log
from delivery.files import in_memory
from delivery.git import REVISION_LABEL, VERSION_LABEL
from delivery.settings import environment_file

SETTINGS_LABEL = f"{NAME}.settings"
TEMPORARY = f"{NAME}.temporary"  # the label of containers that copy files out of an image, and of queries
OWNER = f"{NAME}.owner"  # the label of containers of commands: the process that removes them
LOGS = ("--log-opt", "max-size=10m", "--log-opt", "max-file=3")
GRACE = 10  # seconds that a command has to end after an interrupt
NOT_STARTED = "0001-01-01T00:00:00Z"


class Image(NamedTuple):
    """`platform` is for example linux/amd64, `revision` the commit it was built from, `pages` the list of its pages as
    JSON. Without their labels, revision, version and pages are "".
    """

    platform: str
    revision: str
    version: str = ""
    pages: str = ""


class Container(NamedTuple):
    """`image` is the reference it was started with, `restarts` how often Docker restarted it, `process` the id of its
    main process, `settings` the version of its settings, or "", `started` the time of its last start (RFC 3339)."""

    image: str
    running: bool
    restarts: int
    process: int
    settings: str = ""
    id: str = ""
    started: str = ""


class Docker:
    """An engine. `options` are passed to every container that it starts."""

    def __init__(self, *options):
        self.options = options

    def platform(self):
        """The platform of the engine, for example linux/amd64."""
        return self._docker("version", "--format", "{{.Server.Os}}/{{.Server.Arch}}").strip()

    def image(self, reference):
        """The Image of a reference, or None if the engine does not have it."""
        result = self._inspect("image", reference)
        if result is None:
            return None
        labels = result["Config"].get("Labels") or {}
        platform = f"{result['Os']}/{result['Architecture']}"
        names = (REVISION_LABEL, VERSION_LABEL, pages.LABEL)
        return Image(platform, *(labels.get(name, "") for name in names))

    def pull(self, reference):
        """Pulls an image. The engine verifies its digest."""
        self._docker("pull", "--quiet", reference)

    def images(self, repository):
        """The references repository@digest of all images of a repository, including untagged ones."""
        # Since version 29.1.3, Docker lists untagged images only with --all.
        form = "{{.Repository}}@{{.Digest}}"
        listed = self._docker("image", "ls", "--all", "--digests", "--format", form, repository).split()
        return sorted({reference for reference in listed if not reference.endswith("@<none>")})

    def remove_image(self, reference):
        """Removes an image. Raises CommandError while a container uses it."""
        self._docker("image", "rm", reference)

    def container(self, name):
        """The Container of that name, or None."""
        result = self._inspect("container", name)
        if result is None:
            return None
        state = result["State"]
        version = (result["Config"].get("Labels") or {}).get(SETTINGS_LABEL, "")
        life = (state["Running"], result["RestartCount"], state["Pid"])
        return Container(result["Config"]["Image"], *life, version, result["Id"], state["StartedAt"])

    def start(self, name, image, port, settings):
        """Starts a container of the application in the background, on 127.0.0.1:port. It starts again after a reboot.

        `settings` is a Snapshot. A pipe passes the values, so that no secret is in an argument list or a file.
        """
        self._docker(
            *(
                "run",
                "--detach",
                "--name",
                name,
                "--publish",
                f"127.0.0.1:{port}:{PORTS['application']}",
                "--label",
                f"{SETTINGS_LABEL}={settings.version}",
                *self.options,
                *LOGS,
            ),
            *("--restart", "unless-stopped", "--stop-timeout", "25", "--env-file", "/dev/stdin", image),
            input=environment_file(settings.values),
        )

    def run(self, name, image, command, settings, limit, show=True):
        """Runs a command in a new container and passes its output through to stderr.

        Without `show`, returns its stdout. Raises ProgramFailed if the command fails, TimedOut after
        `limit` seconds. The container is always removed.
        """
        self.remove(name)
        options = ("--rm", "--name", name, *self.options, *LOGS, "--env-file", "/dev/stdin")
        try:
            return process.run(["docker", "run", *options, image, *command], input=settings, timeout=limit, show=show)
        except BaseException:
            self.remove(name)
            raise

    def attach(self, name, image, command, values, terminal):
        """Runs a command in a new container with this process's stdin, stdout and stderr; returns its exit status.

        `values` are the settings. With `terminal`, the command has the caller's terminal. After an interrupt the
        command may end by itself. The container is always removed. Raises CommandError if it could not be started.
        """
        self.remove_leftovers()
        options = ("--name", name, "--label", f"{OWNER}={runs.identity(os.getpid())}", "--no-healthcheck")
        options += ("--interactive", *(["--tty"] if terminal else []), *self.options, "--log-driver", "none")
        with in_memory(environment_file(values)) as settings:
            run = ["docker", "run", *options, "--env-file", settings, image, *command]
            with subprocess.Popen(run, close_fds=False) as client:
                try:
                    wait_after_interrupt(client)
                    return self._ended(name, client.returncode)
                finally:
                    self.remove(name)

    def _ended(self, name, status):
        """The exit status of a command, of which `status` is that of its client.

        Raises CommandError if its container could not be created or started.
        """
        found = self._inspect("container", name)
        if found is None:  # it could not be created, or another process has removed it
            if status != 125:
                return status
            raise CommandError(
                "the command could not be started", "Docker's message is above", "systemctl status docker"
            )
        state = found["State"]
        if state["StartedAt"] == NOT_STARTED:
            why = state["Error"] or "Docker's message is above"
            raise CommandError(
                "the command could not be started", why, "deploy an image that has python3 and manage.py"
            )
        if state["OOMKilled"]:
            log(f"the command was killed: it needed more memory than {self._memory()}")
        # The client may have ended first, because it could not write the output.
        return status if state["Running"] else state["ExitCode"] or status

    def _memory(self):
        """The limit of a container's memory, as in the options."""
        return self.options[self.options.index("--memory") + 1]

    def query(self, image, command, input, limit):
        """Runs a command with `input` (text) on stdin, without a network, and returns its stdout.

        Raises ProgramFailed if the command fails, TimedOut after `limit` seconds.
        """
        name = f"{NAME}-query-{os.getpid()}"
        options = ("--rm", "--interactive", "--name", name, "--label", TEMPORARY, *self.options)
        options += ("--network", "none")
        try:
            return process.run(["docker", "run", *options, image, *command], input=input, timeout=limit)
        except BaseException:
            self.remove(name)
            raise

    def stop(self, name):
        """Stops a container after the application has finished its requests."""
        self._docker("stop", name)

    def remove(self, name):
        """Kills and removes a container if it exists."""
        if self.container(name):
            self._docker("rm", "--force", name)

    def logs(self, name, lines, since=None, until=None):
        """The last lines, or "all", of a container's stdout and stderr; `since` and `until` as in `docker logs`."""
        return process.run(self.log_command(name, lines, since, until), merge=True)

    def log_command(self, name, lines, since=None, until=None, follow=False):
        """The command that prints them."""
        options = [*(["--since", since] if since else []), *(["--until", until] if until else [])]
        return ["docker", "logs", "--tail", str(lines), *options, *(["--follow"] if follow else []), name]

    def copy_from_image(self, image, path, destination):
        """Copies a directory out of an image without running it. Raises CommandError if the image lacks it."""
        with self._temporary(image) as container:
            self._docker("cp", f"{container}:{path}", str(destination))

    @contextlib.contextmanager
    def files_of_image(self, image, path):
        """A stream with a tar archive of a directory in an image, which does not run. Raises CommandError."""
        with self._temporary(image) as container:
            command = ["docker", "cp", f"{container}:{path}", "-"]
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as copying:
                yield copying.stdout
                copying.stdout.read()
            if copying.returncode:
                raise process.ProgramFailed(command, f"exit status {copying.returncode}")

    @contextlib.contextmanager
    def _temporary(self, image):
        """A container of an image that never runs. It is removed afterwards."""
        container = self._docker("create", "--label", TEMPORARY, image).strip()
        try:
            yield container
        finally:
            self._docker("rm", container)

    def remove_leftovers(self):
        """Removes containers that killed verbs left behind: those of commands at once, temporary ones after an hour."""
        self._docker("container", "prune", "--force", "--filter", f"label={TEMPORARY}", "--filter", "until=1h")
        form = f'{{{{.Names}}}} {{{{.Label "{OWNER}"}}}}'
        for line in self._docker("ps", "--all", "--filter", f"label={OWNER}", "--format", form).splitlines():
            name, owner = line.split()
            if not runs.is_running(owner):
                with contextlib.suppress(process.ProgramFailed):  # another verb has just removed it
                    self.remove(name)

    def restart_engine(self):
        """Restarts the engine. Containers keep running (live-restore)."""
        process.run(["systemctl", "restart", "docker"])

    def _inspect(self, kind, name):
        """The engine's description of an image or a container, as a dict; None if it does not exist."""
        try:
            return json.loads(self._docker(kind, "inspect", name))[0]
        except process.ProgramFailed as error:
            if f"no such {kind}" in error.stderr.lower():
                return None
            raise

    def _docker(self, *arguments, input=None):
        try:
            return process.run(["docker", *arguments], input=input)
        except process.ProgramFailed as error:
            error.remedy = "systemctl status docker"
            raise


def wait_after_interrupt(client):
    """Waits for a program. An interrupt reaches it as well; it may then end by itself within GRACE seconds."""
    try:
        client.wait()
    except KeyboardInterrupt:
        with contextlib.suppress(subprocess.TimeoutExpired):
            client.wait(GRACE)
        raise
