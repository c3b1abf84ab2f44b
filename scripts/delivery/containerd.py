"""The image store of Kubernetes on a host, through ctr."""

import shutil

from delivery import process


class Containerd:
    """The images in the kubelet's namespace, k8s.io."""

    def __init__(self):
        ctr = ("k3s", "ctr") if shutil.which("k3s") else ("ctr",)
        self._command = (*ctr, "--namespace", "k8s.io", "images")

    def images(self):
        """{name: digest} of all images. An image has several names: its reference and its id."""
        lines = process.run([*self._command, "ls"]).splitlines()[1:]
        return {line.split()[0]: line.split()[2] for line in lines if len(line.split()) > 2}

    def remove(self, names):
        """Removes images by their names."""
        process.run([*self._command, "rm", *names])
