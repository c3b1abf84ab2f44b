"""The host names that NGINX accepts: those in the setting ALLOWED_HOSTS of each environment."""

from delivery import allowed_hosts, files, process
from delivery.cli import UsageError, log
from delivery.paths import BOOTSTRAP
from delivery.process import ProgramFailed

SETTING = "ALLOWED_HOSTS"


class HostNames:
    """The lists of host names on a host. `paths` are its Paths."""

    def __init__(self, paths):
        self.directory = paths.nginx
        self.loaded = paths.state / "nginx-loaded"  # exists if NGINX has loaded its files (bootstrap-nginx)

    def check(self, environment, values):
        """Raises UsageError unless NGINX understands the names in the settings {name: value}."""
        listed(environment, values)

    def follow(self, environment, values):
        """Makes NGINX accept the names in the settings. A reload closes idle connections, so it needs a new name."""
        names = listed(environment, values) + "\n"
        file = self.directory / f"allowed-hosts-{environment}.conf"
        previous = file.read_text(encoding="utf-8") if file.exists() else None
        if previous == names and self.loaded.exists():
            return
        log("give NGINX the host names")
        self.loaded.unlink(missing_ok=True)
        files.replace(file, names)
        try:
            process.run(["nginx", "-t", "-q"])
            process.run(["systemctl", "reload", "nginx"])
        except ProgramFailed as error:
            error.remedy = BOOTSTRAP
            raise
        self.loaded.touch()


def listed(environment, values):
    """NGINX's list of the host names in the settings {name: value}. Raises UsageError if NGINX can't have one."""
    try:
        return allowed_hosts.nginx_map(values.get(SETTING, ""))
    except UsageError as error:  # without the value
        remedy = f"make set-{environment} SETTING={SETTING}"
        raise UsageError(f"invalid {SETTING}: nothing was changed", error.why, remedy) from None


class NoHostNames:
    """On a cluster: the load balancer passes every host name."""

    def check(self, environment, values):
        """As HostNames.check."""

    def follow(self, environment, values):
        """As HostNames.follow."""
