"""Pods for commands on the live image of a cluster, like that of its migration."""

from delivery import cluster_pods
from delivery.application import NAME
from delivery.cli import CommandError
from delivery.environments.kubernetes_rollout import MIGRATION_PODS


def running(prod):
    """A Pod with the live image and the settings of the live pods, while the context lasts. Raises CommandError."""
    return cluster_pods.running(prod.kubernetes, "command", spec(prod))


def spec(prod):
    """The spec of the pod. Raises CommandError if nothing is live."""
    deployment, manifests = prod.kubernetes.get("deployment", NAME), prod.state.load().manifests
    if not (deployment and manifests):
        raise CommandError("cannot run a command", "prod has no live image", "make deploy-prod PROD=cluster")
    (web,) = deployment["spec"]["template"]["spec"]["containers"]
    (job,) = prod.kubernetes.select(manifests, MIGRATION_PODS)
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    return pod | {"containers": [container | {"image": web["image"], "envFrom": web["envFrom"]}]}
