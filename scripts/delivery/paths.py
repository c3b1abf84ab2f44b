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
        self.nginx = root / "etc/nginx" / NAME
        self.kubeconfig = root / "root/.kube/config"  # of root, who may read and write Secrets

    def host(self):
        """host.env as a dict (docs/reference.md). Raises CommandError if it is missing."""
        try:
            lines = (self.settings / "host.env").read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise CommandError("the host is not set up", error, f"run {BOOTSTRAP} on the host") from None
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def repository(self):
        """The only repository whose images this host runs. Raises CommandError if the host is not set up."""
        try:
            return self.host()["REPOSITORY"]
        except KeyError as error:
            raise CommandError("the host is not set up", error, f"run {BOOTSTRAP} on the host") from None

    def version(self):
        """The version of the host's files: the first 12 hex digits of their hash."""
        return (self.files / "version").read_text(encoding="utf-8").strip()
