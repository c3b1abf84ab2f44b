"""application.json is the one place for what is specific to the application.

The package and Terraform read it. A file that cannot read it has to agree with it.
"""

import re

import pytest
import yaml
from delivery import application
from infra import ROOT

NAME, PORTS = application.NAME, application.PORTS
LIMIT = f"{application.MEMORY}Mi"
MANIFESTS = [
    found
    for directory in ("k8s", "scripts/host/k8s", "scripts/cluster/k8s")
    for path in sorted(ROOT.glob(f"{directory}/**/*.yaml"))
    for found in yaml.safe_load_all(path.read_text())
]


def values(found, *keys):
    """The values at a path of keys, however deep it begins."""
    if isinstance(found, dict):
        inner = found
        for key in keys:
            inner = inner.get(key) if isinstance(inner, dict) else None
        yield from () if inner is None else [inner]
        found = found.values()
    for child in found if not isinstance(found, (str, int, float, type(None))) else ():
        yield from values(child, *keys)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["namespace"], {NAME, "kube-system"}),
        (["app.kubernetes.io/name"], {NAME}),
        (["secretRef", "name"], {f"{NAME}-env"}),
        (["containerPort"], {PORTS["application"]}),
        (["nodePort"], {PORTS["node"]}),
        (["limits", "memory"], {LIMIT}),
        (["readinessProbe", "httpGet", "path"], {application.READY}),
        (["livenessProbe", "httpGet", "path"], {application.ALIVE}),
        (["alb.ingress.kubernetes.io/healthcheck-path"], {application.READY}),
    ],
)
def test_the_manifests_agree(keys, expected):
    assert {str(value) for found in MANIFESTS for value in values(found, *keys)} == {str(value) for value in expected}


@pytest.mark.parametrize(
    ("file", "pattern", "expected"),
    [
        (f"nginx/{NAME}/prod-upstream.conf", r"server 127\.0\.0\.1:(\d+)", {PORTS["node"]}),
        (f"nginx/conf.d/{NAME}.conf", r"listen (\d+)", {PORTS["prod"], PORTS["dev"]}),
        (f"nginx/{NAME}/http.conf", r"(\d+) dev;", {PORTS["dev"]}),
        (f"scripts/host/etc/{NAME}/firewall.nft", r"tcp dport { (\d+), \d+ }", {PORTS["prod"]}),
        (f"scripts/host/etc/{NAME}/firewall.nft", r"tcp dport { \d+, (\d+) }", {PORTS["dev"]}),
        (f"{application.DIRECTORY}/gunicorn.conf.py", r'bind = "0\.0\.0\.0:(\d+)"', {PORTS["application"]}),
        (f"{application.DIRECTORY}/Dockerfile", r"C\('127\.0\.0\.1', (\d+)", {PORTS["application"]}),
        (f"{application.DIRECTORY}/Dockerfile", r"c\.request\('GET', '(.*?)'", {application.ALIVE}),
        (f"{application.DIRECTORY}/Dockerfile", r"(\S+)\.source=", {NAME}),
        ("scripts/host/lib/paths.sh", r"\{home%/opt/([^}]*)\}", {NAME}),
        ("scripts/host/bin/bootstrap-postgresql", r"for name in (\w+)_dev ", {application.DATABASE}),
        ("scripts/delivery/switch.nft", r"table ip (\w+)_switch \{", {NAME.replace("-", "_")}),
        ("terraform/variables.tf", r'default     = "(book-shop)"', {NAME}),
        ("terraform/commands/verb.sh", r"/opt/([^/]*)/bin/\$SSM_Verb", {NAME}),
        ("Makefile", r"DELIVERY_NAME \?= (.*)", {NAME}),
        ("scripts/image", r'git archive "\$commit:([^"]*)"', {application.DIRECTORY, "k8s"}),
    ],
)
def test_a_file_agrees(file, pattern, expected):
    assert set(re.findall(pattern, (ROOT / file).read_text())) == {str(value) for value in expected}


def test_the_slots_ports_follow_the_port_of_nginx():
    assert set(PORTS["slots"]) == {"a", "b"}
    assert len({*PORTS["slots"].values(), PORTS["prod"], PORTS["dev"], PORTS["node"]}) == 5
