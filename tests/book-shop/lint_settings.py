"""The settings of the shop with the linter of migrations."""

from book_shop.settings import *  # noqa: F403
from book_shop.settings import INSTALLED_APPS, LOGGING

INSTALLED_APPS = [*INSTALLED_APPS, "django_migration_linter"]
# Migrations that remove a column or table. Add one only when no release that a rollback can restore uses it, and name
# that release in a comment.
MIGRATION_LINTER_OPTIONS = {"ignore_name": []}
LOGGING["loggers"]["django_migration_linter"] = {"level": "WARNING"}
