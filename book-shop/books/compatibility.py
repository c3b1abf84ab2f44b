"""Whether this build and a database fit together, by the names of migrations.

A migration that removes what earlier code used, a contracting migration, is named NNNN_<what>_unused_since_MMMM: since
migration MMMM of the same app, the code no longer uses what NNNN removes. The names of all applied migrations are in
the database, so an older build finds there what a newer one has removed (docs/decisions/0075).
"""

import os
import re

# The linter ignores each name with these words, so a name without a number is refused below.
UNUSED_SINCE = re.compile(r"_unused_since_(?P<number>.*)")
# As squashmigrations names a migration that stands for all from its own number to the second one.
SQUASHED = re.compile(r"(?P<first>\d+)_(.+_)?squashed_(?P<last>\d+)_")


def in_use() -> bool:
    """Return whether code may run on the database. The host sets DATABASE_IN_USE=0 for one that it is loading."""
    return os.environ.get("DATABASE_IN_USE") != "0"


def problems(loader, plan: list, in_use: bool = True) -> list[str]:
    """Return why this build cannot use a database, or must not migrate it while code runs on it.

    `loader` is Django's MigrationLoader for the database, `plan` the migrations that are not applied yet, as
    (app_label, name). Without `in_use`, no code runs on the database, as on a new one.
    """
    known = set(loader.disk_migrations)
    for migration in loader.disk_migrations.values():
        known.update(migration.replaces)  # a squashed migration stands for these
    found = []
    for app, name in sorted(loader.applied_migrations):
        if (app, name) not in known and app in loader.migrated_apps:
            number = _number(name)
            if number is not None and not _numbered(known, app, number):
                found.append(
                    f"The database has the migration {app}.{name}: it removed what this build still uses, because "
                    f"this build has no migration {number} of {app}. Use a build that has it."
                )
    for app, name in sorted(plan):
        number = _number(name)
        # The name of a squashed migration ends with that of its last one. It is applied to new databases only.
        if number is None or SQUASHED.match(name):
            continue
        since = _numbered(known, app, number)
        if not since:
            found.append(f"The migration {app}.{name} names a migration '{number}', which {app} does not have.")
        elif in_use and loader.applied_migrations and since.intersection(plan):
            found.append(
                f"The migration {app}.{name} removes what the running code may still use, because migration {number} "
                f"of {app} is not applied yet. First deploy a build that has {number} and not {app}.{name}."
            )
    return found


def _number(name: str) -> str | None:
    match = UNUSED_SINCE.search(name)
    return match and match["number"]


def _numbered(migrations, app: str, number: str) -> set:
    return {(label, name) for label, name in migrations if label == app and _stands_for(name, number)}


def _stands_for(name: str, number: str) -> bool:
    squashed = SQUASHED.match(name)
    if squashed and number.isdecimal():
        return int(squashed["first"]) <= int(number) <= int(squashed["last"])
    return name.partition("_")[0] == number
