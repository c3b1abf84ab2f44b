"""The settings of the shop with the linter of migrations."""

from book_shop.settings import *  # noqa: F403
from book_shop.settings import INSTALLED_APPS, LOGGING

INSTALLED_APPS = [*INSTALLED_APPS, "django_migration_linter"]
# A migration with such a name declares since when the code no longer uses what it removes (books/compatibility.py).
MIGRATION_LINTER_OPTIONS = {"ignore_name_contains": "_unused_since_"}
LOGGING["loggers"]["django_migration_linter"] = {"level": "WARNING"}
