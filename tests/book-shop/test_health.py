"""/healthz, /readyz and /version."""

import logging

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from shop_settings import ENVIRONMENT


@pytest.fixture
def django_log(caplog):
    """caplog for Django's lines, which don't reach the root logger."""
    logging.getLogger("django").addHandler(caplog.handler)
    yield caplog
    logging.getLogger("django").removeHandler(caplog.handler)


def test_healthz_touches_no_database(client):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_ready(client, db):
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True})


def test_not_ready_with_an_unapplied_migration(client, db, django_log):
    MigrationRecorder(connection).record_unapplied("orders", "0001_initial")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "reason": "migrations are not applied",
        "migrations": ["orders.0001_initial"],
    }
    assert django_log.messages == ["Not ready: migrations are not applied: orders.0001_initial"]


def test_ready_on_a_database_that_is_ahead_of_this_build(client, db):
    MigrationRecorder(connection).record_applied("books", "9999_of_a_later_build")
    assert client.get("/readyz").status_code == 200


def test_not_ready_without_the_database(client, db, monkeypatch, django_log):
    def refuse(*args, **kwargs):
        raise OperationalError("connection to db.internal failed: role of the shop")

    with monkeypatch.context() as broken:
        broken.setattr(connection, "cursor", refuse)
        answer = client.get("/readyz")
    assert answer.status_code == 503
    # Where the database is and who asks it is for the log only.
    assert answer.json() == {"ready": False, "reason": "the database does not answer"}
    assert django_log.messages == [
        "Not ready: the database does not answer: connection to db.internal failed: role of the shop"
    ]


def test_version(client):
    answer = client.get("/version")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {
        "version": ENVIRONMENT["BOOK_SHOP_VERSION"],
        "revision": ENVIRONMENT["BOOK_SHOP_REVISION"],
    }


@pytest.mark.parametrize("address", ["/healthz", "/readyz", "/version"])
def test_answers_are_never_cached_and_only_read(client, db, address):
    assert "no-store" in client.get(address).headers["Cache-Control"]
    assert client.head(address).status_code == 200
    assert client.post(address).status_code == 405
