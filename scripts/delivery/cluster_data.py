"""Creates, dumps and loads the shop's data in a cluster, with PostgreSQL's client programs in a temporary pod."""

import contextlib
import json
import secrets
import subprocess
import urllib.parse

from delivery.application import NAME
from delivery.cli import CommandError, confirm, log, required_variable
from delivery.postgres import database
from delivery.targets.cluster import Cluster

POD, OWNER, NAMESPACE = f"{NAME}-data", database("prod"), "scripts/host/k8s/namespace.yaml"
ROLE = """\
select format('create role {name} login') where not exists (select from pg_roles where rolname = '{name}') \\gexec
alter role {name} password '{password}';
grant {name} to current_user;
select 'create database {name} owner {name}' where not exists (select from pg_database where datname = '{name}') \\gexec
revoke connect on database {name} from public;
"""


def run(operation, yes):
    """create: creates role and database, returns the DATABASE_URL. dump: prints a dump. load: loads one from stdin.

    load asks for the name of the cluster unless `yes`. Raises CommandError.
    """
    cluster = Cluster()
    cluster.check()
    if operation == "create":
        return create(cluster)
    if operation == "load" and not yes:
        confirm(f"All data in {cluster.context} will be replaced.", cluster.context, terminal=True)
    with pod(cluster):
        if operation == "dump":
            execute(cluster, 'pg_dump -Fc "$DATABASE_URL"', stdin=subprocess.DEVNULL)
            return None
        execute(cluster, 'pg_restore --clean --if-exists --no-owner --single-transaction --dbname "$DATABASE_URL" >&2')
    log(f"{cluster.context} has the data of the dump")
    return None


def create(cluster):
    """Creates the shop's role and database on the server of DELIVERY_ADMIN_URL; returns their DATABASE_URL."""
    admin = urllib.parse.urlsplit(required_variable("DELIVERY_ADMIN_URL"))
    password = secrets.token_urlsafe(32)
    cluster.kubectl("apply", "--filename", NAMESPACE)  # the pod runs in it
    with pod(cluster, secret=False):
        # Sent on stdin, so that neither password is in an argument list or in the pod's manifest.
        text = f"{admin.geturl()}\n{ROLE.format(name=OWNER, password=password)}"
        execute(cluster, 'read -r url; psql -qXv ON_ERROR_STOP=1 "$url" >&2', input=text, text=True)
    address = f"{admin.hostname}:{admin.port or 5432}"
    return f"postgresql://{OWNER}:{password}@{address}/{OWNER}" + (f"?{admin.query}" if admin.query else "")


@contextlib.contextmanager
def pod(cluster, secret=True):
    """Runs a pod for commands while the context lasts. Deletes a pod that a killed run has left behind first."""
    image = required_variable("DELIVERY_POSTGRES_IMAGE")
    cluster.kubectl("delete", "pod", POD, "--ignore-not-found", "--grace-period", "1")
    cluster.kubectl("apply", "--filename", "-", input=json.dumps(manifest(image, secret)))
    try:
        cluster.kubectl("wait", "--for=condition=Ready", f"pod/{POD}", "--timeout", "180s")
        yield
    finally:
        cluster.kubectl("delete", "pod", POD, "--grace-period", "1", "--wait=false")


def manifest(image, secret):
    """The pod's manifest, for the Pod Security level "restricted". The network policies select its labels."""
    hardened = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "data", "image": image, "command": ["sleep", "3600"], "securityContext": hardened}
    if secret:
        container["envFrom"] = [{"secretRef": {"name": f"{NAME}-env"}}]
    user = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"restartPolicy": "Never", "automountServiceAccountToken": False, "activeDeadlineSeconds": 3600}
    labels = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/component": "data"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": POD, "labels": labels},
        "spec": spec | {"securityContext": user, "containers": [container]},
    }


def execute(cluster, script, **streams):
    """Runs a line of shell in the pod. Raises CommandError if it fails; its messages are on stderr."""
    command = ["kubectl", "--context", cluster.context, "--namespace", NAME, "exec", "--stdin", POD, "--"]
    if subprocess.run([*command, "sh", "-euc", script], **streams).returncode:
        why = "see their messages above. A load that fails changes nothing"
        raise CommandError("PostgreSQL's programs failed", why, "run the command again")
