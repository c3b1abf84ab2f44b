"""make cluster-setup and cluster-data-create, -dump and -load, as programs: a dump is bytes on stdin or stdout."""

import base64
import json
import re
import subprocess
import sys
from pathlib import Path

import pod_security
import pytest
from laptop import SCRIPTS

DUMP = b"PGDMP\0\377"
ADMIN = "postgresql://postgres:the-admin@db.example.org:5432/postgres?sslmode=require"
URL = "postgresql://shop:the-password@db.example.org/shop"
MANIFESTS = ["scripts/host/k8s/namespace.yaml", "scripts/cluster/k8s/deploys.yaml"]
# A cluster is a directory. `secret` and `eks` are there from the start or not, `applied` is what was applied last from
# stdin, `manifests` and `labels` are lists. `pod` is there as long as the pod runs; `command` is the last one in it and
# `stdin` what that read. `policy` is the NetworkPolicy that was applied. With `fails`, a command in the pod fails.
KUBECTL = r"""#!/bin/sh
cd "${0%/*}"
echo "$*" >>calls
case "$*" in
  *current-context) echo the-cluster ;;
  *"config view"*) echo https://10.0.0.1:6443 ;;
  *" get secret book-shop-env "*) [ ! -f secret ] || cat secret ;;
  *" get Lease book-shop-deploys "* | *" get ConfigMap book-shop-deploys "*) ! [ -f "record-$6" ] || echo "$6/$7" ;;
  *" create --filename -") cat >new; kind=$(sed 's/.*"kind": "\([A-Za-z]*\)".*/\1/' new); mv new "record-$kind" ;;
  *" api-resources "*) [ ! -f eks ] || echo ingressclassparams.eks.amazonaws.com ;;
  *" apply --filename -")
    cat >new
    if grep -q '"NetworkPolicy"' new; then mv new policy; else cp new pod; mv new applied; fi ;;
  *" delete networkpolicy "*) rm -f policy ;;
  *" apply --filename "*) echo "$7" >>manifests ;;
  *" label namespace book-shop "*) echo "$8" >>labels ;;
  *" wait "*) [ -f pod ] ;;
  *" delete pod "*) rm -f pod ;;
  *" exec --stdin book-shop-data -- sh -euc "*)
    [ -f pod ] && [ ! -f fails ] || { echo "could not connect" >&2; exit 3; }
    for command in "$@"; do :; done
    echo "$command" >command
    case $command in *pg_dump*) printf 'PGDMP\000\377' ;; *) cat >stdin ;; esac ;;
esac
"""


class Cluster:
    """The directory of the fake kubectl, and the verbs."""

    def __init__(self, directory):
        self.directory = directory
        (directory / "kubectl").write_text(KUBECTL)
        (directory / "kubectl").chmod(0o755)
        self.settings = {"PATH": f"{directory}:/usr/bin:/bin", "DELIVERY_ADMIN_URL": ADMIN, "DATABASE_URL": URL}
        self.settings["DELIVERY_POSTGRES_IMAGE"] = "postgres.example.org/postgres:16"

    def run(self, verb, *arguments, stdin=b"", **settings):
        command = [sys.executable, SCRIPTS / verb, *arguments]
        return subprocess.run(command, input=stdin, env=self.settings | settings, capture_output=True)

    def file(self, name):
        """Its content; empty for a file that is not there."""
        path = self.directory / name
        return path.read_bytes() if path.exists() else b""

    def pod(self):
        """The pod that was made, which has to be deleted by now."""
        assert self.file("pod") == b""
        return json.loads(self.file("applied"))["spec"]

    def secret(self):
        """The shop's settings as they were applied."""
        return json.loads(self.file("applied"))["stringData"]

    def is_unchanged(self):
        return not any(map(self.file, ("applied", "policy", "manifests", "labels", "command")))


@pytest.fixture
def cluster(tmp_path):
    return Cluster(tmp_path)


