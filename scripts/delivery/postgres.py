"""The host's PostgreSQL server, accessed as the user postgres. Each environment has one database."""

import os

from delivery import database_roles, postgres_client, process
from delivery.application import DATABASE
from delivery.paths import BOOTSTRAP

DATABASE_ADDRESS = "169.254.77.1"  # db.internal; systemd/*-db-address.service
BUSY = 5  # tries of an exchange, which a connecting client can block
QUIET = {"PGOPTIONS": "-c client_min_messages=warning"}


def database(environment):
    """The name of an environment's database and of its owner role."""
    return f"{DATABASE}_{environment}"


class Postgres:
    """The server of this host. Every method raises ProgramFailed with PostgreSQL's message."""

    place = database_roles.HOST, database_roles.PORT

    def _sql(self, statements):
        """The output of SQL statements, unaligned. Several statements run in one transaction."""
        return self._run("psql", "-XAtqc", statements).strip()

    def size(self, name):
        """The size of a database in bytes."""
        try:
            return int(self._sql(f"select pg_database_size('{name}')"))
        except process.ProgramFailed as error:
            error.what = f"PostgreSQL does not answer for {name}"
            error.remedy = f"systemctl status postgresql; {BOOTSTRAP} creates missing databases"
            raise

    def exists(self, name):
        """Whether there is a database of that name."""
        return bool(self._sql(f"select 1 from pg_database where datname = '{name}'"))  # noqa: S608

    def create(self, name, owner):
        """Creates an empty database."""
        self._sql(f"create database {name} owner {owner} template template0")

    def drop(self, name):
        """Drops a database if it exists."""
        self._sql(f"drop database if exists {name} with (force)")

    def create_roles(self, owner):
        """As Roles.create_roles."""
        self._change(database_roles.CREATE.format(owner=owner))

    def roles(self, owner):
        """As Roles.roles."""
        names = "', '".join((owner, *database_roles.logins(owner)))
        rows = self._sql(
            "select rolname, rolcanlogin, coalesce(rolpassword, ''), "  # noqa: S608
            "exists(select from pg_stat_activity where usesysid = pg_authid.oid) "
            f"from pg_authid where rolname in ('{names}')"
        )
        roles = {}
        for name, can_login, verifier, in_use in (row.split("|") for row in rows.splitlines()):
            roles[name] = database_roles.Role(can_login == "t", verifier, in_use == "t")
        return roles

    def let_in(self, role, verifier):
        """As Roles.let_in."""
        self._change(database_roles.let_in(role, verifier))

    def lock_out(self, *roles):
        """As Roles.lock_out."""
        self._change(database_roles.lock_out(*roles))

    def dump(self, name, path):
        """Dumps a database in pg_dump's custom format to a file that only root can read."""
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            self._run("pg_dump", "-Fc", name, stdout=file)
            os.fsync(file.fileno())

    def check_dump(self, path):
        """Reads a whole dump, not only its table of contents. Raises ProgramFailed if it is damaged."""
        with open(path, "rb") as file, open(os.devnull, "wb") as nothing:
            self._run("pg_restore", "--file=-", stdin=file, stdout=nothing)

    def load(self, path, name, role, url):
        """Loads a dump into an empty database, with the rights in a DATABASE_URL: a dump can contain any statement.

        `role` owns the objects.
        """
        with postgres_client.connection(url, DATABASE_ADDRESS, name) as variables:
            postgres_client.load(path, role, variables)

    def psql(self, url, terminal):
        """Runs psql with the rights in a DATABASE_URL, as postgres_client.psql."""
        with postgres_client.connection(url, DATABASE_ADDRESS) as variables:
            return postgres_client.psql(variables, terminal)

    def exchange(self, live, new, old):
        """Renames two databases in one transaction: `live` becomes `old`, and `new` becomes `live`.

        A client that connects meanwhile waits for the lock and then reaches the new database.
        """
        statements = (
            "set statement_timeout = 900; lock table pg_database; "  # noqa: S608
            f"select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = '{live}'; "
            f"alter database {live} rename to {old}; alter database {new} rename to {live}"
        )
        for last in (False,) * (BUSY - 1) + (True,):
            try:
                self._sql(statements)
                return
            except process.ProgramFailed:  # a client was just connecting
                if last:
                    raise

    def _change(self, statements):
        """Runs SQL from stdin, because all users of the host can read argument lists."""
        self._run("psql", "-Xqv", "ON_ERROR_STOP=1", input=statements)

    def _run(self, *command, **options):
        return process.run(["runuser", "-u", "postgres", "--", *command], env=os.environ | QUIET, **options)
