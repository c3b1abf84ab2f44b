"""The settings that an image defines, and whether it accepts values of them.

The image's command (application.json, "settings") prints a list of definitions as JSON with `schema`. With `check`, it
reads all values as a JSON object, and names on stderr those that it refuses, without the values.
"""

import json

from delivery import order
from delivery.application import SETTINGS
from delivery.cli import CommandError, UsageError
from delivery.process import ProgramFailed

KEYS = ("name", "type", "required", "secret", "default", "help")
LIMIT = 60  # seconds


def image(environment):
    """The image that defines the settings of an environment, which the engine then has: the live one, or the one that
    was tried last. Raises CommandError if there is none.
    """
    found = order.current(environment)
    for past in reversed([] if found else environment.state.history()):
        if past.get("digest"):
            found = f"{environment.repository}@{past['digest']}"
            break
    if not found:
        why = f"{environment.name} has had no image, and the image defines the settings"
        raise CommandError("there are no settings yet", why, f"make deploy-{environment.name}")
    if environment.docker.image(found) is None:
        environment.docker.pull(found)
    return found


def listing(environment, with_values):
    """The settings of an environment as a list of dicts: the definitions with is_set, time, actor and perhaps value.

    `value` is missing for a secret, and for a stored setting that the image does not define.
    """
    stored = environment.settings.load()
    defined = definitions(environment.docker, image(environment), environment.name)
    entries = []
    for name, definition in defined.items():
        setting = stored.get(name)
        entry = definition | {"is_set": name in stored, "time": setting and setting.time}
        entry["actor"] = setting and setting.actor
        if with_values and setting and not definition["secret"]:
            entry["value"] = setting.value
        entries.append(entry)
    unknown = dict.fromkeys(KEYS) | {"secret": True, "required": False, "help": "the live image does not use it"}
    for name in sorted(stored.keys() - defined.keys()):
        setting = stored[name]
        entries.append(unknown | {"name": name, "is_set": True, "time": setting.time, "actor": setting.actor})
    return entries


def definitions(docker, image, environment):
    """{name: definition} of an image that the engine has; a definition is a dict with KEYS.

    Raises CommandError for an image that is older than its settings.
    """
    try:
        listed = json.loads(docker.query(image, (*SETTINGS, "schema"), "", LIMIT))
        return {definition["name"]: {key: definition[key] for key in KEYS} for definition in listed}
    except (ProgramFailed, ValueError, KeyError, TypeError) as error:
        why = "it is older than this verb"
        if isinstance(error, ProgramFailed) and "No module" not in error.stderr:
            why = error.why
        remedy = f"deploy a newer one: make deploy-{environment}"
        raise CommandError(f"the image of {environment} does not define its settings", why, remedy) from None


def check(docker, image, name, old, new):
    """Raises UsageError with the image's reasons, which have no values, if it refuses the change of one setting.

    `old` and `new` are all values. A stored setting that it refuses anyway stops no change of another one: the image
    before the last one may not know its name, and a value that was edited by hand may have worked for years.
    """
    found = problems(docker, image, new)
    known = problems(docker, image, old) if found else []
    if caused := [line for line in found if line not in known or line.startswith(f"{name}: ")]:
        what = "the application refuses the settings: nothing was changed"
        raise UsageError(what, "; ".join(caused), "choose another value")


def problems(docker, image, values):
    """The lines `NAME: why`, without values, about those that the image refuses."""
    try:
        docker.query(image, (*SETTINGS, "check"), json.dumps(values), LIMIT)
    except ProgramFailed as error:
        if error.code != 1:  # Docker could not run it
            raise
        return error.stderr.splitlines() or [error.why]
    return []
