"""The settings of prod on a cluster: an immutable Secret for each version, and a ConfigMap that names the stored one.

Deploys read the ConfigMap only. A change needs an administrator's rights
(docs/decisions/0083-settings-of-a-cluster.md).
"""

import base64
import json
import urllib.parse

from delivery import cluster_certificate, database_roles, public_url, settings
from delivery.application import NAME
from delivery.cli import CommandError
from delivery.environments import versioned_secrets
from delivery.environments.versioned_secrets import VersionedSecrets
from delivery.settings import Setting, Snapshot

POINTER, POLICY = f"{NAME}-settings", "servers"
LABELS = {"app.kubernetes.io/name": NAME}  # without that of the web pods: a deploy would delete the objects
MAIL = {"starttls": 587, "tls": 465, "none": 25}  # ports, as in book_shop/settings.py


class ClusterSettings:
    """The Settings in the namespace of a Kubernetes. Only `current` works without the right to read Secrets."""

    def __init__(self, kubernetes):
        self.kubernetes = kubernetes

    def current(self):
        """As Settings.current, without the values, which deployers may not read."""
        data = self._pointer()["data"]
        return Snapshot(versioned_secrets.version_of(data["secret"]), public_url=data.get("public_url") or None)

    def certificate(self):
        """The Certificate of the load balancer; None if there is none."""
        return cluster_certificate.stored(self._pointer()["data"])

    def load(self):
        """As Settings.load."""
        data = self._pointer()["data"]
        found, changes = self.read(data["secret"]), json.loads(data["changes"])
        if not found:
            why, remedy = f"the Secret '{data['secret']}' is missing", f"kubectl --namespace {NAME} get secrets"
            raise CommandError("the settings of the cluster are lost", why, remedy)
        return {name: Setting(value, **changes.get(name, {})) for name, value in found.items()}

    def save(self, stored):
        """As Settings.save. A deploy that has lost the lock meanwhile does not replace a newer change."""
        pointer = self._pointer()
        new = settings.snapshot(settings.values(stored))
        ClusterSecrets(self.kubernetes).write(new)  # without a live image, no rollout has written it
        self.kubernetes.replace(pointer | {"data": data_of(stored, cluster_certificate.stored(pointer["data"]))})
        allow(self.kubernetes, ports(new.values))

    def save_certificate(self, certificate):
        """Stores a Certificate, or removes the stored one. The next deploy applies the change."""
        pointer = self._pointer()
        kept = {key: value for key, value in pointer["data"].items() if key not in cluster_certificate.KEYS.values()}
        self.kubernetes.replace(pointer | {"data": kept | cluster_certificate.data_of(certificate)})

    def create(self, stored):
        """Stores the first settings: the cluster has no ConfigMap yet."""
        ClusterSecrets(self.kubernetes).write(settings.snapshot(settings.values(stored)))
        metadata = {"name": POINTER, "labels": LABELS}
        self.kubernetes.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data_of(stored)})

    def exist(self):
        """Whether the cluster has settings in this form."""
        return self.kubernetes.get("configmap", POINTER) is not None

    def read(self, secret):
        """{name: value} in a Secret; empty if it does not exist."""
        data = (self.kubernetes.get("secret", secret) or {}).get("data") or {}
        return {name: base64.b64decode(value).decode() for name, value in data.items()}

    def _pointer(self):
        if pointer := self.kubernetes.get("configmap", POINTER):
            return pointer
        why = f"there is no ConfigMap '{POINTER}'"
        raise CommandError("the cluster has no settings", why, "make cluster-setup")


class ClusterSecrets(VersionedSecrets):
    """The Secrets with the settings of the pods, on a cluster. Pods may use one as soon as it is written."""

    def write(self, settings):
        """As VersionedSecrets.write. Also lets pods reach the servers that these and the stored settings name."""
        super().write(settings)
        stored = ClusterSettings(self.kubernetes)
        former = {name: setting.value for name, setting in stored.load().items()} if stored.exist() else {}
        allow(self.kubernetes, ports(settings.values) | ports(former))

    def delete_all_but(self, names):
        """As VersionedSecrets.delete_all_but. Also keeps the stored one, and those to which Kubernetes can return."""
        stored = versioned_secrets.name_of(ClusterSettings(self.kubernetes).current().version)
        returned = self.kubernetes.kubectl("get", "replicasets", "--output=json")
        templates = [found["spec"]["template"] for found in json.loads(returned)["items"]]
        super().delete_all_but({*names, stored, *map(versioned_secrets.name_in, templates)})


def data_of(stored, certificate=None):
    """The data of the ConfigMap: the name of the Secret, who has changed each setting and when, the PUBLIC_URL, and the
    Certificate, if there is one.
    """
    values = settings.values(stored)
    version = settings.version(values)
    changes = {name: {"actor": setting.actor, "time": setting.time} for name, setting in stored.items()}
    url = public_url.stored(values) or ""
    data = {"secret": versioned_secrets.name_of(version), "changes": json.dumps(changes), "public_url": url}
    return data | cluster_certificate.data_of(certificate)


def ports(values):
    """The ports of the servers that settings name, except PostgreSQL's own, which the manifests allow."""
    found = {urllib.parse.urlsplit(values.get("DATABASE_URL", "")).port or database_roles.PORT}
    if values.get("EMAIL_HOST"):
        found.add(int(values.get("EMAIL_PORT") or MAIL[values.get("EMAIL_SECURITY") or "starttls"]))
    return found - {database_roles.PORT}


def allow(kubernetes, ports):
    """Lets the shop's pods reach these ports in addition to those in the manifests of the image."""
    if not ports:
        kubernetes.delete(f"networkpolicy/{POLICY}")
        return
    rule = {"ports": [{"protocol": "TCP", "port": port} for port in sorted(ports)]}
    spec = {"podSelector": {"matchLabels": LABELS}, "policyTypes": ["Egress"], "egress": [rule]}
    metadata = {"name": POLICY, "labels": LABELS}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}
    kubernetes.apply(json.dumps(policy))
