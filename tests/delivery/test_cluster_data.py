"""make cluster-data-create, -dump and -load, as programs: a dump is bytes from stdin or to stdout."""

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
# A cluster with one pod: the file `pod` is there as long as it runs. `made` is its manifest, `command` what it ran,
# `stdin` what that read; with the file `fails` a command fails.
KUBECTL = r"""#!/bin/sh
cd "${0%/*}"
echo "$*" >>calls
case "$*" in
  *current-context) echo the-cluster ;;
  *"config view"*) echo https://10.0.0.1:6443 ;;
  *"apply --filename -") cat >pod && cp pod made ;;
  *" apply --filename "*) echo "$7" >manifest ;;
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
    """The directory of the fake kubectl, and the verb."""

    def __init__(self, directory):
        self.directory = directory
        (directory / "kubectl").write_text(KUBECTL)
        (directory / "kubectl").chmod(0o755)
        self.settings = {"PATH": f"{directory}:/usr/bin:/bin", "DELIVERY_ADMIN_URL": ADMIN}
        self.settings["DELIVERY_POSTGRES_IMAGE"] = "postgres.example.org/postgres:16"

    def run(self, *arguments, stdin=b"", **settings):
        command = [sys.executable, SCRIPTS / "cluster-data", *arguments]
        return subprocess.run(command, input=stdin, env=self.settings | settings, capture_output=True)

    def file(self, name):
        path = self.directory / name
        return path.read_bytes() if path.exists() else None

    def pod(self):
        """The pod that was made, which has to be deleted by now."""
        assert self.file("pod") is None
        return json.loads(self.file("made"))["spec"]


@pytest.fixture
def cluster(tmp_path):
    return Cluster(tmp_path)


def test_create_makes_role_and_database_and_prints_the_address(cluster):
    done = cluster.run("create")
    address = r"postgresql://book_shop_prod:([\w-]{40,})@db\.example\.org:5432/book_shop_prod\?sslmode=require\n"
    password = re.fullmatch(address, done.stdout.decode())[1]
    admin, role = cluster.file("stdin").decode().split("\n", 1)
    assert admin == ADMIN
    assert f"alter role book_shop_prod password '{password}';" in role
    assert cluster.file("command") == b'read -r url; psql -qXv ON_ERROR_STOP=1 "$url" >&2\n'
    assert cluster.file("manifest") == b"scripts/host/k8s/namespace.yaml\n"
    assert "envFrom" not in cluster.pod()["containers"][0]  # it needs no secret of the shop
    for place in (done.stderr, cluster.file("calls"), cluster.file("made")):
        assert not re.search(f"the-admin|{password}".encode(), place)


def test_dump_prints_every_byte_and_nothing_else(cluster):
    assert cluster.run("dump").stdout == DUMP
    assert cluster.file("command") == b'pg_dump -Fc "$DATABASE_URL"\n'
    pod = cluster.pod()
    assert pod["containers"][0]["envFrom"] == [{"secretRef": {"name": "book-shop-env"}}]
    assert pod_security.violations(pod) == []


def test_load_gives_the_dump_to_pg_restore_in_one_transaction(cluster):
    done = cluster.run("-y", "load", stdin=DUMP)
    assert (done.returncode, done.stdout, cluster.file("stdin")) == (0, b"", DUMP)
    options = "--clean --if-exists --no-owner --single-transaction"
    assert cluster.file("command").decode() == f'pg_restore {options} --dbname "$DATABASE_URL" >&2\n'
    assert cluster.pod()


@pytest.mark.parametrize("operation", ["create", "dump", "load"])
def test_deletes_the_pod_when_the_operation_fails(cluster, operation):
    Path(cluster.directory, "fails").touch()
    done = cluster.run("-y", operation)
    assert done.returncode == 1
    assert b"could not connect" in done.stderr
    assert b"PostgreSQL's programs failed" in done.stderr
    assert cluster.pod()


@pytest.mark.parametrize(
    ("operation", "setting", "value", "message"),
    [
        ("load", "DELIVERY_CLUSTER", "production", b"wrong cluster"),
        ("dump", "DELIVERY_POSTGRES_IMAGE", "", b"POSTGRES_IMAGE is not set"),
        ("create", "DELIVERY_ADMIN_URL", "", b"ADMIN_URL is not set"),
    ],
)
def test_changes_nothing_in_the_wrong_cluster_and_without_its_settings(cluster, operation, setting, value, message):
    done = cluster.run("-y", operation, **{setting: value})
    assert (done.returncode, done.stdout) == (1, b"")
    assert message in done.stderr
    assert (cluster.file("made"), cluster.file("manifest"), cluster.file("command")) == (None, None, None)