def test_setup_names_the_cluster_asks_and_applies_manifests_and_settings(cluster):
    done = cluster.run("cluster-setup", stdin=b"yes\n")
    assert (done.returncode, done.stdout) == (0, b"the-cluster: book-shop\n")
    messages = done.stderr.decode()
    assert messages.startswith("==> cluster the-cluster, https://10.0.0.1:6443\n")
    assert "settings that change: SECRET_KEY, ALLOWED_HOSTS, DATABASE_URL\n" in messages
    assert messages.endswith("Set this cluster up? Type yes to continue: ")
    assert (cluster.file("manifests").decode().split(), cluster.file("labels")) == (MANIFESTS, b"")
    secret = cluster.secret()
    key = secret.pop("SECRET_KEY")
    assert len(key) >= 60
    assert secret == {"DATABASE_URL": URL, "ALLOWED_HOSTS": "*"}
    assert not re.search(f"the-password|{key}".encode(), done.stdout + done.stderr + cluster.file("calls"))


@pytest.mark.parametrize(
    ("settings", "changed"),
    [({}, {"DATABASE_URL": URL}), ({"DATABASE_URL": "", "ALLOWED_HOSTS": "x.example"}, {"ALLOWED_HOSTS": "x.example"})],
)
def test_setup_replaces_the_settings_that_are_given_and_keeps_the_rest(cluster, settings, changed):
    before = {"SECRET_KEY": "old-key", "ALLOWED_HOSTS": ".example.org", "DATABASE_URL": "old"}
    data = {name: base64.b64encode(value.encode()).decode() for name, value in before.items()}
    Path(cluster.directory, "secret").write_text(json.dumps({"data": data}))
    done = cluster.run("cluster-setup", "-y", **settings)
    assert f"settings that change: {', '.join(changed)}\n".encode() in done.stderr
    assert b"rollout restart deployment/book-shop" in done.stderr
    assert cluster.secret() == before | changed


def test_setup_creates_the_records_of_deploys_once_and_never_changes_them(cluster):
    assert cluster.run("cluster-setup", "-y").returncode == 0
    for kind, version in (("Lease", "coordination.k8s.io/v1"), ("ConfigMap", "v1")):
        record = json.loads(cluster.file(f"record-{kind}"))
        assert record == {"apiVersion": version, "kind": kind, "metadata": {"name": "book-shop-deploys"}}
        Path(cluster.directory, f"record-{kind}").write_text("what a deploy has written")
    assert cluster.run("cluster-setup", "-y").returncode == 0
    for kind in ("Lease", "ConfigMap"):
        assert cluster.file(f"record-{kind}") == b"what a deploy has written"


def test_setup_prepares_the_load_balancers_of_eks_there(cluster):
    Path(cluster.directory, "eks").touch()
    assert cluster.run("cluster-setup", "-y").returncode == 0
    assert cluster.file("manifests").decode().split() == [*MANIFESTS, "scripts/cluster/k8s/eks.yaml"]
    assert cluster.file("labels") == b"eks.amazonaws.com/pod-readiness-gate-inject=enabled\n"


@pytest.mark.parametrize("port", ["", ":5432", ":6432", ":25060"])
def test_setup_lets_the_pods_reach_the_port_of_the_database(cluster, port):
    """PostgreSQL's own port is allowed by the manifests in the image, so a policy of its own is not left behind."""
    assert cluster.run("cluster-setup", "-y", DATABASE_URL=URL.replace("org/", "org:7000/")).returncode == 0
    assert cluster.run("cluster-setup", "-y", DATABASE_URL=URL.replace("org/", f"org{port}/")).returncode == 0
    if port in ("", ":5432"):
        assert cluster.file("policy") == b""
        return
    policy = json.loads(cluster.file("policy"))
    assert policy["spec"] == {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "book-shop"}},
        "policyTypes": ["Egress"],
        "egress": [{"ports": [{"protocol": "TCP", "port": int(port[1:])}]}],
    }
    assert "app.kubernetes.io/component" not in policy["metadata"]["labels"]  # a deploy would delete it


