"""The Docker engine, through its command line. No policy: what to run, and when, is decided elsewhere."""

import json
from typing import NamedTuple

from delivery import process
from delivery.application import NAME, PORTS

TEMPORARY = f"{NAME}.temporary"  # the label of a container that nothing runs in
REVISION_LABEL = "org.opencontainers.image.revision"


class Image(NamedTuple):
    """platform is `linux/amd64`, revision the commit that the image was built from, or "" without that label."""

    platform: str
    revision: str


class Container(NamedTuple):
    """image is the reference that the container was started with, restarts how often Docker restarted it, process
    the id of its first process."""

    image: str
    running: bool
    restarts: int
    process: int


class Docker:
    """An engine. `options` are passed to every container that is started."""

    def __init__(self, *options):
        self.options = options

    def platform(self):
        """The platform that the engine runs, as in linux/amd64."""
        return self._docker("version", "--format", "{{.Server.Os}}/{{.Server.Arch}}").strip()

    def image(self, reference):
        """The Image of a reference, or None when the engine does not have it."""
        found = self._inspect("image", reference)
        if found is None:
            return None
        labels = found["Config"].get("Labels") or {}
        return Image(f"{found['Os']}/{found['Architecture']}", labels.get(REVISION_LABEL, ""))

    def pull(self, reference):
        """Fetches an image. The engine verifies that its content has the digest."""
        self._docker("pull", "--quiet", reference)

    def images(self, repository):
        """The references repository@digest of all images of a repository, those without a tag included."""
        # Since version 29.1.3 images without a tag are listed with --all only.
        form = "{{.Repository}}@{{.Digest}}"
        listed = self._docker("image", "ls", "--all", "--digests", "--format", form, repository).split()
        return sorted({reference for reference in listed if not reference.endswith("@<none>")})

    def remove_image(self, reference):
        """Removes an image. Raises CommandError while a container uses it."""
        self._docker("image", "rm", reference)

    def container(self, name):
        """The Container of that name, or None."""
        found = self._inspect("container", name)
        if found is None:
            return None
        state = found["State"]
        return Container(found["Config"]["Image"], state["Running"], found["RestartCount"], state["Pid"])

    def start(self, name, image, port, settings):
        """Starts a container of the application in the background, on 127.0.0.1:port. It survives a reboot.

        `settings` are lines NAME=value. They come by a pipe: no secret is in an argument or a file.
        """
        self._docker(
            *(
                "run",
                "--detach",
                "--name",
                name,
                "--publish",
                f"127.0.0.1:{port}:{PORTS['application']}",
                *self.options,
            ),
            *("--restart", "unless-stopped", "--stop-timeout", "25", "--env-file", "/dev/stdin", image),
            input=settings,
        )

    def run(self, name, image, command, settings, limit, show=True):
        """Runs a command in a container of its own and passes its output through to stderr.

        Without `show` its stdout is returned. Raises ProgramFailed when the command fails, TimedOut
        after `limit` seconds. The container is removed in every case.
        """
        self.remove(name)
        options = ("--rm", "--name", name, *self.options, "--env-file", "/dev/stdin")
        try:
            return process.run(["docker", "run", *options, image, *command], input=settings, timeout=limit, show=show)
        except BaseException:
            self.remove(name)
            raise

    def stop(self, name):
        """Ends a container; the application finishes its requests first."""
        self._docker("stop", name)

    def remove(self, name):
        """Kills and removes a container, if it exists."""
        if self.container(name):
            self._docker("rm", "--force", name)

    def logs(self, name, lines):
        """The last lines of a container's stdout and stderr."""
        return process.run(["docker", "logs", "--tail", str(lines), name], merge=True)

    def copy_from_image(self, image, path, destination):
        """Copies a directory out of an image, without running it. Raises CommandError when the image lacks it."""
        container = self._docker("create", "--label", TEMPORARY, image).strip()
        try:
            self._docker("cp", f"{container}:{path}", str(destination))
        finally:
            self._docker("rm", container)

    def remove_leftovers(self):
        """Removes containers that a killed copy_from_image has left, more than an hour ago."""
        self._docker("container", "prune", "--force", "--filter", f"label={TEMPORARY}", "--filter", "until=1h")

    def restart_engine(self):
        """Restarts the engine. Containers keep running (live-restore)."""
        process.run(["systemctl", "restart", "docker"])

    def _inspect(self, kind, name):
        """What the engine knows of an image or a container, or None when there is none of that name."""
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
