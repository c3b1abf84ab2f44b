"""The settings of the shop in a controlled environment.

By default, shop_fixtures.py starts a PostgreSQL server for the tests. TEST_DATABASE_URL selects another database:
sqlite:///:memory:, or postgresql://... for a server, on which the tests create the database test_NAME.
"""

import os
from unittest import mock

ENVIRONMENT = {
    "SECRET_KEY": "a key for the tests that is long and varied enough for check --deploy: 0123456789",
    "ALLOWED_HOSTS": "shop.test",
    "DATABASE_URL": os.environ.get("TEST_DATABASE_URL", ""),
    "DEBUG": "",
    "COOKIE_SUFFIX": "test",
    "BOOK_SHOP_VERSION": "1.2.3",
    "BOOK_SHOP_REVISION": "0123456789abcdef0123456789abcdef01234567",
}

with mock.patch.dict(os.environ, ENVIRONMENT):
    from book_shop.settings import *  # noqa: F403

# A secure hasher takes a third of a second for each password.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
