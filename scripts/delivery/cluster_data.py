"""PostgreSQL's client programs in a pod of the cluster, which reaches the database as the shop's pods do."""

import contextlib
import os

from delivery import cluster_pods
from delivery.cli import AlreadyReported, CommandError, UsageError, log
from delivery.postgres_client import CONNECTION, service_file
from delivery.process import ProgramFailed

IMAGE, ADMIN = "DELIVERY_POSTGRES_IMAGE", "DELIVERY_ADMIN_URL"
EXAMPLES = {  # reviewed 2026-11-27
    IMAGE: "public.ecr.aws/docker/library/postgres:16",
    ADMIN: "postgresql://postgres:password@host:5432/postgres",
}
# Files in the pod. libpq reads the connection from a file, so the password is in no argument list.
SERVICES, DUMP, EMPTY, NEW = "/tmp/services", "/tmp/dump", "/tmp/empty.sql", "/tmp/new.sql"  # noqa: S108
# The schema as PostgreSQL creates it. A dump does not contain it.
EMPTY_SCHEMA = """\
drop schema public cascade;
create schema public authorization pg_database_owner;
grant usage on schema public to public;
"""


@contextlib.contextmanager
def client(kubernetes, url):
    """A Pod with PostgreSQL's client programs while the context lasts; CONNECTION names the database of the URL."""
    with cluster_pods.running(kubernetes, "data", spec(variable(IMAGE))) as pod:
        pod.write(SERVICES, service_file(url))
        yield pod


def variable(name):
    """The value of an environment variable that has no default. Raises CommandError if it is unset or empty."""
    if value := os.environ.get(name):
        return value
    raise CommandError(f"{name} is not set", "it has no default", f"export {name}={EXAMPLES[name]}")


def spec(image):
    """The pod's spec, for the Pod Security level "restricted". A dump is stored on the node's disk."""
    hardened = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    environment = {"PGSERVICEFILE": SERVICES, "HOME": "/tmp", "PSQL_HISTORY": "/dev/null"}  # noqa: S108
    container = {
        "name": "data",
        "image": image,
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "securityContext": hardened,
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
    }
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }


def run(kubernetes, url, *command, terminal=False):
    """Runs one of PostgreSQL's programs with this process's streams, or the caller's terminal.

    Raises AlreadyReported with its exit status unless that is 0.
    """
    with client(kubernetes, url) as pod:
        if status := pod.run(*command, CONNECTION, terminal=terminal):
            raise AlreadyReported(status)


def load(kubernetes, url):
    """Replaces the data with a dump from stdin, in one transaction. Raises CommandError; then nothing was changed."""
    with client(kubernetes, url) as pod:
        check_versions(pod)
        log("copy the dump into the pod")
        if pod.run("sh", "-c", 'cat >"$1"', "sh", DUMP):
            why = "see the message above. Nothing was changed"
            raise CommandError("the dump was not copied", why, "check the free disk space of the nodes")
        log("read the whole dump")
        pod.write(EMPTY, EMPTY_SCHEMA)
        try:
            # A file, because psql would commit the first part of a dump that turns out to be damaged.
            pod.output("pg_restore", "--no-owner", "--no-acl", f"--file={NEW}", DUMP)
        except ProgramFailed as error:
            why = f"{error.why}. Nothing was changed"
            raise CommandError("the dump cannot be read", why, "make dump-prod prints one") from None
        log("replace the data")
        files = (f"--file={EMPTY}", f"--file={NEW}")
        options = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction", "--output=/dev/null")
        try:
            pod.output("psql", *options, *files, CONNECTION)
        except ProgramFailed as error:
            raise CommandError("the dump was not loaded", f"{error.why}. Nothing was changed", error.remedy) from None


def check_versions(pod):
    """Raises UsageError unless the programs have the server's major version: another could not load all dumps."""
    server = int(pod.output("psql", "-XAtc", "show server_version_num", CONNECTION)) // 10000
    program = pod.output("psql", "--version")  # for example: psql (PostgreSQL) 16.4 (Debian 16.4-1)
    if program.split()[2].partition(".")[0] != str(server):
        why = f"the server has version {server}, the image has {program.strip()}"
        raise UsageError(f"invalid {IMAGE} '{variable(IMAGE)}'", why, f"export {IMAGE}={EXAMPLES[IMAGE]}")
