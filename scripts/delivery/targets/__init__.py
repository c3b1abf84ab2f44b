"""Where the verbs run: the local host, the host on AWS, or a Kubernetes cluster.

DELIVERY_HOST names the host, local or aws. With DELIVERY_PROD=cluster, prod is on the cluster of kubectl's current
context. Each implementation is imported only when it is used.
"""

import os

from delivery import http_client
from delivery.cli import UsageError, required_variable


def for_environment(environment):
    """The Target of an environment. Raises CommandError if it cannot be reached.

    Also raises UsageError for an invalid DELIVERY_CA_FILE, before anything is changed.
    """
    http_client.check_certificates()
    if on_cluster(environment):
        from delivery.targets.cluster import Cluster

        target = Cluster()
    else:
        target = host()
    target.check()
    return target


def for_data(*environments):
    """The host, for verbs on the data of these environments. Raises UsageError if prod's data is on a cluster."""
    if any(map(on_cluster, environments)):
        why = "DELIVERY_PROD=cluster, and a cluster's database is backed up where it runs"
        remedy = "make dump-prod prints it as a dump; unset DELIVERY_PROD for the data on the host"
        raise UsageError("prod's data is not on the host", why, remedy)
    return for_environment("dev")


def host():
    """The host that DELIVERY_HOST names. Raises UsageError for an unknown one."""
    name = required_variable("DELIVERY_HOST")
    if name == "local":
        from delivery.targets.local import LocalHost

        return LocalHost()
    if name == "aws":
        from delivery.targets.aws import AwsHost

        return AwsHost()
    raise UsageError(f"invalid DELIVERY_HOST '{name}'", "expected local or aws", "unset DELIVERY_HOST")


def on_cluster(environment):
    """Whether an environment runs on a cluster. Raises UsageError unless DELIVERY_PROD is host, cluster or nothing."""
    prod = os.environ.get("DELIVERY_PROD") or "host"
    if prod in ("host", "cluster"):
        return (environment, prod) == ("prod", "cluster")
    raise UsageError(f"invalid DELIVERY_PROD '{prod}'", "expected host or cluster", "unset DELIVERY_PROD")
