"""The shop's settings with the linter of migrations beside the shop."""

from book_shop.settings import *  # noqa: F403
from book_shop.settings import INSTALLED_APPS, LOGGING

INSTALLED_APPS = [*INSTALLED_APPS, "django_migration_linter"]
# Migrations that take something away, once no release that a rollback could bring back uses it any more: name them
# here, with that release.
MIGRATION_LINTER_OPTIONS = {"ignore_name": []}
LOGGING["loggers"]["django_migration_linter"] = {"level": "WARNING"}
