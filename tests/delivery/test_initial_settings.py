"""The settings that a host generates at its installation (scripts/host/bin/initial-settings)."""

import re

import pytest
from delivery import host_settings, initial_settings, settings
from delivery.cli import reported
from test_killed import kills
from verb import run


@pytest.fixture
def bootstrap(host, monkeypatch):
    """A function that generates the settings with these host names in host.env, on a host without settings."""
    for name in ("dev", "prod"):
        (host.paths.settings / f"{name}.env").unlink()

    def generate(names="shop.example"):
        text = (host.paths.settings / "host.env").read_text()
        (host.paths.settings / "host.env").write_text(re.sub("ALLOWED_HOSTS=.*", f"ALLOWED_HOSTS={names}", text))

        def operation():
            with reported():
                host_settings.initial_settings(host.paths)

        return run(operation, "initial-settings")

    return generate


def stored(place):
    return settings.values(place.environment.settings.load())


def test_a_new_host_gets_a_key_the_names_of_its_cookies_and_its_first_host_names(host, bootstrap):
    bootstrap().must_succeed()
    for place in (host.dev, host.prod):
        values = stored(place)
        assert re.fullmatch("[0-9a-f]{64}", values.pop("SECRET_KEY"))
        assert values == {"ALLOWED_HOSTS": "shop.example", "COOKIE_SUFFIX": place.name}
        assert {setting.actor for setting in place.environment.settings.load().values()} == {"bootstrap"}
        assert (host.paths.settings / f"{place.name}.env").stat().st_mode & 0o777 == 0o600
    assert stored(host.dev)["SECRET_KEY"] != stored(host.prod)["SECRET_KEY"]


def test_a_later_run_changes_nothing_and_names_the_command_for_other_host_names(host, bootstrap):
    bootstrap().must_succeed()
    before = host.files()
    assert bootstrap().err == ""
    assert host.files() == before
    result = bootstrap("other.example")
    assert result.err.count("ALLOWED_HOSTS of dev and prod stays as it is stored") == 1
    assert "make set-dev SETTING=ALLOWED_HOSTS and make set-prod SETTING=ALLOWED_HOSTS" in result.err
    assert stored(host.dev)["ALLOWED_HOSTS"] == "shop.example"


def test_an_upgraded_host_keeps_its_settings_and_the_names_of_its_cookies(host, bootstrap):
    for place in (host.dev, host.prod):
        (host.paths.settings / f"{place.name}.env").write_text("SECRET_KEY=the-key\nDATABASE_URL=x\nALLOWED_HOSTS=y\n")
    bootstrap().must_succeed()
    before = {"SECRET_KEY": "the-key", "DATABASE_URL": "x", "ALLOWED_HOSTS": "y"}
    # The first eight digits of the hash of "cookie names:the-key", as earlier images have them.
    assert stored(host.prod) == before | {"COOKIE_SUFFIX": "4d0394d9"}


def test_a_run_that_was_killed_is_completed_by_the_next_one(host, bootstrap):
    for _ in kills(host.prod, bootstrap):
        bootstrap().must_succeed()
        values = stored(host.prod)
        assert values.keys() == {"SECRET_KEY", "COOKIE_SUFFIX", "ALLOWED_HOSTS"}
        assert values["COOKIE_SUFFIX"] == "prod"


def test_a_setting_that_is_stored_is_never_replaced():
    found = initial_settings.missing("dev", {"ALLOWED_HOSTS": None, "COOKIE_SUFFIX": None, "SECRET_KEY": None}, "x")
    assert found == {}
