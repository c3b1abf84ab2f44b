"""The roles of a database on a real server, where a password counts."""

import concurrent.futures
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from delivery import database_roles, scram
from delivery.database_roles import Foreign, Role
from delivery.postgres import Postgres
from delivery.process import ProgramFailed
from shop_fixtures import postgresql  # noqa: F401
from test_postgres import use_programs

OWNER = "book_shop_roles"
A, B = database_roles.logins(OWNER)
RULE = f"local all +{OWNER} scram-sha-256\n"  # as that of bootstrap-postgresql
WORDS = "\n\t \\'\"$$%%@:/?#[]{}~`"
PASSWORDS = ["plain", WORDS, " ", "x" * 1000, "Grüße", "e\u0301", "\u00bd", "a\u00a0b", "soft\u00adhyphen", "\u2168"]
PASSWORDS += [
    "\u0627\u0628",
    "\u06271",
    "\u0627x\u0627",
    "x\u0627",
    "\u200f",
    "\ue000",
    "\ufffd",
    "😀",
    "\u0378",
    "\u00ad",
]


class Server(Postgres):
    def __init__(self, address):
        self.address = psycopg.conninfo.conninfo_to_dict(address)

    def administrator(self, name="postgres"):
        return psycopg.connect(**self.address | {"dbname": name}, autocommit=True)

    def query(self, statements, name="postgres"):
        with self.administrator(name) as connection:
            return connection.execute(statements)

    def log_in(self, role, password):
        """A connection of a role to the database, with its password."""
        return psycopg.connect(host=self.address["host"], dbname=OWNER, user=role, password=password, autocommit=True)

    def lets_in(self, role, password):
        try:
            self.log_in(role, password).close()
        except psycopg.OperationalError as error:
            assert "password authentication failed" in str(error) or "not permitted to log in" in str(error)
            return False
        return True


@pytest.fixture
def server(postgresql, tmp_path, monkeypatch):  # noqa: F811
    """A Server that requires a password of these roles."""
    use_programs(postgresql, tmp_path, monkeypatch)
    server = Server(postgresql)
    rules = Path(server.query("SHOW hba_file").fetchone()[0])
    with server.administrator() as connection:
        connection.execute("SELECT pg_advisory_lock(1)")  # other workers use the server too
        text = rules.read_text()
        if not text.startswith(RULE):
            rules.write_text(RULE + text)
            connection.execute("SELECT pg_reload_conf()")
    yield server
    server.query(f"DROP DATABASE IF EXISTS {OWNER} WITH (FORCE)")
    server.query(f"DROP ROLE IF EXISTS {A}, {B}, {OWNER}")


@pytest.fixture
def roles(server):
    """A Server with the roles."""
    server.create_roles(OWNER)
    return server


def test_the_roles_are_created_once_and_no_one_can_log_in(server):
    for _ in range(2):
        server.create_roles(OWNER)
        assert server.roles(OWNER) == dict.fromkeys((OWNER, A, B), Role(can_login=False))
    assert server.exists(OWNER)


def test_the_roles_of_an_existing_host_are_completed_and_its_owner_keeps_its_login(server):
    server.query(f"CREATE ROLE {OWNER} LOGIN PASSWORD 'old'")
    server.create(OWNER, OWNER)
    with server.log_in(OWNER, "old") as connection:
        connection.execute("CREATE TABLE book (title text)")
        server.create_roles(OWNER)
        connection.execute("SELECT * FROM book")
        assert server.roles(OWNER)[OWNER].in_use
    assert server.lets_in(OWNER, "old")
    server.let_in(A, scram.verifier("new"))
    with server.log_in(A, "new") as connection:
        connection.execute("ALTER TABLE book ADD COLUMN price int")


def test_each_login_role_acts_as_the_owner(roles):
    for login in (A, B):
        roles.let_in(login, scram.verifier("secret"))
        with roles.log_in(login, "secret") as connection:
            found = connection.execute("SELECT session_user::text, current_user::text").fetchone()
            assert found == (login, OWNER)
            connection.execute(f"CREATE TABLE {login} ()")
            connection.execute("RESET ROLE")
            connection.execute(f"DROP TABLE IF EXISTS {A}")
            connection.execute(f"CREATE TABLE {A} ()")
    owners = roles.query(
        "SELECT DISTINCT tableowner::text FROM pg_tables WHERE schemaname = 'public'", OWNER
    ).fetchall()
    assert owners == [(OWNER,)]


def test_a_dump_is_restored_for_the_owner_that_cannot_log_in(roles, tmp_path):
    roles.let_in(A, scram.verifier("secret"))
    with roles.log_in(A, "secret") as connection:
        connection.execute("CREATE TABLE book AS SELECT 'Dune' AS title")
    new = f"{OWNER}_restored"
    roles.dump(OWNER, tmp_path / "dump")
    roles.create(new, OWNER)
    try:
        url = f"postgresql://{A}:secret@/{OWNER}?host={roles.address['host']}"
        roles.load(tmp_path / "dump", new, OWNER, url)
        with psycopg.connect(host=roles.address["host"], dbname=new, user=A, password="secret") as connection:
            connection.execute("ALTER TABLE book ADD COLUMN price int")
    finally:
        roles.drop(new)


def test_a_role_that_is_locked_out_keeps_its_connections_and_gets_no_new_one(roles):
    roles.let_in(A, scram.verifier("secret"))
    roles.let_in(B, scram.verifier("other"))
    with roles.log_in(A, "secret") as connection:
        roles.lock_out(A, OWNER)
        connection.execute("SELECT 1")
    assert not roles.lets_in(A, "secret")
    assert roles.lets_in(B, "other")
    assert roles.roles(OWNER)[A] == Role(can_login=False)
    roles.let_in(A, scram.verifier("new"))
    assert (roles.lets_in(A, "new"), roles.lets_in(A, "secret")) == (True, False)


