"""Fixtures of the shop's tests. Those that the browser tests share are in shop_fixtures.py."""

import os

import pytest
from django.utils import translation
from shop_fixtures import *  # noqa: F403 - fixtures


@pytest.fixture(autouse=True)
def english():
    """Activate English, because a request leaves its language active in the thread."""
    translation.activate("en")
    yield
    translation.deactivate()


def pytest_collection_modifyitems(config, items):
    """Deselect tests with a PostgreSQL of their own if TEST_DATABASE_URL names another database."""
    if os.environ.get("TEST_DATABASE_URL"):
        deselected = [item for item in items if "postgresql" in item.fixturenames]
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in deselected]
