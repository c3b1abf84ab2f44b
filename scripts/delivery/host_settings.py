"""The host's verbs on settings, and the programs of bootstrap that need them."""

import json
import sys

from delivery import database_setup, nginx, proxy_secret, public_url, rotation, settings_change, settings_schema
from delivery import initial_settings as initial
from delivery import settings as stored
from delivery.cli import log
from delivery.compositions import actor, host_environments, host_settings, parameter_store
from delivery.parameter_store import move_file
from delivery.postgres import Postgres
from delivery.references import ENVIRONMENTS


def initial_settings(paths):
    """Generates the missing settings of both environments, which on AWS first moves them into Parameter Store."""
    first = {name: first_settings(name, paths.host()) for name in ENVIRONMENTS}
    for name, environment in host_environments(paths).items():
        file, store = environment.settings, parameter_store(name, paths)
        if store and isinstance(file, stored.FileSettings):
            with environment.lock.acquire(f"bootstrap {name}"):
                log(f"move the settings of {name} into Parameter Store")
                move_file(file, store)
    differs = {}  # the names of the environments, by setting and value of the installation
    for name, environment in host_environments(paths).items():
        for setting in initial.ensure(name, environment.settings, environment.lock, first[name]):
            differs.setdefault((setting, first[name][setting]), []).append(name)
    for (setting, value), names in differs.items():
        changing = " and ".join(f"make set-{name} SETTING={setting}" for name in names)
        what = f"{setting} of {' and '.join(names)} stays as it is stored"
        log(f"{what}: that of the installation, '{value}', is only the first one. To change it: {changing}")


def first_settings(environment, host):
    """{name: value} of the settings of an environment that the installation gives, from the values in host.env.

    Raises UsageError for an invalid PUBLIC_URL.
    """
    first = {nginx.SETTING: host["ALLOWED_HOSTS"]}
    if url := host.get(f"{public_url.SETTING}_{environment.upper()}"):
        public_url.check(url)
        first[public_url.SETTING] = url
    return first


def database_roles(paths):
    """Creates the databases and roles of both environments, and makes their stored DATABASE_URLs work."""
    for name, environment in host_environments(paths).items():
        database_setup.ensure(name, environment.settings, Postgres(), environment.lock)


def nginx_settings(paths):
    """Writes the files of NGINX that depend on settings and secrets, after all of them were checked."""
    server = nginx.Nginx(paths)
    settings = {name: stored.values(host_settings(name, paths).load()) for name in ENVIRONMENTS}
    for name, values in settings.items():
        server.check(name, values)
    server.trust(proxy_secret.load(paths))
    for name, values in settings.items():
        server.write(name, values)


def settings(environment, values=None):
    """The settings of an environment as JSON (delivery/settings_schema.py), with `values` also what is not secret."""
    return json.dumps(settings_schema.listing(host_environments()[environment], bool(values)))


def set_setting(environment, setting):
    """Changes a setting of an environment to the value on stdin."""
    settings_change.set_value(host_environments()[environment], setting, sys.stdin.buffer, actor())


def unset_setting(environment, setting):
    """Removes a setting of an environment."""
    settings_change.unset(host_environments()[environment], setting, actor())


def rotate(environment, secret):
    """Generates another database password or another key of an environment."""
    rotation.rotate(host_environments()[environment], secret, Postgres(), actor())
