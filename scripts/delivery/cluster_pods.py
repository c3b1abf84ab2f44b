"""Pods for commands in a cluster. Each command has a pod of its own, which is deleted afterwards."""

import contextlib
import json
import secrets

from delivery.application import NAME
from delivery.cli import CommandError, log
from delivery.process import ProgramFailed

START = 300  # seconds until a pod runs; the cluster may have to create a node first
DEADLINE = 6 * 3600  # seconds until Kubernetes stops a pod that a killed verb has left
NAME_LABEL, COMPONENT = "app.kubernetes.io/name", "app.kubernetes.io/component"
# Through a file, because kubectl would report a failed command on stderr, and its own failures have the same statuses.
# Ctrl-C on a terminal interrupts the command, not the shell, which also has nothing to print.
RUN = 'trap : INT QUIT; exec 3>&2 2>/dev/null; (exec "$@") 2>&3 3>&-; echo $? >/tmp/exit-status'
KUBECTLS = "\ncommand terminated with exit code "


class Pod:
    """A running pod."""

    def __init__(self, kubernetes, name):
        self.kubernetes, self.name = kubernetes, name

    def run(self, *command, terminal=False, **streams):
        """Runs a command with this process's stdin, stdout and stderr, or the given ones (as of subprocess.run).

        With `terminal` it has the caller's terminal. Returns its exit status. Raises CommandError if its end was not
        seen.
        """
        tty = ["--tty"] if terminal else []
        words = ["exec", "--quiet", "--stdin", *tty, self.name, "--", "sh", "-c", RUN, "sh", *command]
        if status := self.kubernetes.pass_through(*words, **streams):
            return self._status_of_stopped(status)
        return int(self.output("cat", "/tmp/exit-status"))  # noqa: S108 (in the pod)

    def output(self, *command, input=""):
        """The output of a command that reads `input` (text). Raises ProgramFailed with its message."""
        try:
            return self.kubernetes.kubectl("exec", "--stdin", self.name, "--", *command, input=input)
        except ProgramFailed as error:
            error.why = error.why.partition(KUBECTLS)[0]
            raise

    def write(self, path, text):
        """Writes a file in the pod. The text is in no argument list."""
        self.output("sh", "-c", 'umask 077; cat >"$1"', "sh", path, input=text)

    def _status_of_stopped(self, status):
        """The exit status of a command that Kubernetes has stopped. Raises CommandError if the connection broke."""
        with contextlib.suppress(ProgramFailed):
            state = (self.kubernetes.get("pod", self.name) or {}).get("status", {})
            for container in state.get("containerStatuses", []):
                if ended := container.get("state", {}).get("terminated"):
                    log(f"Kubernetes has stopped the command: {state.get('reason') or ended.get('reason')}")
                    return ended.get("exitCode") or status
        why = "the connection to its pod has broken: kubectl's message is above. The pod is deleted"
        raise CommandError("the command did not end", why, self.kubernetes.remedy)


@contextlib.contextmanager
def running(kubernetes, component, spec):
    """A Pod that runs while the context lasts, with this label `component` and a spec of one container."""
    name = f"{NAME}-{component}-{secrets.token_hex(4)}"
    labels = {NAME_LABEL: NAME, COMPONENT: component}  # the network policies select the name
    metadata = {"name": name, "labels": labels}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": kept_alive(spec)}
    ended = f"{COMPONENT}={component},{NAME_LABEL}={NAME}"
    for phase in ("Failed", "Succeeded"):
        kubernetes.kubectl("delete", "pods", f"--selector={ended}", f"--field-selector=status.phase={phase}")
    try:
        kubernetes.kubectl("create", "--filename=-", input=json.dumps(manifest))
        wait(kubernetes, name)
        yield Pod(kubernetes, name)
    finally:
        try:
            kubernetes.kubectl("delete", "pod", name, "--ignore-not-found", "--grace-period=1", "--wait=false")
        except ProgramFailed as error:
            log(f"the pod {name} was not deleted: {error.why}. Kubernetes stops it after {DEADLINE // 3600} hours")


def kept_alive(spec):
    """A pod's spec whose container waits for commands."""
    (container,) = spec["containers"]
    container = container | {"command": ["sleep", str(DEADLINE)]}
    container.pop("args", None)
    return spec | {"restartPolicy": "Never", "activeDeadlineSeconds": DEADLINE, "containers": [container]}


def wait(kubernetes, name):
    """Waits until a pod runs. Raises CommandError with its state if it does not."""
    try:
        kubernetes.kubectl("wait", "--for=condition=Ready", f"pod/{name}", f"--timeout={START}s")
    except ProgramFailed as error:
        status = (kubernetes.get("pod", name) or {}).get("status", {})
        states = [container.get("state") for container in status.get("containerStatuses", [])]
        why = f"{error.why}: {status.get('phase')} {json.dumps(states or status.get('conditions'))}"
        raise CommandError("the command's pod did not start: nothing was run", why, error.remedy) from None
