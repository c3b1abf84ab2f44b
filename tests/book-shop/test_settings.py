"""Settings from the environment: validation at the start, and values."""

from pathlib import Path

import pytest
from book_shop.environment import ALWAYS_ALLOWED, Refusal, allowed_hosts, database, secret_key
from shop_program import run


def setting(names: str, **environment) -> str:
    """Return the values of settings, such as "s.DEBUG", in a process with this environment."""
    script = f"from django.conf import settings as s; print({names})"
    return run("-c", script, DJANGO_SETTINGS_MODULE="book_shop.settings", **environment).stdout.strip()


@pytest.mark.parametrize(
    "program", [["manage.py", "check"], ["-m", "gunicorn", "--bind", "127.0.0.1:0"]], ids=["manage.py", "gunicorn"]
)
@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"SECRET_KEY": None}, "error: SECRET_KEY is not set: "),
        ({"SECRET_KEY": "  "}, "error: SECRET_KEY is not set: "),
        ({"SECRET_KEY": None, "DEBUG": "true"}, "error: SECRET_KEY is not set: "),
        ({"ALLOWED_HOSTS": None}, "error: ALLOWED_HOSTS is not set: "),
        ({"ALLOWED_HOSTS": " , "}, "error: ALLOWED_HOSTS is not set: "),
        ({"DATABASE_URL": "mysql://h/x"}, "error: DATABASE_URL is invalid: "),
    ],
)
def test_invalid_environment_prints_one_line_and_exits(program, environment, message):
    result = run(*program, **environment)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith(message)
    assert "Set it " in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--deploy", "--fail-level", "WARNING"], {}),
        ([], {"SECRET_KEY": None, "ALLOWED_HOSTS": None, "DATABASE_URL": None, "DEBUG": "1"}),
    ],
    ids=["production", "development"],
)
def test_check_passes(arguments, environment):
    result = run("manage.py", "check", *arguments, **environment)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("value", "debug"), [(None, "False"), ("", "False"), ("0", "False"), ("True", "False"), ("1", "True")]
)
def test_debug_requires_the_value_1(value, debug):
    assert setting("s.DEBUG", DEBUG=value) == debug


def test_environments_have_different_cookie_names():
    names = "s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.LANGUAGE_COOKIE_NAME"
    first, same, other = (setting(names, SECRET_KEY=key).split() for key in "aab")
    assert first == same
    assert not set(first) & set(other)


def test_key_and_host_names_come_from_the_environment():
    assert secret_key({"SECRET_KEY": "k", "DEBUG": "1"}) == "k"
    assert allowed_hosts({"ALLOWED_HOSTS": "a.example, b.example,"}) == [*ALWAYS_ALLOWED, "a.example", "b.example"]
    assert "localhost" in ALWAYS_ALLOWED


def test_database_is_a_sqlite_file_by_default():
    settings = database({}, Path("/somewhere"))
    assert (settings["ENGINE"], settings["NAME"]) == ("django.db.backends.sqlite3", "/somewhere/db.sqlite3")
    assert settings["OPTIONS"] == {"transaction_mode": "IMMEDIATE"}


def test_database_comes_from_the_url():
    settings = database({"DATABASE_URL": "postgresql://shop:p%40ss%2Fw@db.internal:5433/books"}, Path("/"))
    assert settings["ENGINE"] == "django.db.backends.postgresql"
    assert (settings["USER"], settings["PASSWORD"], settings["HOST"]) == ("shop", "p@ss/w", "db.internal")
    assert (settings["PORT"], settings["NAME"]) == (5433, "books")
    assert (settings["CONN_MAX_AGE"], settings["CONN_HEALTH_CHECKS"]) == (60, True)
    assert settings["OPTIONS"] == {"connect_timeout": 3, "options": "-c synchronize_seqscans=off"}


def test_options_in_the_url_have_precedence():
    settings = database({"DATABASE_URL": "postgresql://h/n?connect_timeout=9&sslmode=require"}, Path("/"))
    assert settings["OPTIONS"].items() >= {"connect_timeout": 9, "sslmode": "require"}.items()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("db.internal", "does not begin with"),
        ("mysql://shop:hidden@h/n", "does not begin with"),
        ("postgresql://shop:hidden@h:5432", "has no database name"),
        ("postgresql://shop:hidden@h:5432/", "has no database name"),
        ("postgresql://shop:hidden@h:port/n", "not percent-encoded"),
        ("postgresql://shop:hidden@h:99999/n", "not percent-encoded"),
        ("postgresql://shop:hidden/5432@h/n", "not percent-encoded"),
        ("postgresql://shop:a@hidden/b@h/n", "not percent-encoded"),
        ("postgresql://shop:hidden#x@h/n", "not percent-encoded"),
        ("postgresql://shop:[hidden@h/n", "not percent-encoded"),
        ("postgresql://shop:hidden\u2100@h/n", "not percent-encoded"),
    ],
)
def test_error_of_an_invalid_database_url_hides_the_password(url, reason):
    with pytest.raises(Refusal) as refusal:
        database({"DATABASE_URL": url}, Path("/"))
    assert reason in str(refusal.value)
    assert "postgresql://USER:PASSWORD@HOST:5432/NAME" in str(refusal.value)
    assert "hidden" not in str(refusal.value)
