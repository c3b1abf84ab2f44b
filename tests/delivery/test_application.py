"""application.json is the one place for what is specific to the application.

The package and Terraform read it. A file that cannot read it has to agree with it.
"""

import json
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from delivery import application
from delivery.switch import NGINX_PORT
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
        (["startupProbe", "httpGet", "path"], {application.ALIVE}),
        (["secretKeyRef", "name"], {f"{NAME}-env"}),
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
        (f"{application.DIRECTORY}/Dockerfile", r"EXPOSE (\d+)", {PORTS["application"]}),
        (f"{application.DIRECTORY}/Dockerfile", r"c\.request\('GET', '(.*?)'", {application.ALIVE}),
        (f"{application.DIRECTORY}/Dockerfile", r"(\S+)\.source=", {NAME}),
        ("scripts/host/lib/paths.sh", r"\{home%/opt/([^}]*)\}", {NAME}),
        ("scripts/host/bin/bootstrap-postgresql", r" name=(\w+)_\$environment", {application.DATABASE}),
        ("scripts/host/install.py", r'"opt/([^/"]*)-releases"', {NAME}),
        ("scripts/host/bin/install", r'"([^/"]*)-releases"', {NAME}),
        ("scripts/local/host/renew-var", r" (?:lib|backups)/([^/ )]*-[^/ )]*)", {NAME, "local-host"}),
        ("scripts/local/up", r"(?:http|dev)_port:(\d+)\"", {PORTS["prod"], PORTS["dev"]}),
        ("scripts/local/machines/nginx.conf", r"server worker-\d:(\d+)", {PORTS["node"]}),
        ("scripts/delivery/switch.nft", r"table ip (\w+)_switch \{", {NAME.replace("-", "_")}),
        ("terraform/variables.tf", r'variable "name" {[^}]*?default     = "([^"]*)"', {NAME}),
        ("terraform/cluster/variables.tf", r'variable "name" {[^}]*?default     = "([^"]*)"', {NAME}),
        ("scripts/infra", r"DELIVERY_NAME:-([^}]*)", {NAME}),
        ("terraform/commands/install.sh", r"/run/lock/(\S+)-install", {NAME}),
        ("terraform/commands/verb.sh", r"/opt/([^/]*)/bin/\$program", {NAME}),
        ("Makefile", r"DELIVERY_NAME \?= (.*)", {NAME}),
        ("scripts/local/base-image", r"LABEL (.*)\.base=substitute", {NAME}),
        ("scripts/local/base-image", r"image=(.*)-substitute-base", {NAME}),
    ],
)
def test_a_file_agrees(file, pattern, expected):
    # A tuple if the pattern has several groups.
    found = {str(value) for value in re.findall(pattern, (ROOT / file).read_text())}
    assert found == {str(value) for value in expected}


# In any file that runs on a host: what names a unit, a namespace, a secret, a deployment or a directory.
NAMED = re.compile(
    r"([\w-]+)-(?:switch|firewall|backup|db-address)\.(?:service|timer)"
    r"|--namespace ([\w-]+)|namespace: ([\w-]+)\}|secret generic ([\w-]+)-env|deployment/([\w-]+)"
    r"|\$root/(?:etc|var/lib|var/backups)/([\w-]+-[\w-]+)|[ =]/opt/([\w-]+)/bin/"
)
ON_THE_HOST = [
    path
    for directory in ("scripts/host", "scripts/local")
    for path in sorted((ROOT / directory).rglob("*"))
    if path.is_file() and "kubernetes" not in path.relative_to(ROOT / directory).parts and path.suffix != ".pyc"
]


def test_the_files_of_a_host_use_the_name():
    wrong = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in ON_THE_HOST
        for match in NAMED.finditer(path.read_text())
        if NAME not in match.groups()
    }
    units = {path.name for path in ON_THE_HOST if path.parent.name == "systemd"} - {"k3s.service"}
    assert wrong | {unit for unit in units if not unit.startswith(f"{NAME}-")} == set()


def test_the_switch_port_is_the_one_nginx_connects_to():
    for file, pattern in (
        (f"nginx/{NAME}/dev-upstream.conf", r"server 127\.0\.0\.1:(\d+)"),
        ("scripts/delivery/switch.nft", r"live { (\d+) : \$live }"),
    ):
        assert re.findall(pattern, (ROOT / file).read_text()) == [str(NGINX_PORT)]


def test_the_slots_ports_follow_the_port_of_nginx():
    assert set(PORTS["slots"]) == {"a", "b"}
    assert len({*PORTS["slots"].values(), NGINX_PORT, PORTS["prod"], PORTS["dev"], PORTS["node"]}) == 6


KEYS = ("name", "directory", "database", "ports", "paths", "memory_mib")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        ("", "Expecting value"),
        ('{"name":', "Expecting value"),
        ("[]", "list indices"),
        *((json.dumps({other: {} for other in KEYS if other != key}), f"key '{key}' is missing") for key in KEYS[:4]),
        (json.dumps({**dict.fromkeys(KEYS, ""), "ports": {"prod": 80}}), "key 'dev' is missing"),
    ],
)
def test_a_verb_says_what_is_wrong_with_the_file(tmp_path, content, reason):
    shutil.copytree(ROOT / "scripts/delivery", tmp_path / "scripts/delivery")
    shutil.copy(ROOT / "scripts/history", tmp_path / "scripts")
    if content is not None:
        (tmp_path / "application.json").write_text(content)
    done = subprocess.run([sys.executable, "scripts/history", "dev"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("history: ")
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
