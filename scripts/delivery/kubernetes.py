"""A Kubernetes cluster, through kubectl. No policy: what to apply, and when, is decided elsewhere."""

import json

from delivery import process
from delivery.application import NAME


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
        """An object as a dict, or None when it does not exist."""
        found = self.kubectl("get", kind, name, "--ignore-not-found", "--output=json")
        return json.loads(found) if found.strip() else None

    def names(self, kinds, selector):
        """The names of all objects of these kinds with these labels, as `apply` returns them."""
        return set(self.kubectl("get", ",".join(kinds), "--selector", selector, "--output=name").split())

    def pods(self, selector):
        """The pods with these labels, as dicts."""
        return json.loads(self.kubectl("get", "pods", "--selector", selector, "--output=json"))["items"]

    def build(self, directory):
        """The manifests that kustomize builds of a directory, as YAML."""
        return process.run(["kubectl", "kustomize", str(directory)])

    def apply(self, manifests, selector=None):
        """Applies those of the manifests (YAML or JSON) that have these labels.

        Returns the names of the objects, for example {"deployment.apps/shop"}.
        """
        chosen = ("--selector", selector) if selector else ()
        return set(self.kubectl("apply", "--filename=-", "--output=name", *chosen, input=manifests).split())

    def select(self, manifests, selector):
        """Those of the manifests (YAML or JSON) that have these labels, as a list of dicts. Changes nothing."""
        command = ("create", "--dry-run=client", "--filename=-", "--output=json", "--selector", selector)
        found = json.loads(self.kubectl(*command, input=manifests))
        return found["items"] if found["kind"] == "List" else [found]

    def names_in(self, manifests, selector):
        """The names of those of the manifests that have these labels, as `apply` returns them. Changes nothing."""
        command = ("create", "--dry-run=client", "--filename=-", "--output=name", "--selector", selector)
        return set(self.kubectl(*command, input=manifests).split())

    def delete(self, *names):
        """Deletes objects, given as kind/name, and waits for their end. Ignores those that do not exist."""
        self.kubectl("delete", "--ignore-not-found", *names)

    def difference(self, manifests, selector):
        """What applying these manifests would change, as a unified diff; empty when nothing."""
        return self.kubectl("diff", "--filename=-", "--selector", selector, input=manifests, passed=(0, 1))

    def wait_for_rollout(self, deployment, limit):
        """Whether the rollout of a deployment ends well within `limit` seconds. Shows its progress on stderr."""
        command = ("rollout", "status", f"deployment/{deployment}", f"--timeout={limit}s")
        return process.succeeds(self._command(*command), show=True)

    def is_rolled_out(self, deployment):
        """Whether all pods of a deployment are those of its newest state."""
        return process.succeeds(self._command("rollout", "status", f"deployment/{deployment}", "--timeout=1s"))

    def logs(self, pod, lines):
        """The last lines of a pod; empty for one that never started."""
        try:
            return self.kubectl("logs", pod, f"--tail={lines}")
        except process.ProgramFailed:
            return ""

    def replace(self, manifest):
        """Replaces an object that has not changed since it was read, and returns it as it is then.

        The resourceVersion in the manifest decides. Raises ProgramFailed with "Conflict" in its stderr
        when the object has changed.
        """
        answer = self.kubectl("replace", "--filename=-", "--output=json", input=json.dumps(manifest))
        return json.loads(answer)

    def kubectl(self, *arguments, input=None, passed=(0,)):
        """What kubectl prints. Raises ProgramFailed with its own message unless its exit status is in `passed`."""
        try:
            return process.run(self._command(*arguments), input=input, passed=passed)
        except process.ProgramFailed as error:
            error.remedy = self.remedy
            raise

    def _command(self, *arguments):
        return ["kubectl", *self.options, "--namespace", NAME, *arguments]
