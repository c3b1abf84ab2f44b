"""Settings: what the process refuses to start with, and what it makes of its environment."""

from pathlib import Path

import pytest
from book_shop.environment import ALWAYS_ALLOWED, Refusal, allowed_hosts, database, secret_key
from shop_program import run

STARTS = [["manage.py", "check"], ["-m", "gunicorn", "--bind", "127.0.0.1:0"]]


@pytest.mark.parametrize("start", STARTS, ids=["manage.py", "gunicorn"])
@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"SECRET_KEY": None}, "error: SECRET_KEY is not set: "),
        ({"SECRET_KEY": "  "}, "error: SECRET_KEY is not set: "),
        ({"SECRET_KEY": None, "DEBUG": "true"}, "error: SECRET_KEY is not set: "),
        ({"ALLOWED_HOSTS": None}, "error: ALLOWED_HOSTS is not set: "),
        ({"ALLOWED_HOSTS": " , "}, "error: ALLOWED_HOSTS is not set: "),
        ({"DATABASE_URL": "mysql://h/x"}, "error: DATABASE_URL can't be used: "),
    ],
)
def test_refuses_to_start(start, environment, line):
    result = run(*start, **environment)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith(line)
    assert "Set it " in result.stderr
    assert result.stderr.count("\n") == 1


def test_starts_with_what_it_needs():
    result = run("manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert result.returncode == 0, result.stderr


def test_a_developer_needs_to_set_nothing_but_debug():
    result = run("manage.py", "check", SECRET_KEY=None, ALLOWED_HOSTS=None, DATABASE_URL=None, DEBUG="1")
    assert result.returncode == 0, result.stderr


def test_debug_is_off_unless_asked_for():
    script = "from django.conf import settings; print(settings.DEBUG)"
    for value, expected in ((None, "False"), ("", "False"), ("0", "False"), ("True", "False"), ("1", "True")):
        result = run("-c", script, DJANGO_SETTINGS_MODULE="book_shop.settings", DEBUG=value)
        assert result.stdout.strip() == expected, (value, result.stderr)


def test_two_environments_on_one_host_name_have_cookies_of_their_own():
    names = "s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.LANGUAGE_COOKIE_NAME"
    script = f"from django.conf import settings as s; print({names})"
    names = [run("-c", script, DJANGO_SETTINGS_MODULE="book_shop.settings", SECRET_KEY=key).stdout for key in "aab"]
    assert names[0] == names[1]
    assert not set(names[0].split()) & set(names[2].split())


def test_given_values_are_taken():
    assert secret_key({"SECRET_KEY": "k", "DEBUG": "1"}) == "k"
    assert allowed_hosts({"ALLOWED_HOSTS": "a.example, b.example,"}) == [*ALWAYS_ALLOWED, "a.example", "b.example"]
    assert "localhost" in ALWAYS_ALLOWED


def test_sqlite_beside_manage_py_when_nothing_is_said():
    settings = database({}, Path("/somewhere"))
    assert (settings["ENGINE"], settings["NAME"]) == ("django.db.backends.sqlite3", "/somewhere/db.sqlite3")
    assert settings["OPTIONS"] == {"transaction_mode": "IMMEDIATE"}


def test_postgresql():
    settings = database({"DATABASE_URL": "postgresql://shop:p%40ss%2Fw@db.internal:5433/books"}, Path("/"))
    assert settings["ENGINE"] == "django.db.backends.postgresql"
    assert (settings["USER"], settings["PASSWORD"], settings["HOST"]) == ("shop", "p@ss/w", "db.internal")
    assert (settings["PORT"], settings["NAME"]) == (5433, "books")
    assert (settings["CONN_MAX_AGE"], settings["CONN_HEALTH_CHECKS"]) == (60, True)
    assert settings["OPTIONS"] == {"connect_timeout": 3, "options": "-c synchronize_seqscans=off"}


def test_options_of_the_url_win():
    settings = database({"DATABASE_URL": "postgresql://h/n?connect_timeout=9&sslmode=require"}, Path("/"))
    assert settings["OPTIONS"].items() >= {"connect_timeout": 9, "sslmode": "require"}.items()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("db.internal", "does not begin with"),
        ("mysql://shop:hidden@h/n", "does not begin with"),
        ("postgresql://shop:hidden@h:5432", "names no database"),
        ("postgresql://shop:hidden@h:5432/", "names no database"),
        ("postgresql://shop:hidden@h:port/n", "not percent-encoded"),
        ("postgresql://shop:hidden@h:99999/n", "not percent-encoded"),
        ("postgresql://shop:hidden/5432@h/n", "not percent-encoded"),
        ("postgresql://shop:a@hidden/b@h/n", "not percent-encoded"),
        ("postgresql://shop:hidden#x@h/n", "not percent-encoded"),
        ("postgresql://shop:[hidden@h/n", "not percent-encoded"),
        ("postgresql://shop:hidden\u2100@h/n", "not percent-encoded"),
    ],
)
def test_a_bad_database_url_is_refused_without_telling_the_password(url, why):
    with pytest.raises(Refusal) as refusal:
        database({"DATABASE_URL": url}, Path("/"))
    assert why in str(refusal.value)
    assert "postgresql://USER:PASSWORD@HOST:5432/NAME" in str(refusal.value)
    assert "hidden" not in str(refusal.value)
