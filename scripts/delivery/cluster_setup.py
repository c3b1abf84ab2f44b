"""Prepares a cluster for the shop: its namespace, the permissions and the lock of deploys, and its settings."""

import base64
import json
import os
import secrets
import sys
import urllib.parse

from delivery.application import NAME
from delivery.cli import CommandError, UsageError, confirm, log
from delivery.lock import LEASE
from delivery.state import CONFIG_MAP
from delivery.targets.cluster import Cluster

SECRET = f"{NAME}-env"
MANIFESTS = ["scripts/host/k8s/namespace.yaml", "scripts/cluster/k8s/deploys.yaml"]
# Created once and never applied: kubectl apply would remove what deploys have written.
RECORDS = {"Lease": ("coordination.k8s.io/v1", LEASE), "ConfigMap": ("v1", CONFIG_MAP)}
EKS = "scripts/cluster/k8s/eks.yaml"
POSTGRESQL = 5432  # k8s/overlays/cluster/network.yaml allows it
POLICY = "database"
# A new pod counts as ready only when the load balancer finds it healthy; until then no old pod is removed.
GATE = "eks.amazonaws.com/pod-readiness-gate-inject=enabled"


def set_up(yes):
    """Applies the manifests and the settings to the current cluster. Asks first unless `yes`. Safe to run again.

    Raises CommandError if there is no DATABASE_URL, or no valid one, or the answer is not yes.
    """
    cluster = Cluster()
    cluster.check()
    answer = cluster.kubectl("get", "secret", SECRET, "--ignore-not-found", "--output", "json")
    data = json.loads(answer)["data"] if answer else {}
    current = {name: base64.b64decode(value).decode() for name, value in data.items()}
    expected = settings(current)
    port = database_port(expected["DATABASE_URL"])
    eks = cluster.kubectl("api-resources", "--api-group", "eks.amazonaws.com", "--output", "name")
    manifests = MANIFESTS + ([EKS] if eks else [])
    for name in manifests:
        print(name, file=sys.stderr)
    changed = [name for name in expected if expected[name] != current.get(name)]
    print(f"settings that change: {', '.join(changed) or 'none'}", file=sys.stderr)
    if not yes:
        confirm("Set this cluster up?", "yes")

    for name in manifests:
        cluster.kubectl("apply", "--filename", name)
    for kind, (version, name) in RECORDS.items():
        if not cluster.kubectl("get", kind, name, "--ignore-not-found", "--output", "name"):
            record = {"apiVersion": version, "kind": kind, "metadata": {"name": name}}
            cluster.kubectl("create", "--filename", "-", input=json.dumps(record))
    if port == POSTGRESQL:
        cluster.kubectl("delete", "networkpolicy", POLICY, "--ignore-not-found")
    else:
        cluster.kubectl("apply", "--filename", "-", input=json.dumps(database_policy(port)))
    if eks:
        cluster.kubectl("label", "namespace", NAME, GATE, "--overwrite")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET}, "stringData": expected}
    cluster.kubectl("apply", "--filename", "-", input=json.dumps(secret))
    if current and changed:
        restart = f"kubectl --context {cluster.context} --namespace {NAME} rollout restart deployment/{NAME}"
        log(f"running pods keep their settings until the next release. To apply the new ones now: {restart}")
    return f"{cluster.context}: {NAME}"


def database_port(url):
    """The port in a DATABASE_URL, by default PostgreSQL's own. Raises UsageError if it is not a port."""
    try:
        return urllib.parse.urlsplit(url).port or POSTGRESQL
    except ValueError as error:  # the message has the port, the URL has a password
        remedy = "export DATABASE_URL=postgresql://user:password@host:port/name"
        raise UsageError("invalid DATABASE_URL", error, remedy) from None


def database_policy(port):
    """The NetworkPolicy that lets the shop's pods reach a database on a port other than PostgreSQL's own.

    Deploys leave it alone, because it does not have the label of the web pods.
    """
    labels = {"app.kubernetes.io/name": NAME}
    spec = {"podSelector": {"matchLabels": labels}, "policyTypes": ["Egress"]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": POLICY, "labels": labels},
        "spec": spec | {"egress": [{"ports": [{"protocol": "TCP", "port": port}]}]},
    }


def settings(current):
    """The shop's settings: those of the cluster, overridden by environment variables.

    Raises CommandError if there is no DATABASE_URL.
    """
    overrides = {name: os.environ[name] for name in ("DATABASE_URL", "ALLOWED_HOSTS") if os.environ.get(name)}
    # The load balancer's host name is not known before it exists.
    result = {"SECRET_KEY": secrets.token_urlsafe(48), "ALLOWED_HOSTS": "*"} | current | overrides
    if not result.get("DATABASE_URL"):
        why = "the cluster has no DATABASE_URL yet"
        remedy = "export DATABASE_URL=postgresql://user:password@host/name"
        raise CommandError("DATABASE_URL is not set", why, remedy)
    return result