@pytest.mark.parametrize("password", PASSWORDS, ids=ascii)
def test_a_verifier_is_that_of_postgresql(roles, password):
    roles.let_in(A, scram.verifier(password))
    assert roles.lets_in(A, password)
    assert not roles.lets_in(A, password + "x")
    with roles.administrator() as connection:
        connection.execute(psycopg.sql.SQL(f"ALTER ROLE {B} LOGIN PASSWORD {{}}").format(password))
    theirs = roles.roles(OWNER)[B].verifier
    assert scram.matches(password, theirs)
    assert not scram.matches(password + "x", theirs)
    url = f"postgresql://{B}:{quote(password, safe='')}@db.internal:5432/{OWNER}"
    assert database_roles.works(url, OWNER, roles.roles(OWNER))


@pytest.mark.parametrize(
    "stored", ["", "plain", "md5" + "0" * 32, "SCRAM-SHA-256$4096:!$x:y", "SCRAM-SHA-256$0:AAAA$AA:AA"]
)
def test_what_is_not_a_verifier_matches_no_password(stored):
    assert not scram.matches("plain", stored)
    assert not scram.matches("", stored)


def test_a_failing_statement_does_not_log_the_password(roles):
    """PostgreSQL logs it with its text; the verifier is all that it has."""
    with pytest.raises(ProgramFailed, match="does not exist") as error:
        roles.let_in("book_shop_missing", scram.verifier("a-secret-word"))
    assert "a-secret-word" not in f"{error.value}{error.value.stderr}"
    log = Path(roles.address["host"], "log").read_text(errors="replace")
    assert "alter role book_shop_missing" in log
    assert "a-secret-word" not in log


def test_connections_during_a_change_of_roles_always_succeed(roles):
    """The old role until the new one has a password, then the new one."""
    roles.let_in(A, scram.verifier("old"))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        clients = [pool.submit(lambda: [roles.lets_in(A, "old") for _ in range(30)]) for _ in range(3)]
        roles.let_in(B, scram.verifier("new"))
        assert all(all(client.result()) for client in clients)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        clients = [pool.submit(lambda: [roles.lets_in(B, "new") for _ in range(30)]) for _ in range(3)]
        roles.lock_out(A, OWNER)
        assert all(all(client.result()) for client in clients)


URL = f"postgresql://{A}:p%40ss%2F%25%3A@db.internal:5432/{OWNER}?sslmode=prefer"


def test_a_url_keeps_its_encoded_password_and_its_options_with_another_role():
    assert database_roles.role_of(URL, OWNER) == (A, "p@ss/%:")
    assert database_roles.with_role(URL, B) == URL.replace(A, B, 1)
    assert database_roles.with_role(URL, B, "new") == f"postgresql://{B}:new@db.internal:5432/{OWNER}?sslmode=prefer"
    assert database_roles.role_of(f" postgres://{OWNER}:x@db.internal/{OWNER}\n", OWNER) == (OWNER, "x")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sqlite:////tmp/secret.sqlite3", "not a valid PostgreSQL URL"),
        ("", "not a valid PostgreSQL URL"),
        ("secret", "not a valid PostgreSQL URL"),
        (f"postgresql://{A}:secret@[db.internal/{OWNER}", "not a valid PostgreSQL URL"),
        (f"postgresql://{A}:secret@db.internal:none/{OWNER}", "not a valid PostgreSQL URL"),
        (f"postgresql://{A}:secret@db.internal:99999/{OWNER}", "not a valid PostgreSQL URL"),
        (f"postgresql://{A}:secret@db.example.org:5432/{OWNER}", "another server or database"),
        (f"postgresql://{A}:secret@db.internal:6432/{OWNER}", "another server or database"),
        (f"postgresql://{A}:secret@db.internal:5432/other", "another server or database"),
        (f"postgresql:///{OWNER}", "another server or database"),
        (f"postgresql://admin:secret@db.internal:5432/{OWNER}", f"not one of {OWNER}, {A}, {B}"),
        (f"postgresql://:secret@db.internal:5432/{OWNER}", f"not one of {OWNER}, {A}, {B}"),
        (f"postgresql://{A}@db.internal:5432/{OWNER}", "no password"),
        (f"postgresql://{A}:@db.internal:5432/{OWNER}", "no password"),
    ],
)
def test_a_url_of_something_else_is_foreign_and_the_error_has_no_part_of_it(url, why):
    with pytest.raises(Foreign) as error:
        database_roles.role_of(url, OWNER)
    assert why in error.value.why
    assert "secret" not in str(error.value)
    assert "make set-roles SETTING=DATABASE_URL" in error.value.remedy


ON, OFF, USED = Role(can_login=True), Role(can_login=False), Role(can_login=True, in_use=True)


@pytest.mark.parametrize(
    ("known", "preferred", "free"),
    [
        ((OFF, OFF, OFF), A, A),
        ((USED, OFF, OFF), OWNER, A),
        ((OFF, USED, OFF), A, B),
        ((OFF, OFF, USED), A, A),
        ((OFF, ON, OFF), A, B),  # no connection at this moment
        ((OFF, USED, ON), B, B),  # stored and not yet applied, then changed again
        ((OFF, ON, USED), B, A),
        ((USED, ON, ON), B, B),
        ((OFF, USED, USED), B, None),
        ((OFF, ON, ON), B, None),
        ((OFF, ON, ON), A, None),
    ],
)
def test_a_free_role_is_one_that_no_live_process_uses(known, preferred, free):
    assert database_roles.free(OWNER, dict(zip((OWNER, A, B), known, strict=True)), preferred) == free
