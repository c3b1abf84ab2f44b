"""The verbs of a host for prod on a cluster. They run in the process of the caller, where make runs."""

import json

from delivery import operations
from delivery.compositions import actor, cluster_environments


def call(context, repository, url, verb, *arguments):
    """Runs a verb of verbs.json and returns its answer, or None for a verb without one.

    `context` is kubectl's, `repository` the one whose images the cluster runs, `url` overrides the
    address of the Ingress. Raises CommandError.
    """
    prod = cluster_environments(context, repository, url)["prod"]
    if verb == "status":
        return json.dumps({"environments": [operations.status(prod)], "cluster": context})
    _, *arguments = arguments  # the environment, which is prod
    return {
        "deploy": lambda image: operations.deploy(prod, image, actor()),
        "rollback": lambda image=None: operations.rollback(prod, image, actor()),
        "plan": lambda image: operations.plan(prod, image),
        "history": lambda lines: operations.history(prod, int(lines)),
        "logs": lambda lines: operations.logs(prod, int(lines)),
    }[verb](*arguments)


def url(context, repository, override):
    """The address of prod; empty while the Ingress has none."""
    return cluster_environments(context, repository, override)["prod"].url()
