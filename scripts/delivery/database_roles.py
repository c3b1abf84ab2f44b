"""The roles of an environment's database, and the URL with which the application connects.

The owner role owns the database and its objects. The application connects as one of two login roles, which act as
the owner role. A new password is given to the one that is not in use
(docs/decisions/0079-two-login-roles.md).
"""

import secrets
from typing import NamedTuple, Protocol
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from delivery import scram
from delivery.cli import CommandError

SETTING = "DATABASE_URL"
HOST, PORT = "db.internal", 5432
SCHEMES = ("postgresql", "postgres", "pgsql")
OVERRIDES = {"dbname", "host", "hostaddr", "passfile", "password", "port", "service", "user"}  # in the URL's query
# For psql, because a database cannot be created in a transaction. It can run again.
CREATE = """\
select format('create role %I', name) from unnest(array['{owner}', '{owner}_a', '{owner}_b']) as name
  where not exists (select from pg_roles where rolname = name) \\gexec
grant {owner} to {owner}_a, {owner}_b;
alter role {owner}_a set role = {owner};
alter role {owner}_b set role = {owner};
select 'create database {owner} owner {owner}'
  where not exists (select from pg_database where datname = '{owner}') \\gexec
"""


class Role(NamedTuple):
    """`verifier` is "" without a password; `in_use`: whether it has connections."""

    can_login: bool
    verifier: str = ""
    in_use: bool = False


class Roles(Protocol):
    """The roles on a database server. Every method raises CommandError if it fails."""

    place: tuple[str, int]  # the host and the port in a DATABASE_URL

    def create_roles(self, owner: str) -> None:
        """Creates the owner role, its login roles and its database, unless they exist. No client can log in as them."""

    def roles(self, owner: str) -> dict[str, Role]:
        """Returns the owner role and its login roles by name."""

    def let_in(self, role: str, verifier: str) -> None:
        """Lets clients log in as a role with this SCRAM verifier's password."""

    def lock_out(self, *roles: str) -> None:
        """Lets no client log in as these roles. Their connections stay open."""


class Foreign(CommandError):
    """A DATABASE_URL names something else than a role and a database of this project's server."""


def logins(owner):
    """The names of the login roles of an owner role."""
    return f"{owner}_a", f"{owner}_b"


def let_in(role, verifier):
    """The SQL of Roles.let_in."""
    return f"alter role {role} login password '{verifier}';\n"


def lock_out(*roles):
    """The SQL of Roles.lock_out."""
    return "".join(f"alter role {role} nologin password null;\n" for role in roles)


def new_password():
    """A random password of 48 hex digits."""
    return secrets.token_hex(24)


def new_url(owner, host=HOST, port=PORT):
    """A DATABASE_URL of the first login role, with a random password."""
    return f"postgresql://{logins(owner)[0]}:{new_password()}@{host}:{port}/{owner}"


def with_role(url, role, password=None):
    """A DATABASE_URL with another role and, if given, another password, which needs no encoding."""
    parts = urlsplit(url.strip())
    user, _, address = parts.netloc.rpartition("@")
    password = user.partition(":")[2] if password is None else password
    return parts._replace(netloc=f"{role}:{password}@{address}").geturl()


def role_of(url, owner, host=HOST, port=PORT):
    """(role, password) in the DATABASE_URL of an owner role's database. Raises Foreign if it is that of something else.

    The error has no part of the URL, which contains a password.
    """
    try:
        parts = urlsplit(url.strip())
        place = (parts.hostname, parts.port or PORT, unquote(parts.path))
        overrides = OVERRIDES & dict(parse_qsl(parts.query, keep_blank_values=True)).keys()
    except ValueError:
        parts, place, overrides = SplitResult("", "", "", "", ""), (), set()
    role, password = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme not in SCHEMES:
        why = "it is not a valid PostgreSQL URL"
    elif overrides:
        why = f"its query has {', '.join(sorted(overrides))}"
    elif place != (host, port, f"/{owner}"):
        why = f"it names another server or database than {host}:{port}/{owner}"
    elif role not in (owner, *logins(owner)):
        why = f"its role is not one of {', '.join((owner, *logins(owner)))}"
    elif not password:
        why = "it has no password"
    else:
        return role, password
    name = owner.rpartition("_")[2]
    remedy = f"if you changed the password there: make set-{name} SETTING={SETTING}"
    raise Foreign(f"this project does not manage the role in the {SETTING} of {name}", why, remedy)


def with_database(url, owner, database, host=HOST, port=PORT):
    """The DATABASE_URL of an owner role's database with another database of the same server. Raises Foreign."""
    role_of(url, owner, host, port)
    return urlsplit(url.strip())._replace(path=f"/{database}").geturl()


def idle(owner, role):
    """The login role that a rotation gives the next password to: the one that is not `role`."""
    return next(login for login in logins(owner) if login != role)


def settle(roles, owner, url):
    """Lets clients log in only as the role in a DATABASE_URL, which all live processes use. Raises Foreign."""
    current, _ = role_of(url, owner, *roles.place)
    others = [name for name, role in roles.roles(owner).items() if name != current and role.can_login]
    if others:
        roles.lock_out(*others)


def works(url, owner, known):
    """Whether a client can log in with a DATABASE_URL. `known` are the roles by name. Raises Foreign."""
    role, password = role_of(url, owner)
    return known[role].can_login and scram.matches(password, known[role].verifier)


def free(owner, known, preferred):
    """A login role whose password can change, because no live process uses it; None if that is not certain."""
    names = sorted(logins(owner), key=lambda name: name != preferred)
    if closed := [name for name in names if not known[name].can_login]:
        return closed[0]
    # A change was stored and is not live yet. The live processes have connections, because of their health checks.
    unused = [name for name in names if not known[name].in_use]
    return unused[0] if unused and any(role.in_use for role in known.values()) else None
