"""The files of NGINX that depend on settings and secrets.

These are the host names that each environment answers, the password in front of dev, and the secret of a trusted
proxy. NGINX reads them as root when it starts or reloads, so no other user can read those with secrets.
"""

import contextlib
import fcntl

from delivery import allowed_hosts, basic_auth, files, process, proxy_secret, public_url
from delivery.application import NAME
from delivery.cli import UsageError, log
from delivery.paths import BOOTSTRAP
from delivery.process import ProgramFailed

SETTING = "ALLOWED_HOSTS"
PASSWORD = "PREVIEW_PASSWORD"  # noqa: S105 the name of the setting


class Nginx:
    """NGINX on a host. `paths` are its Paths."""

    def __init__(self, paths):
        self.directory = paths.nginx
        self.loaded = paths.state / "nginx-loaded"  # exists if NGINX has loaded its files (bootstrap-nginx)
        self.lock = paths.locks / f"{NAME}-nginx"  # of these files, for changes of dev and prod and for bootstrap

    def check(self, environment, values):
        """Raises UsageError unless NGINX understands the names in the settings {name: value}."""
        listed(environment, values)

    def follow(self, environment, values, *others):
        """Makes NGINX follow the settings, and answer also the names in other settings.

        It reloads only if it must, because that closes idle connections.
        """
        with open(self.lock, "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # or another change, between its reload and the mark, could mark this one
            self.write(environment, values, *others)
            if self.loaded.exists():
                return
            log("reload NGINX with its new settings")
            try:
                process.run(["nginx", "-t", "-q"])
                process.run(["systemctl", "reload", "nginx"])
            except ProgramFailed as error:
                error.remedy = BOOTSTRAP
                raise
            self.loaded.touch()

    def write(self, environment, values, *others):
        """Writes the files of an environment. NGINX must reload if `loaded` doesn't exist afterwards."""
        self._replace(f"allowed-hosts-{environment}.conf", listed(environment, values, *others) + "\n")
        if environment == "dev":
            password = basic_auth.nginx_map(preview_password(values))
            self._replace("secrets/preview-password.conf", password, 0o600)

    def trust(self, values):
        """Writes the secrets of a proxy (proxy_secret.load). NGINX must reload as after `write`."""
        self._replace("secrets/proxy-secret.conf", proxy_secret.nginx_map(values), 0o600)

    def _replace(self, name, text, mode=0o644):
        file = self.directory / name
        if not file.exists() or file.read_bytes() != text.encode():
            self.loaded.unlink(missing_ok=True)
            file.parent.mkdir(parents=True, exist_ok=True)
            files.replace(file, text, mode)


def preview_password(values):
    """The password in front of dev in its settings {name: value}; empty if there is none."""
    return values.get(PASSWORD, "").strip()


def listed(environment, *settings):
    """NGINX's list of the host names in each of the settings {name: value}. Raises UsageError if it can't have one."""
    urls = [url for values in settings if (url := public_url.stored(values))]
    with _refusal(environment, public_url.SETTING):
        for url in urls:
            public_url.check(url)
    names = [values.get(SETTING, "") for values in settings]
    with _refusal(environment, SETTING):
        return allowed_hosts.nginx_map(",".join([*names, *map(public_url.host, urls)]))


@contextlib.contextmanager
def _refusal(environment, setting):
    """Names the setting in a UsageError, without the value."""
    try:
        yield
    except UsageError as error:
        remedy = f"make set-{environment} SETTING={setting}"
        raise UsageError(f"invalid {setting}: nothing was changed", error.why, remedy) from None


class NoNginx:
    """On a cluster: the load balancer passes every host name."""

    def check(self, environment, values):
        """As Nginx.check."""

    def follow(self, environment, values, *others):
        """As Nginx.follow."""
