"""The paths on a host."""

from pathlib import Path

from delivery.application import NAME
from delivery.cli import CommandError

HOME = f"/opt/{NAME}"  # the installation directory
BIN = f"{HOME}/bin"
BOOTSTRAP = f"{BIN}/bootstrap"


class Paths:
    """The directories of a host, below `root`: / on a host, another directory in tests."""

    def __init__(self, root="/"):
        root = Path(root)
        self.files = root / "opt" / NAME
        self.settings = root / "etc" / NAME
        self.state = root / "var/lib" / NAME
        self.backups = root / "var/backups" / NAME
        self.locks = root / "run/lock"

    def environment_settings(self, environment):
        """The settings of an environment as text, one NAME=value per line."""
        return (self.settings / f"{environment}.env").read_text(encoding="utf-8")

    def repository(self):
        """The only repository whose images this host runs. Raises CommandError if the host is not set up."""
        try:
            lines = (self.settings / "host.env").read_text(encoding="utf-8").splitlines()
            return dict(line.split("=", 1) for line in lines if "=" in line)["REPOSITORY"]
        except (OSError, KeyError) as error:
            raise CommandError("the host is not set up", error, f"run {BOOTSTRAP} on the host") from None

    def version(self):
        """The version of the host's files: the first 12 hex digits of their hash."""
        return (self.files / "version").read_text(encoding="utf-8").strip()
