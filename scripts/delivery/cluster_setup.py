"""Prepares a cluster for the shop: its namespace, the permissions and the lock of deploys, and its first settings."""

import os
import sys
import urllib.parse

from delivery import certificate_check, cluster_certificate, cluster_data, cluster_roles, initial_settings, public_url
from delivery.application import NAME
from delivery.cli import CommandError, UsageError, confirm, log
from delivery.cluster_certificate import ISSUER, REMOVED
from delivery.cluster_settings import ClusterSettings
from delivery.environments.versioned_secrets import PLAIN
from delivery.lock import LEASE
from delivery.settings import Setting, fault, values
from delivery.state import CONFIG_MAP
from delivery.targets.cluster import Cluster

MANIFESTS = ["scripts/host/k8s/namespace.yaml", "scripts/cluster/k8s/deploys.yaml"]
# Created once and never applied: kubectl apply would remove what deploys have written.
RECORDS = {"Lease": ("coordination.k8s.io/v1", LEASE), "ConfigMap": ("v1", CONFIG_MAP)}
EKS = "scripts/cluster/k8s/eks.yaml"
CERT_MANAGER, CHALLENGES = "scripts/cluster/k8s/cert-manager.yaml", "certificate-challenges"  # its NetworkPolicy
FORMER_POLICY = "database"  # of clusters that were set up before the settings had versions
# The settings that the environment gives to a new cluster.
EXAMPLES = {
    "DATABASE_URL": "postgresql://user:password@host:port/name",
    "ALLOWED_HOSTS": "shop.example.org",
    "PUBLIC_URL": "https://shop.example.org",
}
# A new pod counts as ready only when the load balancer finds it healthy; until then no old pod is removed.
GATE = "eks.amazonaws.com/pod-readiness-gate-inject=enabled"


def set_up(yes):
    """Applies the manifests and the first settings to the current cluster. Asks first unless `yes`. Safe to run again.

    Running pods keep their settings, and the live Ingress its certificate. Raises CommandError if there is no
    DATABASE_URL, UsageError if it is invalid or the environment has another value than the cluster's, CommandError if
    the cluster cannot use the certificate, and if the answer is not yes.
    """
    certificate = cluster_certificate.given()
    cluster = Cluster()
    cluster.check()
    stored = ClusterSettings(cluster.kubernetes)
    is_stored = stored.exist()
    current = values(stored.load()) if is_stored else stored.read(PLAIN)
    check_environment(current, is_stored)
    first = current if is_stored else first_settings(current)
    if certificate not in (None, REMOVED):
        certificate_check.check(cluster, certificate, first.get(public_url.SETTING))
    certificate = certificate or (stored.certificate() if is_stored else None) or REMOVED
    eks, has_issuer = cluster.has_api(certificate_check.AUTO_MODE), certificate.variable == ISSUER
    manifests = MANIFESTS + ([EKS] if eks else []) + ([CERT_MANAGER] if has_issuer else [])
    for name in manifests:
        print(name, file=sys.stderr)
    created = [name for name in first if first[name] != current.get(name)]
    print(f"settings that it creates: {', '.join(created) or 'none'}", file=sys.stderr)
    print(f"certificate of the load balancer: {certificate}", file=sys.stderr)
    if not yes:
        confirm("Set this cluster up?", "yes")

    for name in manifests:
        cluster.kubectl("apply", "--filename", name)
    for kind, (version, name) in RECORDS.items():
        cluster.kubernetes.create({"apiVersion": version, "kind": kind, "metadata": {"name": name}})
    if eks:
        cluster.kubectl("label", "namespace", NAME, GATE, "--overwrite")
    if not is_stored:
        stored.create({name: Setting(value) for name, value in first.items()})
        cluster.kubernetes.delete(f"networkpolicy/{FORMER_POLICY}")
    if certificate != (stored.certificate() or REMOVED):
        stored.save_certificate(certificate)
        if not has_issuer:
            cluster.kubernetes.delete(f"networkpolicy/{CHALLENGES}")
    if current and not is_stored:
        log("running pods keep their settings; the next deploy gives them the same ones in the new form")
    report_https(certificate, first.get(public_url.SETTING))
    return f"{cluster.context}: {NAME}"


def report_https(certificate, url):
    """Logs what is left to do until visitors reach the shop over HTTPS."""
    if certificate == REMOVED:
        return
    if public_url.is_https(url):
        log("the next deploy gives the load balancer the certificate")
    else:
        setting = public_url.SETTING
        log(f"HTTPS is off until {setting} is https://...: make set-prod SETTING={setting} PROD=cluster")


def create_database():
    """Creates the database and its roles; returns the DATABASE_URL (cluster_roles.create). Raises CommandError."""
    cluster = Cluster()
    cluster.check()
    for name in (cluster_data.IMAGE, cluster_data.ADMIN):
        cluster_data.variable(name)
    cluster.kubectl("apply", "--filename", MANIFESTS[0])  # the pod runs in its namespace
    return cluster_roles.create(cluster.kubernetes)


def check_environment(current, is_stored):
    """Raises UsageError for a variable whose value is invalid, or is not the one that the cluster has."""
    for name, value in given().items():
        if current.get(name, None if is_stored else value) != value:
            why = "the cluster has another value or none, and its setup keeps the settings"
            remedy = f"unset {name}; to change it: make set-prod SETTING={name} PROD=cluster"
            raise UsageError(f"{name} in the environment is not that of the cluster", why, remedy)
        check(name, value)


def given():
    """{name: value} of the settings in the environment."""
    return {name: os.environ[name] for name in EXAMPLES if os.environ.get(name)}


def first_settings(former):
    """The first settings: those that the cluster had before, those of the environment, and generated ones.

    Raises CommandError if there is no DATABASE_URL.
    """
    known = given() | former
    if not known.get("DATABASE_URL"):
        why, remedy = "the cluster has no DATABASE_URL yet", f"export DATABASE_URL={EXAMPLES['DATABASE_URL']}"
        raise CommandError("DATABASE_URL is not set", why, remedy)
    # The load balancer's host name is not known before it exists, so the shop answers every name.
    return known | initial_settings.missing("prod", known, {"ALLOWED_HOSTS": "*"})


def check(name, value):
    """Raises UsageError, without the value, unless it can be a setting. No image is live yet that could validate it."""
    if name == public_url.SETTING:
        public_url.check(value)
    why = fault(value)
    if not why and name == "DATABASE_URL":
        try:
            why = None if urllib.parse.urlsplit(value).port != 0 else "Port out of range 1-65535"
        except ValueError as error:  # the message has the port, the URL has a password
            why = error
    if why:
        raise UsageError(f"invalid {name}", why, f"export {name}={EXAMPLES[name]}")
