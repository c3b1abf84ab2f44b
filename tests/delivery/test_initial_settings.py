"""The settings that a host generates at its installation (scripts/host/bin/initial-settings)."""

import contextlib
import re
import types

import pytest
from delivery import host_settings, initial_settings, nginx, settings
from delivery.cli import reported
from fakes import REPOSITORY
from test_killed import kills
from verb import run

PREVIEW = {"dev": {"PREVIEW": "1"}, "prod": {}}  # what an environment has in addition
URLS = {"PUBLIC_URL_PROD": "https://shop.example", "PUBLIC_URL_DEV": "http://shop.example:8080"}


@pytest.fixture
def bootstrap(host, monkeypatch):
    """A function that generates the settings with these host names and more values in host.env, on a host without
    settings.
    """
    for name in ("dev", "prod"):
        (host.paths.settings / f"{name}.env").unlink()

    def generate(names="shop.example", **more):
        values = {"REPOSITORY": REPOSITORY, "ALLOWED_HOSTS": names} | more
        lines = [f"{name}={value}\n" for name, value in values.items()]
        (host.paths.settings / "host.env").write_text("".join(lines))

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
        assert values == {"ALLOWED_HOSTS": "shop.example", "COOKIE_SUFFIX": place.name} | PREVIEW[place.name]
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
    for place in (host.dev, host.prod):
        assert stored(place) == before | {"COOKIE_SUFFIX": "4d0394d9"} | PREVIEW[place.name]


def test_the_environments_get_the_public_urls_of_the_installation(host, bootstrap):
    bootstrap("other.example", **URLS).must_succeed()
    assert [stored(place).get("PUBLIC_URL") for place in (host.prod, host.dev)] == [*URLS.values()]
    for place in (host.dev, host.prod):
        assert "\nshop.example 1;" in nginx.listed(place.name, stored(place))


def test_a_host_that_was_set_up_without_public_urls_gets_them_later(host, bootstrap):
    bootstrap().must_succeed()
    before = stored(host.prod)
    assert bootstrap(**URLS).err == ""
    assert stored(host.prod) == before | {"PUBLIC_URL": "https://shop.example"}


def test_another_public_url_stays_and_the_command_that_changes_it_is_named(host, bootstrap):
    bootstrap(**URLS).must_succeed()
    before = host.files()
    result = bootstrap(**URLS | {"PUBLIC_URL_PROD": "https://other.example"})
    assert "PUBLIC_URL of prod stays as it is stored: that of the installation, 'https://other.example'" in result.err
    assert result.last.endswith("To change it: make set-prod SETTING=PUBLIC_URL")
    bootstrap().must_succeed()  # without one in host.env
    changed = {path for path, content in host.files().items() if before.get(path) != content}
    assert changed == {host.paths.settings / "host.env"}


def test_an_invalid_public_url_in_host_env_changes_no_setting(host, bootstrap):
    bootstrap(PUBLIC_URL_PROD="shop.example").must_fail("invalid public URL 'shop.example'", status=2)
    assert [stored(place) for place in (host.dev, host.prod)] == [{}, {}]


def test_a_dev_that_is_no_preview_by_its_owners_choice_stays_so(host, bootstrap):
    bootstrap().must_succeed()
    file = host.paths.settings / "dev.env"
    file.write_text(file.read_text().replace("PREVIEW=1", "PREVIEW=0"))
    assert bootstrap().err == ""
    assert stored(host.dev)["PREVIEW"] == "0"


def test_a_run_that_was_killed_is_completed_by_the_next_one(host, bootstrap):
    for _ in kills(host.prod, lambda: bootstrap(**URLS)):
        bootstrap(**URLS).must_succeed()
        for place in (host.dev, host.prod):
            values = stored(place)
            assert values.keys() == {"SECRET_KEY", "COOKIE_SUFFIX", "ALLOWED_HOSTS", "PUBLIC_URL", *PREVIEW[place.name]}
            assert values["COOKIE_SUFFIX"] == place.name


def test_a_setting_that_is_stored_is_never_replaced():
    names = ("ALLOWED_HOSTS", "COOKIE_SUFFIX", "SECRET_KEY", "PUBLIC_URL", "PREVIEW")
    first = {"ALLOWED_HOSTS": "x", "PUBLIC_URL": "y"}
    assert initial_settings.missing("dev", dict.fromkeys(names), first) == {}


def test_a_store_that_shows_a_new_setting_later_is_no_fault():
    """Parameter Store need not list at once what it has stored."""
    saved = []
    store = types.SimpleNamespace(load=lambda: {"ALLOWED_HOSTS": settings.Setting("old.example")}, save=saved.append)
    lock = types.SimpleNamespace(acquire=contextlib.nullcontext)
    first = {"ALLOWED_HOSTS": "new.example", "PUBLIC_URL": "https://shop.example"}
    assert initial_settings.ensure("prod", store, lock, first) == ["ALLOWED_HOSTS"]
    assert saved[-1]["PUBLIC_URL"].value == "https://shop.example"
