"""Settings from the environment: validation at the start, and values."""

from pathlib import Path

import pytest
from book_shop.database import database
from book_shop.environment import ALWAYS_ALLOWED, Refusal, load
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
        (["--deploy", "--fail-level", "WARNING"], {"PUBLIC_URL": "http://shop.test:8080", "PREVIEW": "1"}),
        (["--deploy", "--fail-level", "WARNING"], {"PUBLIC_URL": "https://shop.test"}),
        ([], {"SECRET_KEY": None, "ALLOWED_HOSTS": None, "DATABASE_URL": None, "DEBUG": "1"}),
    ],
    ids=["production", "preview", "https", "development"],
)
def test_check_passes(arguments, environment):
    result = run("manage.py", "check", *arguments, **environment)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("value", "debug"), [(None, "False"), ("", "False"), ("0", "False"), ("True", "False"), ("1", "True")]
)
def test_debug_requires_the_value_1(value, debug):
    assert setting("s.DEBUG", DEBUG=value) == debug


def test_several_problems_are_one_line_each():
    invalid = {
        "SECRET_KEY_FALLBACKS": "one,,hidden",
        "DATABASE_URL": "hidden",
        "COOKIE_SUFFIX": "hidden;",
        "PUBLIC_URL": "https://u:hidden@a",
        "PREVIEW": "hidden",
        "PREVIEW_PASSWORD": "hidden",
        "EMAIL_HOST": "hidden hidden",
        "EMAIL_PORT": "hidden",
        "EMAIL_HOST_USER": "a\nhidden",
        "EMAIL_HOST_PASSWORD": "hidden\udcff",
        "EMAIL_SECURITY": "hidden",
        "DEFAULT_FROM_EMAIL": "hidden",
    }
    result = run("manage.py", "check", SECRET_KEY=None, **invalid)
    assert (result.returncode, result.stdout) == (1, "")
    first, *others = result.stderr.splitlines()
    assert first.startswith("error: SECRET_KEY is not set: ")
    assert [line.split(": ")[1] for line in others] == [f"{name} is invalid" for name in invalid]
    assert all("Set it to " in line for line in others)
    assert "hidden" not in result.stderr


COOKIES = "s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.LANGUAGE_COOKIE_NAME"


@pytest.mark.parametrize("url", [None, "http://shop.test"])
def test_cookie_names_have_the_suffix_and_do_not_depend_on_the_key(url):
    names = {setting(COOKIES, SECRET_KEY=key, COOKIE_SUFFIX="prod", PUBLIC_URL=url) for key in "ab"}
    assert names == {"sessionid_prod csrftoken_prod language_prod"}


def test_cookie_names_of_https_have_the_prefix_that_protects_them():
    names = setting(COOKIES, COOKIE_SUFFIX="prod", PUBLIC_URL="https://shop.test")
    assert names == "__Host-sessionid_prod __Host-csrftoken_prod __Host-language_prod"


def test_environments_without_a_suffix_have_different_cookie_names():
    first, same, other = (setting(COOKIES, SECRET_KEY=key, COOKIE_SUFFIX=None).split() for key in "aab")
    assert first == same
    assert not set(first) & set(other)
    # A host that has had the key for long stores this suffix, so that its sessions stay valid.
    assert first[0] == "sessionid_9fb98389"


MAIL = "s.EMAIL_BACKEND.split('.')[-2], s.EMAIL_HOST, s.EMAIL_PORT, s.EMAIL_USE_TLS, s.EMAIL_USE_SSL"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "dummy  587 True False"),
        ({"DEBUG": "1"}, "console  587 True False"),
        ({"EMAIL_HOST": "smtp.test"}, "smtp smtp.test 587 True False"),
        ({"EMAIL_HOST": "smtp.test", "EMAIL_SECURITY": "tls"}, "smtp smtp.test 465 False True"),
        ({"EMAIL_HOST": "smtp.test", "EMAIL_SECURITY": "none", "DEBUG": "1"}, "smtp smtp.test 25 False False"),
        ({"EMAIL_HOST": "smtp.test", "EMAIL_PORT": "2525"}, "smtp smtp.test 2525 True False"),
    ],
)
def test_mail_needs_only_a_server(environment, expected):
    assert setting(MAIL, **environment) == expected


