"""What the shop's tests share lies in shop_fixtures.py: the tests in a browser use it too."""

import pytest
from django.utils import translation
from shop_fixtures import (  # noqa: F401
    database,
    make_books,
    migrated,
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
