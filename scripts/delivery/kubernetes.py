"""A Kubernetes cluster, through kubectl. Callers decide what is applied, and when."""

import json
import subprocess

from delivery import process
from delivery.application import NAME
from delivery.cli import log


class Kubernetes:
    """The shop's namespace in a cluster.

    `options` choose the cluster: a kubeconfig or a context. `remedy` is the command that shows why the
    cluster does not answer.
    """

    def __init__(self, *options, remedy="kubectl get --raw /readyz"):
        self.options, self.remedy = options, remedy

    def check(self):
        """Raises ProgramFailed unless the API server answers."""
        self.kubectl("--request-timeout=10s", "get", "deployments", "--output=name")

    def is_reachable(self):
        """Whether the API server answers."""
        try:
            self.check()
        except process.ProgramFailed:
            return False
        return True

    def get(self, kind, name):
        """An object as a dict, or None if it does not exist."""
        text = self.kubectl("get", kind, name, "--ignore-not-found", "--output=json")
        return json.loads(text) if text.strip() else None

    def names(self, kinds, selector):
        """The names of all objects of these kinds with these labels, as `apply` returns them."""
        return set(self.kubectl("get", ",".join(kinds), "--selector", selector, "--output=name").split())

    def pods(self, selector=None):
        """The pods with these labels, or all of them, as dicts."""
        chosen = ("--selector", selector) if selector else ()
        return json.loads(self.kubectl("get", "pods", *chosen, "--output=json"))["items"]

    def build(self, directory):
        """The manifests that kustomize builds from a directory, as YAML."""
        return process.run(["kubectl", "kustomize", str(directory)])

    def apply(self, manifests, selector=None):
        """Applies those of the manifests (YAML or JSON) that have these labels.

        Returns the names of the objects, for example {"deployment.apps/shop"}.
        """
        chosen = ("--selector", selector) if selector else ()
        return set(self.kubectl("apply", "--filename=-", "--output=name", *chosen, input=manifests).split())

    def create(self, manifest):
        """Creates an object (a dict) unless one of its name exists."""
        try:
            self.kubectl("create", "--filename=-", input=json.dumps(manifest))
        except process.ProgramFailed as error:
            if "(AlreadyExists)" not in error.stderr:
                raise

    def select(self, manifests, selector):
        """Those of the manifests (YAML or JSON) that have these labels, as a list of dicts. Changes nothing."""
        command = ("create", "--dry-run=client", "--filename=-", "--output=json", "--selector", selector)
        result = json.loads(self.kubectl(*command, input=manifests))
        return result["items"] if result["kind"] == "List" else [result]

    def names_in(self, manifests, selector):
        """The names of those of the manifests that have these labels, as `apply` returns them. Changes nothing."""
        command = ("create", "--dry-run=client", "--filename=-", "--output=name", "--selector", selector)
        return set(self.kubectl(*command, input=manifests).split())

    def delete(self, *names):
        """Deletes objects, given as kind/name, and waits until they are deleted. Ignores those that do not exist."""
        self.kubectl("delete", "--ignore-not-found", *names)

    def difference(self, manifests, selector):
        """What applying these manifests would change, as a unified diff; empty if nothing would change."""
        return self.kubectl("diff", "--filename=-", "--selector", selector, input=manifests, passed=(0, 1))

    def wait_for_rollout(self, deployment, limit):
        """Whether the rollout of a deployment succeeds within `limit` seconds. Shows its progress on stderr."""
        command = ("rollout", "status", f"deployment/{deployment}", f"--timeout={limit}s")
        return process.succeeds(self._command(*command), show=True)

    def is_rolled_out(self, deployment):
        """Whether the rollout of a deployment is complete."""
        return process.succeeds(self._command("rollout", "status", f"deployment/{deployment}", "--timeout=1s"))

    def logs(self, pod, lines, since=None, previous=False):
        """The last log lines of a pod, or "all"; empty if it has none or they cannot be read.

        `since` is as in logs.Selection. With `previous`, those of its container before the last restart.
        """
        try:
            return self.kubectl(*log_options(pod, lines, since), *(["--previous"] if previous else []))
        except process.ProgramFailed as error:
            # It has not started or was not restarted (BadRequest), or it was deleted meanwhile.
            if not any(reason in error.stderr for reason in ("(BadRequest)", "(NotFound)")):
                log(f"the log of {pod} cannot be read: {error.why}")
            return ""

    def log_command(self, pod, lines, since):
        """The command that prints them, and then what the pod logs from now on."""
        return self._command(*log_options(pod, lines, since), "--follow")

    def replace(self, manifest):
        """Replaces an object unless it has changed since it was read, and returns the new object.

        Kubernetes compares the resourceVersion in the manifest. Raises ProgramFailed with "Conflict" in
        its stderr if the object has changed.
        """
        return json.loads(self.kubectl("replace", "--filename=-", "--output=json", input=json.dumps(manifest)))

    def kubectl(self, *arguments, input=None, passed=(0,)):
        """The output of kubectl. Raises ProgramFailed with kubectl's message unless the exit status is in `passed`."""
        try:
            return process.run(self._command(*arguments), input=input, passed=passed)
        except process.ProgramFailed as error:
            error.remedy = self.remedy
            raise

    def pass_through(self, *arguments, **streams):
        """Runs kubectl with this process's stdin, stdout and stderr, or the given ones. Returns its exit status."""
        return subprocess.run(self._command(*arguments), check=False, **streams).returncode

    def _command(self, *arguments):
        return ["kubectl", *self.options, "--namespace", NAME, *arguments]


def log_options(pod, lines, since):
    """The arguments of kubectl that select log lines."""
    kind = "since-time" if since and "T" in since else "since"
    return ["logs", pod, f"--tail={-1 if lines == 'all' else lines}", *([f"--{kind}={since}"] if since else [])]
