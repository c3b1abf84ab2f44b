"""The roles on the database server of a cluster, through a pod with PostgreSQL's programs."""

import contextlib
import json
import urllib.parse

from delivery import cluster_data, database_roles, scram
from delivery.cli import CommandError
from delivery.postgres import database
from delivery.postgres_client import CONNECTION

# A managed server's administrator is not a superuser, so it must be a member of a role to give it a database.
OWNER = """\
select 'create role {owner}' where not exists (select from pg_roles where rolname = '{owner}') \\gexec
grant {owner} to current_user;
"""
PRIVATE = "revoke connect on database {owner} from public;\n"
ROLES = """\
select json_object_agg(rolname, array[rolcanlogin, exists(select from pg_stat_activity where usesysid = r.oid)])
from pg_roles r where rolname in ('{names}');
"""


class ClusterRoles:
    """Roles, as those of delivery.database_roles. The verifiers are not known: only a superuser may read them.

    `place` is the host and the port of the server.
    """

    def __init__(self, pod, place):
        self.pod, self.place = pod, place

    def create_roles(self, owner):
        """As Roles.create_roles."""
        self._run(f"{OWNER}{database_roles.CREATE}{PRIVATE}".format(owner=owner))

    def roles(self, owner):
        """As Roles.roles."""
        names = "', '".join((owner, *database_roles.logins(owner)))
        found = json.loads(self._run(ROLES.format(names=names)) or "{}")
        return {name: database_roles.Role(can_login, in_use=in_use) for name, (can_login, in_use) in found.items()}

    def let_in(self, role, verifier):
        """As Roles.let_in."""
        self._run(database_roles.let_in(role, verifier))

    def lock_out(self, *roles):
        """As Roles.lock_out."""
        self._run(database_roles.lock_out(*roles))

    def _run(self, statements):
        """The output of SQL, which is in no argument list."""
        options = ("--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "--set=ON_ERROR_STOP=1")
        return self.pod.output("psql", *options, CONNECTION, input=statements).strip()


@contextlib.contextmanager
def administered(kubernetes):
    """The ClusterRoles on the server of DELIVERY_ADMIN_URL, while the context lasts."""
    admin = cluster_data.variable(cluster_data.ADMIN)
    parts = urllib.parse.urlsplit(admin)
    with cluster_data.client(kubernetes, admin) as pod:
        yield ClusterRoles(pod, (parts.hostname, parts.port or database_roles.PORT))


def create(kubernetes):
    """Creates prod's database and roles on the server of DELIVERY_ADMIN_URL; returns a new DATABASE_URL.

    The URL is that of a login role without a password. Raises CommandError if both have one.
    """
    owner = database("prod")
    with administered(kubernetes) as roles:
        roles.create_roles(owner)
        known = roles.roles(owner)
        unused = [name for name in database_roles.logins(owner) if not known[name].can_login]
        if not unused:
            why = "both of its login roles have a password, and one may be in use"
            raise CommandError(f"the database {owner} exists", why, "make rotate-prod WHAT=database PROD=cluster")
        url = database_roles.with_role(database_roles.new_url(owner, *roles.place), unused[0])
        roles.let_in(unused[0], scram.verifier(urllib.parse.urlsplit(url).password))
    query = urllib.parse.urlsplit(cluster_data.variable(cluster_data.ADMIN)).query
    return urllib.parse.urlsplit(url)._replace(query=query).geturl()
