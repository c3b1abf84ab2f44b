"""The Secrets with the settings of the pods: one for each version of the settings.

They are immutable, and the template of the pods names one of them. So other settings are another rollout, a pod that
crashes starts again with the settings that it had, and the manifests of a release contain no values. A host or a
cluster that was set up earlier has one Secret without a version, which is kept while pods use it.
"""

import base64
import re

from delivery.application import NAME

PLAIN = f"{NAME}-env"  # as in the manifests of an image
REFERENCE = re.compile(rf'(\bname"?: *"?)({PLAIN}(?:-[0-9a-f]{{10}})?)(?![\w-])')
LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/component": "settings"}


def name_of(version):
    """The name of the Secret with a version of the settings; "" is the one without a version."""
    return f"{PLAIN}-{version}" if version else PLAIN


def version_of(name):
    """The version in the name of a Secret, or ""."""
    return name[len(PLAIN) + 1 :]


def insert(manifests, version):
    """The manifests with the name of the Secret with this version of the settings."""
    return REFERENCE.sub(rf"\g<1>{name_of(version)}", manifests)


def names_in(manifests):
    """The names of the Secrets in manifests."""
    return {name for _, name in REFERENCE.findall(manifests)}


def name_in(pod):
    """The name of the Secret with the settings of a pod, or of the template of a Deployment; PLAIN if it names none."""
    for source in pod["spec"]["containers"][0].get("envFrom", []):
        if (name := source.get("secretRef", {}).get("name", "")).startswith(PLAIN):
            return name
    return PLAIN


class VersionedSecrets:
    """`kubernetes` has an account that may read and write Secrets, which the one of the deploys may not."""

    def __init__(self, kubernetes):
        self.kubernetes = kubernetes

    def write(self, settings):
        """Creates the Secret of a Snapshot unless it exists. Raises CommandError."""
        data = {name: base64.b64encode(value.encode()).decode() for name, value in settings.values.items()}
        self.kubernetes.create(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name_of(settings.version), "labels": LABELS},
                "immutable": True,
                "data": data,
            }
        )

    def delete_all_but(self, names):
        """Deletes the Secrets with settings except these. Raises CommandError."""
        found = self.kubernetes.kubectl("get", "secrets", "--output=name").split()
        stale = {name for name in found if re.fullmatch(rf"secret/{PLAIN}(-[0-9a-f]{{10}})?", name)}
        if stale := stale - {f"secret/{name}" for name in names}:
            self.kubernetes.delete(*sorted(stale))
