"""PostgreSQL's programs, connected as an application is: with the role and the password in its DATABASE_URL.

They run as a user of the operating system without rights. What a dump or a user of psql does is limited to the
application's own database.
"""

import contextlib
import os
import signal
import subprocess
from urllib.parse import parse_qsl, unquote, urlsplit

from delivery import database_roles, process
from delivery.cli import CommandError
from delivery.files import in_memory

AS_NOBODY = ("runuser", "-u", "nobody", "--")
SERVICE = "application"
CONNECTION = f"service={SERVICE}"  # the argument of PostgreSQL's programs that names the entry of a service file


@contextlib.contextmanager
def connection(url, address, database=None):
    """The environment variables that connect PostgreSQL's programs to the server and the database in a DATABASE_URL.

    `address` is that of db.internal; `database` is another one on the same server. The password is in a file in
    memory only. Raises what `service_file` raises.
    """
    changed = {"host": address} if urlsplit(url).hostname == database_roles.HOST else {}
    changed |= {"dbname": database} if database else {}
    with in_memory(service_file(url, **changed)) as path:
        yield {"PGSERVICEFILE": path, "PGSERVICE": SERVICE, "PSQL_HISTORY": "/dev/null"}


def service_file(url, **changed):
    """A database's URL as the entry SERVICE of libpq's connection service file, with other values of some keys.

    Raises CommandError, without any value, for one that would be more than its line.
    """
    parts = urlsplit(url)
    values = {
        "host": parts.hostname,
        "port": parts.port,
        "dbname": unquote(parts.path.removeprefix("/")),
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
    }
    values |= changed | dict(parse_qsl(parts.query))
    lines = [f"{name}={value}" for name, value in values.items() if value]
    for line in lines:
        if line != line.rstrip() or {"\n", "\0"} & set(line):
            what = f"the {line.partition('=')[0]!r} of the database's URL cannot be used"
            raise CommandError(what, "it ends with a blank or contains a line break or NUL", "choose another one")
    return "\n".join([f"[{SERVICE}]", *lines, ""])


def load(path, role, variables):
    """Loads a dump into an empty database. The role owns the objects. Raises ProgramFailed."""
    with open(path, "rb") as file:
        options = ("--exit-on-error", "--no-owner", f"--role={role}", f"--dbname={CONNECTION}")
        process.run([*AS_NOBODY, "pg_restore", *options], stdin=file, env=os.environ | variables)


def psql(variables, terminal):
    """Runs psql with this process's stdin, stdout and stderr, and returns its exit status.

    Without a terminal it runs the SQL on stdin until the first error, and then returns 3.
    """
    options = () if terminal else ("--set=ON_ERROR_STOP=1", "--file=-")
    command = [*AS_NOBODY, "psql", "--no-psqlrc", *options]
    with subprocess.Popen(command, env=os.environ | variables, close_fds=False) as client:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C cancels a query, not psql
        return client.wait()