def test_mail_is_sent_as_the_account_of_the_shop():
    names = "s.EMAIL_HOST_USER, s.EMAIL_HOST_PASSWORD, s.DEFAULT_FROM_EMAIL, s.SERVER_EMAIL"
    sender = "Book Shop <shop@example.org>"
    given = {"EMAIL_HOST_USER": "shop", "EMAIL_HOST_PASSWORD": "p w$(x)", "DEFAULT_FROM_EMAIL": sender}
    assert setting(names, **given) == f"shop p w$(x) {sender} {sender}"


def test_key_and_host_names_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "k")
    monkeypatch.setenv("SECRET_KEY_FALLBACKS", "new,old")
    monkeypatch.setenv("ALLOWED_HOSTS", "a.example, b.example,")
    settings = load()
    assert (settings.secret_key, settings.secret_key_fallbacks) == ("k", ["new", "old"])
    assert settings.allowed_hosts == [*ALWAYS_ALLOWED, "a.example", "b.example"]
    assert "localhost" in ALWAYS_ALLOWED


@pytest.mark.parametrize("url", ["https://shop.test:8443", "http://shop.test"])
def test_host_of_the_public_url_is_always_answered(monkeypatch, url):
    monkeypatch.setenv("SECRET_KEY", "k")
    monkeypatch.setenv("ALLOWED_HOSTS", "a.example")
    monkeypatch.setenv("PUBLIC_URL", url)
    assert load().allowed_hosts == [*ALWAYS_ALLOWED, "a.example", "shop.test"]


def test_secrets_are_not_in_the_text_of_the_settings(monkeypatch):
    monkeypatch.setenv("ALLOWED_HOSTS", "a.example")
    for name in ("SECRET_KEY", "SECRET_KEY_FALLBACKS", "EMAIL_HOST_PASSWORD", "PREVIEW_PASSWORD"):
        monkeypatch.setenv(name, "hidden hidden")
    monkeypatch.setenv("DATABASE_URL", "postgresql://shop:hidden@h/n")
    assert "hidden" not in repr(load())


def test_database_is_a_sqlite_file_by_default():
    settings = database(None, Path("/somewhere"))
    assert (settings["ENGINE"], settings["NAME"]) == ("django.db.backends.sqlite3", "/somewhere/db.sqlite3")
    assert settings["OPTIONS"] == {"transaction_mode": "IMMEDIATE"}


def test_database_comes_from_the_url():
    settings = database("postgresql://shop:p%40ss%2Fw@db.internal:5433/books", Path("/"))
    assert settings["ENGINE"] == "django.db.backends.postgresql"
    assert (settings["USER"], settings["PASSWORD"], settings["HOST"]) == ("shop", "p@ss/w", "db.internal")
    assert (settings["PORT"], settings["NAME"]) == (5433, "books")
    assert (settings["CONN_MAX_AGE"], settings["CONN_HEALTH_CHECKS"]) == (60, True)
    assert settings["OPTIONS"] == {"connect_timeout": 3, "options": "-c synchronize_seqscans=off"}


def test_options_in_the_url_have_precedence():
    settings = database("postgresql://h/n?connect_timeout=9&sslmode=require", Path("/"))
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
        ("postgresql://shop:hidden@h:0/n", "not percent-encoded"),
        ("postgresql://shop:hidden%ff@h/n", "not percent-encoded"),
        ("postgresql://shop:hidden%00@h/n", "NUL character"),
        ("postgresql://shop:hidden@h/n#hidden", "not percent-encoded"),
        ("postgresql://shop:hidden@h/n?sslmod=hidden", "does not know an option"),
    ],
)
def test_error_of_an_invalid_database_url_hides_the_password(monkeypatch, url, reason):
    monkeypatch.setenv("DEBUG", "1")
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(Refusal) as refusal:
        load()
    assert reason in str(refusal.value)
    assert "postgresql://USER:PASSWORD@HOST:5432/NAME" in str(refusal.value)
    assert "hidden" not in str(refusal.value)
