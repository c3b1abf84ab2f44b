"""What the shop's tests share lies in shop_fixtures.py: the tests in a browser use it too."""

import os

import pytest
from django.utils import translation
from shop_fixtures import (  # noqa: F401
    database,
    django_db_modify_db_settings,
    make_books,
    migrated,
    migrated_database,
    on_postgresql,
    postgresql,
    project,
    serve,
    shop_database,
    static_files,
)


@pytest.fixture(autouse=True)
def english():
    """A request leaves its language behind in the thread: what a test asks of the models it asks in English."""
    translation.activate("en")
    yield
    translation.deactivate()


def pytest_collection_modifyitems(config, items):
    """Leave out the tests that bring a PostgreSQL of their own, when the others run on another database."""
    if os.environ.get("TEST_DATABASE_URL"):
        left_out = [item for item in items if "postgresql" in item.fixturenames]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
