"""Creates the roles and databases of a host, without a moment in which the password of live processes does not work."""

from delivery import database_roles, scram, state
from delivery.cli import CommandError, log
from delivery.database_roles import SETTING, Foreign
from delivery.initial_settings import ACTOR
from delivery.postgres import database
from delivery.settings import Setting


class HostRoles:
    """The roles of the database of an environment on this host. `roles` is the server (database_roles.Roles)."""

    def __init__(self, environment, roles):
        self.owner, self.roles = database(environment), roles

    def settle(self, settings):
        """Lets clients log in only as the role in a Snapshot of the settings, which all live processes use."""
        try:
            database_roles.settle(self.roles, self.owner, settings.values.get(SETTING, ""))
        except Foreign:
            pass  # the owner's own database
        except CommandError as error:
            end = "the next rotation, or on a host the next deploy, ends that"
            log(f"earlier database passwords are still accepted; {end}: {error.what}: {error.why}")


class NoRoles:
    """The roles of a database that deploys may not change."""

    def settle(self, settings):
        """As HostRoles.settle."""


def ensure(name, settings, roles, lock):
    """Creates what an environment's database needs, and makes its stored DATABASE_URL work.

    The password of a role that live processes may use stays. If a URL with another password was stored by hand, a
    free role gets it, and the URL with that role is stored: the next deploy applies it.
    """
    owner = database(name)
    roles.create_roles(owner)
    stored = settings.load().get(SETTING)
    try:
        if stored and database_roles.works(stored.value, owner, roles.roles(owner)):
            return
        with lock.acquire(f"bootstrap {name}"):
            _repair(name, owner, settings, roles)
    except Foreign as foreign:
        log(f"{foreign.what}: {foreign.why}. It is left as it is")


def _repair(name, owner, settings, roles):
    stored, known = settings.load(), roles.roles(owner)
    url = stored[SETTING].value if SETTING in stored else database_roles.new_url(owner)
    if database_roles.works(url, owner, known):
        return  # another process has repaired it meanwhile
    preferred, password = database_roles.role_of(url, owner)
    role = database_roles.free(owner, known, preferred)
    if not role:
        log(
            f"the password in the {SETTING} of {name} is not applied, because both login roles may be in use. "
            f"Run make deploy-{name}, then bootstrap again"
        )
        return
    roles.let_in(role, scram.verifier(password))
    if SETTING not in stored or role != preferred:
        settings.save(stored | {SETTING: Setting(database_roles.with_role(url, role), ACTOR, state.now())})
    if known[preferred].verifier:
        log(f"{name} has a new database password, for the role {role}: make deploy-{name} applies it")
