"""A Kubernetes cluster that runs prod, reached through kubectl."""

import os
import subprocess
import sys

from delivery import cluster_access, cluster_verbs, registry
from delivery.application import NAME
from delivery.cli import CommandError, log
from delivery.kubernetes import Kubernetes
from delivery.targets.base import verbs


class Cluster:
    """A Target: the cluster of kubectl's current context. If DELIVERY_CLUSTER is set, it is the only one allowed.

    An EKS cluster is reached by its ARN in DELIVERY_CLUSTER, whatever the current context is.

    The verbs run on this machine, with the caller's permissions in the cluster.
    """

    def check(self):
        """Logs the cluster and raises CommandError unless it is the expected one. Changes nothing.

        Afterwards its context is used, even if kubectl's current context changes.
        """
        cluster_access.prepare()
        self.context = kubectl("config", "current-context")
        expected = os.environ.get("DELIVERY_CLUSTER")
        if expected and self.context != expected:
            why = f"kubectl's current context is {self.context}, DELIVERY_CLUSTER is {expected}"
            raise CommandError("wrong cluster", why, f"kubectl config use-context {expected}")
        server = "jsonpath={.clusters[0].cluster.server}"
        log(f"cluster {self.context}, {kubectl('config', 'view', '--minify', '--output', server)}")
        self.kubectl("--request-timeout", "10s", "get", "--raw", "/readyz")

    def kubectl(self, *arguments, **options):
        """The output of kubectl in the shop's namespace. Raises CommandError with kubectl's message."""
        return kubectl("--context", self.context, "--namespace", NAME, *arguments, **options)

    def has_api(self, group):
        """Whether the cluster knows the objects of an API group, such as cert-manager.io."""
        return bool(self.kubectl("api-resources", "--api-group", group, "--output", "name"))

    @property
    def kubernetes(self):
        """The shop's namespace."""
        return Kubernetes("--context", self.context, remedy=f"kubectl --context {self.context} get --raw /readyz")

    def follow(self, verb, *arguments):
        """As Target.follow: the log of the pods is read by kubectl on this machine."""
        cluster_verbs.follow(*arguments, context=self.context)

    def run(self, verb, *arguments):
        """As Target.run."""
        print(self.ask(verb, *arguments), end="", file=sys.stderr, flush=True)

    def ask(self, verb, *arguments):
        """As Target.ask."""
        return cluster_verbs.call(verb, *arguments, context=self.context, repository=repository(verb))

    def attach(self, verb, *arguments, terminal=False):
        """As Target.attach."""
        where = {"context": self.context, "repository": repository(verb)}
        cluster_verbs.attach(verb, *arguments, **where, terminal=terminal)

    def url(self, environment):
        """DELIVERY_CLUSTER_URL, or PUBLIC_URL, or the address of the Ingress; empty while there is none."""
        return cluster_verbs.url(self.context)


def repository(verb):
    """The shop's repository, for a verb that takes an image or asks one for its settings; otherwise ""."""
    described = verbs()[verb]
    is_needed = described["arguments"][:1] in (["image"], ["image?"]) or described["document"] == "settings"
    return str(registry.shop().repository) if is_needed else ""


def kubectl(*arguments, **options):
    """The output of kubectl. Raises CommandError with kubectl's message if it fails."""
    try:
        done = subprocess.run(["kubectl", *arguments], capture_output=True, text=True, **options)
    except FileNotFoundError:
        raise CommandError("kubectl is not installed", "it is not on the PATH", "make setup-deploy") from None
    if done.returncode:
        remedy = "kubectl config get-contexts lists the clusters; kubectl config use-context chooses one"
        if "(Unauthorized)" in done.stderr:
            remedy = f"log in to the cluster again. On EKS, {cluster_access.DEPLOYERS}"
        raise CommandError("kubectl failed", done.stderr.strip(), remedy)
    return done.stdout.strip()
