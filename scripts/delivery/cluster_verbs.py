"""The host's verbs for prod on a cluster. They run in the caller's process."""

import contextlib
import json
import os
import subprocess
import sys
import time

from delivery import (
    actor,
    cluster_commands,
    cluster_data,
    cluster_roles,
    command_run,
    commands,
    database_roles,
    logs,
    operations,
    rotation,
    settings_change,
    settings_schema,
)  # fmt: skip
from delivery.cli import CommandError, UsageError, log
from delivery.compositions import cluster_environments
from delivery.settings import stored_value

# What an account must be allowed to do in the shop's namespace. Deployers are not.
SECRETS, COMMANDS = ("create", "secrets"), ("create", "pods/exec")
RIGHTS = {
    "settings": ("get", "secrets"), "set": SECRETS, "unset": SECRETS, "rotate": SECRETS,
    "manage": COMMANDS, "dump": COMMANDS, "load": COMMANDS, "psql": COMMANDS,
}  # fmt: skip


def call(verb, *arguments, context, repository=""):
    """Runs a verb of verbs.json in the cluster of a kubectl context and returns its answer, or "" if it has none.

    Verbs that take an image need `repository`, the only one whose images are accepted. Raises CommandError.
    """
    prod = environment(context, repository)
    if verb in RIGHTS:
        check_right(prod.kubernetes, verb)
    if verb == "status":
        return json.dumps({"environments": [operations.status(prod)], "cluster": context})
    answer = {
        "deploy": lambda image, *order: operations.deploy(prod, image, actor.name(), *order),
        "rollback": lambda image=None: operations.rollback(prod, image, actor.name()),
        "undo": lambda image: operations.undo(prod, image, actor.name()),
        "plan": lambda image, *after: operations.plan(prod, image, *after),
        "history": lambda lines: operations.history(prod, int(lines)),
        "logs": lambda lines, *options: logs.show(prod, *logs.parse(lines, options)),
        "settings": lambda values=None: json.dumps(settings_schema.listing(prod, bool(values))),
        "unset": lambda setting: settings_change.unset(prod, setting, actor.name()),
        "rotate": lambda what: rotate(prod, what),
    }[verb](*arguments[1:])  # the first argument is the environment
    return f"{answer}\n" if answer else ""


def follow(name, lines, *options, context):
    """Prints the log of the pods and what they log from now on, until an interrupt. Raises CommandError."""
    selection, _ = logs.parse(lines, options)
    logs.follow(environment(context), selection, lambda: time.sleep(1))


def attach(verb, *arguments, context, repository="", terminal=False):
    """Runs a verb that is `attached` in verbs.json, with this process's streams, or with the caller's terminal."""
    prod = environment(context, repository)
    kubernetes = prod.kubernetes
    check_right(kubernetes, verb)
    psql = ("psql",) if terminal else ("psql", "--set=ON_ERROR_STOP=1")  # a script has an exit status
    {
        "set": lambda setting: settings_change.set_value(prod, setting, sys.stdin.buffer, actor.name()),
        "manage": lambda command: run_command(prod, commands.decode(command), terminal),
        "dump": lambda: cluster_data.run(kubernetes, database_url(prod), "pg_dump", "--format=custom"),
        "load": lambda *anonymous: load(prod, *anonymous),
        "psql": lambda: cluster_data.run(kubernetes, database_url(prod), *psql, terminal=terminal),
    }[verb](*arguments[1:])


def rotate(prod, what):
    """Generates another database password or another key."""
    with contextlib.ExitStack() as stack:
        roles = stack.enter_context(cluster_roles.administered(prod.kubernetes)) if what == "database" else None
        rotation.rotate(prod, what, roles, actor.name())


def run_command(prod, words, terminal):
    """Runs manage.py with this process's streams, or the caller's terminal. Raises AlreadyReported with its status."""

    def run(image, command):
        with cluster_commands.running(prod) as pod:
            return pod.run(*command, terminal=terminal)

    command_run.run(prod, words, actor.name(), run)


def load(prod, anonymous=None):
    """Replaces the data with a dump from stdin, and migrates it to the live image's code. Raises CommandError."""
    if anonymous:
        why = "a managed server has no second database in which the data could be made anonymous before it is live"
        raise UsageError("prod on a cluster takes no anonymous copy", why, "make load-dev ANONYMOUS=1")
    started, result, image = time.monotonic(), "failed", prod.live()
    with prod.lock.acquire("load prod") as token:
        prod.state.claim(token)
        try:
            cluster_data.load(prod.kubernetes, database_url(prod))
            token.check()
            if image:
                migrate(prod)
            result = "ok"
        finally:
            if image:
                command_run.record(prod, "load", actor.name(), image, result, time.monotonic() - started)
    log("prod has the data of the dump")


def migrate(prod):
    """Migrates the database to the live image's code. Raises CommandError."""
    log("migrate")
    with cluster_commands.running(prod) as pod:
        if pod.run(*commands.MIGRATE, stdin=subprocess.DEVNULL, stdout=sys.stderr):
            why = "see the message above. The dump is loaded"
            raise CommandError("the loaded data was not migrated", why, "deploy the release that the dump is of")


def database_url(prod):
    """The stored DATABASE_URL. Raises CommandError if there is none."""
    return stored_value(prod, database_roles.SETTING)


def check_right(kubernetes, verb):
    """Raises CommandError, which names the missing right, unless this account may run the verb."""
    action, resource = RIGHTS[verb]
    kind, _, part = resource.partition("/")
    answer = kubernetes.kubectl("auth", "can-i", action, kind, f"--subresource={part}", passed=(0, 1))
    if answer.strip() != "yes":
        why = f"it has no right to {action} {resource}; deployers do not have it, administrators of the cluster do"
        remedy = "kubectl config get-contexts lists your accounts; kubectl config use-context chooses one"
        raise CommandError(f"this account may not run '{verb}' on the cluster", why, remedy)


def url(context):
    """The address of prod: DELIVERY_CLUSTER_URL, or PUBLIC_URL, or that of its Ingress; empty while there is none."""
    return environment(context).url()


def environment(context, repository=""):
    """The environment prod on the cluster."""
    return cluster_environments(context, repository, actor.name(), os.environ.get("DELIVERY_CLUSTER_URL"))["prod"]
