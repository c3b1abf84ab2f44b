"""Assembles the environments: dev and prod on a host, and prod on a cluster."""

import dataclasses
import os

from delivery import image_cleanup
from delivery.application import MEMORY, NAME, PORTS
from delivery.cli import number_variable
from delivery.cluster_settings import ClusterSecrets, ClusterSettings
from delivery.containerd import Containerd
from delivery.database_roles import HOST as DATABASE_HOST
from delivery.database_setup import HostRoles, NoRoles
from delivery.docker import Docker
from delivery.environments.docker_slots import DockerSlots
from delivery.environments.kubernetes_rollout import KubernetesRollout
from delivery.environments.versioned_secrets import VersionedSecrets
from delivery.kubernetes import Kubernetes
from delivery.load_balancer import LoadBalancer
from delivery.local_entry import LocalEntry
from delivery.lock import FileLock, LeaseLock
from delivery.nginx import Nginx, NoNginx
from delivery.parameter_store import ParameterStore
from delivery.paths import Paths
from delivery.postgres import DATABASE_ADDRESS, Postgres
from delivery.settings import FileSettings
from delivery.state import ConfigMapState, FileState
from delivery.switch import Switch

HARDENED = (
    *("--read-only", "--tmpfs", "/tmp:size=64m", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),  # noqa: S108
    *("--memory", f"{MEMORY}m", "--pids-limit", "200"),
    *("--add-host", f"{DATABASE_HOST}:{DATABASE_ADDRESS}"),
)
HOST_KINDS = ("deployments", "services")
CLUSTER_KINDS = (
    *HOST_KINDS, "horizontalpodautoscalers", "poddisruptionbudgets", "ingresses", "networkpolicies",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Limits:
    """Time limits of a deploy in seconds. The limits in the manifests are shorter than `migration` and `rollout`."""

    migration: int
    drain: int
    ready: int = 0
    watch: int = 0
    rollout: int = 0
    answer: int = 0
    pages: int = 10


def actor():
    """The deploying user, for the history and the lock."""
    return os.environ.get("DELIVERY_ACTOR") or "unknown"


def lock_wait():
    """How many seconds a deploy waits for another deploy of its environment."""
    return number_variable("DELIVERY_LOCK_WAIT", 300)


def host_environments(paths=None):
    """{"dev": …, "prod": …} of this host."""
    paths = paths or Paths()
    repository, docker = paths.repository(), Docker(*HARDENED)
    environments = {}

    def clean_images():
        kept = image_cleanup.needed(environments.values(), repository)
        image_cleanup.clean_docker(docker, repository, kept)

    def clean_all_images():
        clean_images()
        kept = image_cleanup.needed([environments["prod"]], repository)
        image_cleanup.clean_containerd(Containerd(), repository, kept)

    def parts(name):
        lock = FileLock(name, paths.locks / f"{NAME}-{name}", actor(), lock_wait())
        return {
            "lock": lock,
            "state": FileState(name, paths.state),
            "docker": docker,
            "settings": host_settings(name, paths),
            "nginx": Nginx(paths),
            "roles": HostRoles(name, Postgres()),
        }

    environments["dev"] = DockerSlots(
        **parts("dev"),
        traffic=Switch(),
        repository=repository,
        paths=paths,
        limits=Limits(
            ready=number_variable("DELIVERY_READY_LIMIT", 45),
            migration=number_variable("DELIVERY_MIGRATION_LIMIT", 300),
            watch=8,
            answer=5,
            drain=10,
        ),
        clean_images=clean_images,
    )
    kubeconfig = paths.settings / "deployer.kubeconfig"
    environments["prod"] = KubernetesRollout(
        **parts("prod"),
        kubernetes=Kubernetes("--kubeconfig", str(kubeconfig), remedy="systemctl status k3s"),
        secrets=VersionedSecrets(Kubernetes("--kubeconfig", str(paths.kubeconfig), remedy="systemctl status k3s")),
        repository=repository,
        overlay="single-node",
        kinds=HOST_KINDS,
        platform=docker.platform,
        entry=LocalEntry(f"http://localhost:{PORTS['prod']}"),
        directory=paths.state,
        limits=Limits(
            migration=number_variable("DELIVERY_MIGRATION_LIMIT", 330),
            rollout=150,
            answer=number_variable("DELIVERY_ANSWER_LIMIT", 15),
            drain=60,
        ),
        clean_images=clean_all_images,
    )
    return environments


def host_settings(environment, paths):
    """The stored Settings of an environment of this host: in Parameter Store if host.env has PARAMETERS.

    A host that was set up before it had Parameter Store has the file until bootstrap has moved it.
    """
    file = FileSettings(paths.settings / f"{environment}.env")
    store = parameter_store(environment, paths)
    return file if store is None or file.path.exists() else store


def parameter_store(environment, paths):
    """The ParameterStore of an environment of this host; None if its settings are in files."""
    values = paths.host()
    if parameters := values.get("PARAMETERS"):
        return ParameterStore(f"{parameters}/{environment}", values["AWS_REGION"])
    return None


def cluster_environments(context, repository, deployer, url=None):
    """{"prod": …} on the cluster of a kubectl context.

    `deployer` is recorded as the actor; `url` overrides PUBLIC_URL and the address of the Ingress.
    """
    kubernetes = Kubernetes("--context", context, remedy=f"kubectl --context {context} get --raw /readyz")
    settings = ClusterSettings(kubernetes)
    prod = KubernetesRollout(
        kubernetes=kubernetes,
        docker=Docker(*HARDENED),
        lock=LeaseLock("prod", kubernetes, deployer, lock_wait(), number_variable("DELIVERY_LEASE_LIMIT", 30)),
        state=ConfigMapState("prod", kubernetes),
        settings=settings,
        nginx=NoNginx(),
        roles=NoRoles(),
        secrets=ClusterSecrets(kubernetes),
        repository=repository,
        overlay="cluster",
        kinds=CLUSTER_KINDS,
        platform=lambda: "linux/amd64",  # the nodes that the overlay selects
        entry=LoadBalancer(kubernetes, settings, url),
        directory="/",
        # A new node may have to start first, and before the first answer a load balancer.
        limits=Limits(
            migration=number_variable("DELIVERY_MIGRATION_LIMIT", 330),
            rollout=600,
            answer=number_variable("DELIVERY_ANSWER_LIMIT", 300),
            drain=90,
            pages=60,
        ),
        clean_images=lambda: None,  # the kubelets remove images
    )
    return {"prod": prod}
