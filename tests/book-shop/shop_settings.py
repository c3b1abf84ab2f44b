"""The shop's own settings, imported in an environment that is the same everywhere.

The tests that use Django's database run on a PostgreSQL that shop_fixtures.py starts. TEST_DATABASE_URL names another
database: sqlite://:memory:, or postgresql://... for a server (they make a database of their own there, test_NAME).
"""

import os
from unittest import mock

ENVIRONMENT = {
    "SECRET_KEY": "a key for the tests, long enough and varied enough for check --deploy: 0123456789",
    "ALLOWED_HOSTS": "shop.test",
    "DATABASE_URL": os.environ.get("TEST_DATABASE_URL", ""),
    "DEBUG": "",
    "BOOK_SHOP_VERSION": "1.2.3",
    "BOOK_SHOP_REVISION": "0123456789abcdef0123456789abcdef01234567",
}

with mock.patch.dict(os.environ, ENVIRONMENT):
    from book_shop.settings import *  # noqa: F403

# A real one takes a third of a second a password.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