def test_create_makes_role_and_database_and_prints_the_address(cluster):
    done = cluster.run("cluster-data", "create")
    address = r"postgresql://book_shop_prod:([\w-]{40,})@db\.example\.org:5432/book_shop_prod\?sslmode=require\n"
    password = re.fullmatch(address, done.stdout.decode())[1]
    admin, role = cluster.file("stdin").decode().split("\n", 1)
    assert admin == ADMIN
    assert f"alter role book_shop_prod password '{password}';" in role
    assert cluster.file("command") == b'read -r url; psql -qXv ON_ERROR_STOP=1 "$url" >&2\n'
    assert cluster.file("manifests").decode().split() == MANIFESTS[:1]
    assert "envFrom" not in cluster.pod()["containers"][0]  # it needs no secret of the shop
    places = done.stderr + cluster.file("calls") + cluster.file("applied")
    assert not re.search(f"the-admin|{password}".encode(), places)


def test_dump_prints_every_byte_and_nothing_else(cluster):
    assert cluster.run("cluster-data", "dump").stdout == DUMP
    assert cluster.file("command") == b'pg_dump -Fc "$DATABASE_URL"\n'
    pod = cluster.pod()
    assert pod["containers"][0]["envFrom"] == [{"secretRef": {"name": "book-shop-env"}}]
    assert pod_security.violations(pod) == []


def test_load_gives_the_dump_to_pg_restore_in_one_transaction(cluster):
    done = cluster.run("cluster-data", "-y", "load", stdin=DUMP)
    assert (done.returncode, done.stdout, cluster.file("stdin")) == (0, b"", DUMP)
    options = "--clean --if-exists --no-owner --single-transaction"
    assert cluster.file("command").decode() == f'pg_restore {options} --dbname "$DATABASE_URL" >&2\n'
    assert cluster.pod()


@pytest.mark.parametrize("operation", ["create", "dump", "load"])
def test_data_deletes_the_pod_when_the_operation_fails(cluster, operation):
    Path(cluster.directory, "fails").touch()
    done = cluster.run("cluster-data", "-y", operation)
    assert done.returncode == 1
    assert re.search(rb"could not connect\n(?s:.*)PostgreSQL's programs failed", done.stderr)
    assert cluster.pod()


@pytest.mark.parametrize(
    ("command", "settings", "message"),
    [
        ("cluster-setup", {}, "not confirmed: nothing was changed"),
        ("cluster-setup -y", {"DATABASE_URL": ""}, "DATABASE_URL is not set"),
        ("cluster-setup -y", {"DATABASE_URL": URL.replace("org/", "org:x/")}, "invalid DATABASE_URL"),
        ("cluster-setup -y", {"DATABASE_URL": URL.replace("org/", "org:66000/")}, "invalid DATABASE_URL"),
        ("cluster-setup -y", {"DELIVERY_CLUSTER": "other"}, "remedy: kubectl config use-context other"),
        ("cluster-data -y load", {"DELIVERY_CLUSTER": "other"}, "wrong cluster"),
        ("cluster-data dump", {"DELIVERY_POSTGRES_IMAGE": ""}, "POSTGRES_IMAGE is not set"),
        ("cluster-data create", {"DELIVERY_ADMIN_URL": ""}, "ADMIN_URL is not set"),
    ],
)
def test_changes_nothing_without_confirmation_settings_or_the_expected_cluster(cluster, command, settings, message):
    done = cluster.run(*command.split(), stdin=b"no\n", **settings)
    assert (done.returncode, done.stdout) == (2 if "invalid" in message else 1, b"")
    assert message.encode() in done.stderr
    assert b"the-password" not in done.stderr
    assert cluster.is_unchanged()
