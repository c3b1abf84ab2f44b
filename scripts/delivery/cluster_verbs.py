"""The host's verbs for prod on a cluster. They run in the caller's process."""

import json
import os
import time

from delivery import actor, logs, operations
from delivery.compositions import cluster_environments


def call(verb, *arguments, context, repository=""):
    """Runs a verb of verbs.json in the cluster of a kubectl context and returns its answer, or "" if it has none.

    Verbs that take an image need `repository`, the only one whose images are accepted. Raises CommandError.
    """
    prod = environment(context, repository)
    if verb == "status":
        return json.dumps({"environments": [operations.status(prod)], "cluster": context})
    answer = {
        "deploy": lambda image, *order: operations.deploy(prod, image, actor.name(), *order),
        "rollback": lambda image=None: operations.rollback(prod, image, actor.name()),
        "undo": lambda image: operations.undo(prod, image, actor.name()),
        "plan": lambda image, *after: operations.plan(prod, image, *after),
        "history": lambda lines: operations.history(prod, int(lines)),
        "logs": lambda lines, *options: logs.show(prod, *logs.parse(lines, options)),
    }[verb](*arguments[1:])  # the first argument is the environment
    return f"{answer}\n" if answer else ""


def follow(name, lines, *options, context):
    """Prints the log of the pods and what they log from now on, until an interrupt. Raises CommandError."""
    selection, _ = logs.parse(lines, options)
    logs.follow(environment(context), selection, lambda: time.sleep(1))


def url(context):
    """The address of prod: DELIVERY_CLUSTER_URL, or that of its Ingress; empty while there is none."""
    return environment(context).url()


def environment(context, repository=""):
    """The environment prod on the cluster."""
    return cluster_environments(context, repository, actor.name(), os.environ.get("DELIVERY_CLUSTER_URL"))["prod"]
