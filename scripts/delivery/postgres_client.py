"""PostgreSQL's programs, connected as an application is: with the role and the password in its DATABASE_URL.

They run as a user of the operating system without rights. What a dump or a user of psql does is limited to the
application's own database.
"""

import contextlib
import os
import signal
import subprocess
from urllib.parse import parse_qsl, unquote, urlsplit

from delivery import process
from delivery.files import in_memory

AS_NOBODY = ("runuser", "-u", "nobody", "--")
INTERNAL = "db.internal"  # the name of the host's PostgreSQL in containers and pods


@contextlib.contextmanager
def connection(url, address, database=None):
    """The environment variables that connect PostgreSQL's programs to the server and the database in a DATABASE_URL.

    `address` is that of db.internal; `database` is another one on the same server. The password is in a file in
    memory only.
    """
    parts = urlsplit(url)
    values = {
        "host": address if parts.hostname == INTERNAL else parts.hostname,
        "port": parts.port or 5432,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "dbname": database or unquote(parts.path.strip("/")),
    }
    values |= dict(parse_qsl(parts.query))
    text = "[application]\n" + "".join(f"{name}={value}\n" for name, value in values.items() if value)
    with in_memory(text) as path:
        yield {"PGSERVICEFILE": path, "PGSERVICE": "application", "PSQL_HISTORY": "/dev/null"}


def load(path, role, variables):
    """Loads a dump into an empty database. The role owns the objects. Raises ProgramFailed."""
    with open(path, "rb") as file:
        options = ("--exit-on-error", "--no-owner", f"--role={role}", "--dbname=service=application")
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
