"""/healthz, /readyz and /version."""

import logging

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from shop_settings import ENVIRONMENT


@pytest.fixture
def django_log(caplog):
    """Return caplog with the records of Django, which do not reach the root logger."""
    logging.getLogger("django").addHandler(caplog.handler)
    yield caplog
    logging.getLogger("django").removeHandler(caplog.handler)


def test_healthz_uses_no_database(client):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_ready_with_all_migrations(client, db):
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True})


def test_ready_with_additional_migrations(client, db):
    MigrationRecorder(connection).record_applied("books", "9999_of_a_later_build")
    assert client.get("/readyz").status_code == 200


def test_not_ready_without_a_migration(client, db, django_log):
    MigrationRecorder(connection).record_unapplied("orders", "0002_preview")
    answer, reason = client.get("/readyz"), "migrations are not applied"
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "reason": reason, "migrations": ["orders.0002_preview"]}
    assert django_log.messages == [f"Not ready: {reason}: orders.0002_preview"]


def test_not_ready_without_the_database_and_details_only_in_the_log(client, db, monkeypatch, django_log):
    def refuse(*args, **kwargs):
        raise OperationalError("connection to db.internal failed: role of the shop")

    with monkeypatch.context() as broken:
        broken.setattr(connection, "cursor", refuse)
        answer = client.get("/readyz")
    reason = "the database does not answer"
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "reason": reason})
    assert django_log.messages == [f"Not ready: {reason}: connection to db.internal failed: role of the shop"]


def test_version_is_json(client):
    answer = client.get("/version")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {name: ENVIRONMENT[f"BOOK_SHOP_{name.upper()}"] for name in ("version", "revision")}


@pytest.mark.parametrize("url", ["/healthz", "/readyz", "/version"])
def test_endpoints_are_read_only_and_not_cached(client, db, url):
    assert "no-store" in client.get(url).headers["Cache-Control"]
    assert client.head(url).status_code == 200
    assert client.post(url).status_code == 405
