"""Gives an environment another database password or another key, without a request that fails.

Every step leaves live processes with values that work, so a rotation that is killed can be run again, and the next
deploy returns to the stored values.
"""

import secrets

from delivery import database_roles, database_setup, scram, settings, settings_change, settings_schema
from delivery.cli import log
from delivery.postgres import database

KEY, FALLBACKS = "SECRET_KEY", "SECRET_KEY_FALLBACKS"
OLDER = 3  # keys that stay accepted


def rotate(environment, what, roles, actor):
    """Rotates the secret `what`, one of SECRETS. `roles` are those of the database (database_roles.Roles).

    Raises Foreign for a database that this project does not manage, and CommandError; then the live processes have
    their previous values.
    """
    label = f"rotate {what}"
    with environment.lock.acquire(f"{label} of {environment.name}") as token:
        environment.state.claim(token)

        def change(name, value, step=label):
            settings_change.change_locked(environment, token, name, value, actor, step)

        rotate_it, changed = SECRETS[what]
        check(environment, *changed)
        apply_stored(environment, token, actor)
        rotate_it(environment, roles, label, change)
    log(f"{environment.name}: {label} is complete")


def rotate_database(environment, roles, label, change):
    """Gives a new password to the login role that is not in use, and then uses that role."""
    owner = database(environment.name)
    url = settings.stored_value(environment, database_roles.SETTING)
    current, _ = database_roles.role_of(url, owner, *roles.place)
    roles.create_roles(owner)
    password, role = database_roles.new_password(), database_roles.idle(owner, current)
    roles.let_in(role, scram.verifier(password))
    new = database_roles.with_role(url, role, password)
    change(database_roles.SETTING, new)
    database_setup.HostRoles(environment.name, roles).settle(settings.snapshot({database_roles.SETTING: new}))


def rotate_key(environment, roles, label, change):
    """Makes all processes accept a new key, and then sign with it. The previous keys stay accepted (OLDER)."""
    current, new = settings.stored_value(environment, KEY), secrets.token_hex(32)
    stored = settings.values(environment.settings.load()).get(FALLBACKS, "")
    older = [key for key in map(str.strip, stored.split(",")) if key and key != current]
    accepted = list(dict.fromkeys([new, current, *older]))[: OLDER + 1]
    change(FALLBACKS, ",".join(accepted), f"{label} 1/2")
    change(KEY, new, f"{label} 2/2")


SECRETS = {  # what rotates each one, and the settings that this changes
    "database": (rotate_database, (database_roles.SETTING,)),
    "secret-key": (rotate_key, (KEY, FALLBACKS)),
}


def check(environment, *names):
    """Raises CommandError unless the image that defines the settings has these."""
    image = settings_schema.image(environment)
    definitions = settings_schema.definitions(environment.docker, image, environment.name)
    for name in names:
        settings_change.check_change(environment.name, definitions, name, "")


def apply_stored(environment, token, actor):
    """Makes the stored settings live, unless they are: then no live process uses another role or key."""
    image, current = environment.live(), environment.settings.current()
    if image and environment.live_settings() != current.version:
        log("first apply the stored settings")
        settings_change.apply(environment, token, image, current, actor, "restart", lambda: None)
