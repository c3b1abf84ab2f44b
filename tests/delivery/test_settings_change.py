"""The host's verbs set, unset and settings, and deploys of the live image with newer settings."""

import errno
import fcntl
import json
import os

import pytest
from conftest import NGINX, SETTINGS
from delivery import settings
from fakes import SCHEMA, image, settings_in
from test_killed import kills

SECRET = "s3cret-value"


def set_(place, name, value):
    return place.run("set", name, stdin=value)


def stored(place):
    return settings.values(place.environment.settings.load())


def live(place):
    """The settings that the live slot or pods have."""
    if place.name == "dev":
        slot = place.world.docker.containers[f"book-shop-{place.world.switch.slot}"]
        return slot.settings.values
    secret = place.world.kubernetes.objects[f"secret/{place.world.kubernetes.rolled_out_secret}"]
    return settings_in(secret)


def events(place):
    return [(past["actor"], past["verb"], past["result"]) for past in place.environment.state.history()]


@pytest.fixture(params=["dev", "prod"])
def place(request, host):
    """Each environment of a host, with image 1."""
    made = getattr(host, request.param)
    made.deployed(1)
    return made


def edit(place, name, value):
    """The owner edits the file."""
    path = place.paths.settings / f"{place.name}.env"
    path.write_text(f"{path.read_text()}{name}={value}\n")


def test_a_new_value_is_live_and_stored_with_its_user(place, act_as):
    act_as("ann")
    result = set_(place, "EMAIL_HOST", f"{SECRET}\n")
    result.must_print("", f"==> {place.name} has the new settings")
    assert stored(place)["EMAIL_HOST"] == live(place)["EMAIL_HOST"] == SECRET
    setting = place.environment.settings.load()["EMAIL_HOST"]
    assert (setting.actor, setting.time[:10]) == ("ann", "2026-11-25")
    assert events(place)[-1] == ("ann", "set EMAIL_HOST", "ok")
    assert (place.serves(), place.remembered()) == (1, (1, None))
    assert SECRET not in result.err + json.dumps(place.environment.state.history())
    assert place.holder() is None


def test_other_settings_stay_as_they_are(place):
    before = stored(place)
    set_(place, "EMAIL_HOST", "mail.example").must_succeed()
    assert stored(place) == before | {"EMAIL_HOST": "mail.example"}
    place.run("unset", "EMAIL_HOST").must_succeed()
    assert stored(place) == live(place) == before
    assert events(place)[-1] == ("unknown", "unset EMAIL_HOST", "ok")


def test_a_value_that_the_application_refuses_is_refused_before_any_change(place):
    with place.unchanged():
        set_(place, "EMAIL_HOST", "refused").must_fail(
            "the application refuses the settings: nothing was changed",
            "EMAIL_HOST: it is not what the application expects",
            status=2,
        )
    assert "EMAIL_HOST" not in stored(place)


@pytest.mark.parametrize(("name", "value"), [("LONG_GONE", "x"), ("EMAIL_PORT", "refused")])
def test_a_stored_setting_that_the_application_refuses_stops_no_change_of_another(place, name, value):
    """As after a rollback to an image that does not know the setting, or after an edit by hand."""
    edit(place, name, value)
    set_(place, "EMAIL_HOST", "mail.example").must_succeed()
    assert live(place)["EMAIL_HOST"] == stored(place)["EMAIL_HOST"] == "mail.example"
    assert stored(place)[name] == value
    with place.unchanged():
        set_(place, "EMAIL_HOST", "refused").must_fail(
            "why: EMAIL_HOST: it is not what the application expects\n", status=2
        )
    set_(place, "EMAIL_PORT", "refused").must_fail("EMAIL_PORT: it is not what the application expects", status=2)


@pytest.mark.parametrize("name", ["SECRET_KEY", "EMAIL_HOST"])
def test_the_old_value_stays_when_the_application_does_not_become_ready(place, name):
    before = stored(place)
    what = "was not ready within 45 s" if place.name == "dev" else "the rollout failed"
    set_(place, name, "unready").must_fail(what, f"{place.name} keeps its previous settings")
    assert stored(place) == live(place) == before
    assert place.serves() == 1
    assert events(place)[-1] == ("unknown", f"set {name}", "failed")
    set_(place, name, "another").must_succeed()
    assert stored(place) == live(place) == before | {name: "another"}


def test_a_migration_that_fails_with_other_settings_names_them_as_the_cause(place):
    """The code was live before, so it is not the cause: with a wrong password, the migration is what fails first."""
    place.world.push(1, "migration")
    set_(place, "EMAIL_HOST", "mail.example").must_fail("the migration failed", "remedy: correct the setting")
    edited = place.environment.settings.load() | {"EMAIL_HOST": settings.Setting("by-hand.example")}
    place.environment.settings.save(edited)
    place.deploy(1).must_fail("the migration failed", "remedy: correct the setting")
    place.deploy(2, "migration").must_fail("the migration failed", "remedy: fix it, commit, and deploy again")


def test_the_old_value_stays_when_the_new_one_cannot_be_stored(place, monkeypatch):
    before = stored(place)

    def fail(*arguments, **options):
        raise settings.CommandError("the disk is full", "no space", "df")

    monkeypatch.setattr(settings.FileSettings, "save", fail)
    set_(place, "EMAIL_HOST", "mail.example").must_fail("the disk is full", "keeps its previous settings")
    assert stored(place) == live(place) == before
    assert place.serves() == 1


def test_settings_that_another_program_stores_during_a_change_stay(place, monkeypatch):
    kind = type(place.environment)
    before, prove = live(place), kind.prove

    def edited(environment, candidate):
        edit(place, "EMAIL_PORT", "2525")
        prove(environment, candidate)

    with monkeypatch.context() as context:
        context.setattr(kind, "prove", edited)
        failed = set_(place, "EMAIL_HOST", "mail.example")
    failed.must_fail(f"the stored settings of {place.name} have changed meanwhile")
    assert stored(place) == before | {"EMAIL_PORT": "2525"}
    assert live(place) == before
    set_(place, "EMAIL_HOST", "mail.example").must_succeed()
    assert stored(place) == live(place) == before | {"EMAIL_PORT": "2525", "EMAIL_HOST": "mail.example"}


@pytest.mark.parametrize("directory", ["settings", "state"])
def test_a_full_disk_keeps_the_old_value(place, monkeypatch, directory):
    before, opened = stored(place), os.open

    def full(path, flags, *arguments, **options):
        if flags & os.O_WRONLY and str(path).startswith(str(getattr(place.paths, directory))):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return opened(path, flags, *arguments, **options)

    with monkeypatch.context() as disk:
        disk.setattr(os, "open", full)
        failed = set_(place, "EMAIL_HOST", "mail.example")
    failed.must_fail("can't write", "why: No space left")
    assert "Traceback" not in failed.err
    assert stored(place) == live(place) == before
    set_(place, "EMAIL_HOST", "mail.example").must_succeed()


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("UNKNOWN", "x", "the application has no setting of this name"),
        ("DATABASE_IN_USE", "0", "the application has no setting of this name"),
        ("DEBUG", "1", "it is for developers"),
        ("lower", "x", "expected capital letters"),
        ("EMAIL_HOST", "a\nb", "expected one line"),
        ("EMAIL_HOST", b"\xff", "it is not UTF-8"),
        ("EMAIL_HOST", "x" * 70000, "it has more than 4096 bytes"),
        ("EMAIL_HOST", "", "only a setting that is removed has no value"),
        ("ALLOWED_HOSTS", "shop.*", "expected names separated by commas"),
        ("ALLOWED_HOSTS", f"shop.example,{'x' * 254}", "each of at most 253 characters"),
    ],
)
def test_a_wrong_setting_or_value_is_refused_before_any_change(place, name, value, why):
    before = stored(place)
    with place.unchanged():
        set_(place, name, value).must_fail(why, status=2)
    assert stored(place) == before


@pytest.mark.parametrize("name", ["SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL"])
def test_a_required_setting_cannot_be_removed(place, name):
    with place.unchanged():
        why, remedy = "the application requires it, and it has no default", f"make set-{place.name} SETTING={name}"
        place.run("unset", name).must_fail(why, remedy, status=2)


@pytest.mark.parametrize("name", ["COOKIE_SUFFIX", "EMAIL_HOST", "LONG_GONE"])
def test_a_setting_with_a_default_or_that_the_image_does_not_know_can_be_removed(place, name):
    edit(place, name, "x")
    place.run("unset", name).must_succeed()
    assert name not in stored(place)


def test_the_same_value_again_changes_nothing(place):
    set_(place, "EMAIL_HOST", "mail.example").must_succeed()
    with place.unchanged():
        set_(place, "EMAIL_HOST", "mail.example").must_print("", "has this value of EMAIL_HOST already")
        place.run("unset", "EMAIL_PORT").must_print("", "has no EMAIL_PORT")


def test_the_same_value_again_is_applied_if_it_is_not_live(place):
    edit(place, "EMAIL_HOST", "mail.example")
    set_(place, "EMAIL_HOST", "mail.example").must_succeed()
    assert live(place)["EMAIL_HOST"] == "mail.example"


def test_a_broken_value_in_the_file_can_be_replaced(place):
    edit(place, "EMAIL_HOST", "unready")
    place.deploy(1).must_fail("Still live: " + image(1))
    set_(place, "EMAIL_HOST", "mail.example").must_succeed()
    assert stored(place)["EMAIL_HOST"] == live(place)["EMAIL_HOST"] == "mail.example"


def test_before_the_first_deploy_nothing_can_be_set(host):
    for place in (host.dev, host.prod):
        set_(place, "EMAIL_HOST", "x").must_fail("there are no settings yet", f"make deploy-{place.name}")
        assert stored(place).keys() == {"SECRET_KEY", "DATABASE_URL", "ALLOWED_HOSTS"}


def test_without_a_live_image_a_value_is_checked_and_stored_for_the_next_deploy(host):
    for place in (host.dev, host.prod):
        place.deploy(1, "migration").must_fail()
        set_(place, "EMAIL_HOST", "refused").must_fail("the application refuses", status=2)
        set_(place, "EMAIL_HOST", "mail.example").must_print("", f"make deploy-{place.name} applies it")
        assert events(place)[-1] == ("unknown", "set EMAIL_HOST", "ok")
        place.deploy(2).must_succeed()
        assert live(place)["EMAIL_HOST"] == "mail.example"


def test_an_image_that_is_older_than_its_settings_is_reported(host):
    for place in (host.dev, host.prod):
        place.deploy(1, "no-settings").must_succeed()
        with place.unchanged():
            for result in (set_(place, "EMAIL_HOST", "x"), place.run("settings"), place.run("unset", "EMAIL_HOST")):
                result.must_fail("does not define its settings", f"deploy a newer one: make deploy-{place.name}")


def test_a_deploy_that_was_killed_is_to_be_completed_first(place):
    place.world.push(2)
    between = 0
    for _ in kills(place, lambda: place.run("deploy", image(2))):
        result = set_(place, "EMAIL_HOST", "mail.example")
        between += result.status
        if place.environment.live() != place.environment.state.load().current:
            result.must_fail("is between two images: nothing was changed", f"make deploy-{place.name}")
        else:
            result.must_succeed()
        place.run("deploy", image(2)).must_succeed()
        assert (place.serves(), place.remembered()) == (2, (2, 1))
    assert between >= 2


@pytest.mark.parametrize("heal", ["deploy", "set"])
def test_a_change_that_was_killed_leaves_the_old_value_or_the_new_one(place, heal):
    before, number = stored(place), 0
    for _ in kills(place, lambda: set_(place, "EMAIL_HOST", "mail.example")):
        number += 1
        assert place.serves() == 1
        assert stored(place) in (before, before | {"EMAIL_HOST": "mail.example"})
        if heal == "deploy":
            place.deploy(1).must_succeed()
        else:
            set_(place, "EMAIL_PORT", "2525").must_succeed()
        assert live(place) == stored(place)
        assert (place.serves(), place.remembered()) == (1, (1, None))
        set_(place, "EMAIL_HOST", "unready").must_fail("keeps its previous settings")
        assert live(place) == stored(place)
    assert number >= 8


def test_a_change_that_fails_after_a_killed_one_leaves_the_stored_value(host):
    """Also when the killed one had stored its value, but not the manifests with it."""
    place = host.prod
    place.deployed(1)
    for _ in kills(place, lambda: set_(place, "EMAIL_HOST", "mail.example")):
        before = stored(place)
        set_(place, "EMAIL_PORT", "unready").must_fail("keeps its previous settings")
        assert live(place) == stored(place) == before


def test_a_change_that_fails_and_is_killed_leaves_the_old_value(place):
    before = stored(place)
    for _ in kills(place, lambda: set_(place, "EMAIL_HOST", "unready")):
        assert place.serves() == 1
        assert stored(place) == before
        place.deploy(1).must_succeed()
        assert live(place) == before


def test_a_deploy_of_the_live_image_applies_newer_settings(place, act_as):
    edit(place, "EMAIL_HOST", "mail.example")
    act_as("ann")
    place.deploy(1).must_print("", f"==> {place.name} serves {image(1)}")
    assert live(place)["EMAIL_HOST"] == "mail.example"
    assert events(place)[-1] == ("ann", "restart", "ok")
    with place.unchanged():
        place.deploy(1).must_print("", "serves localhost:5000/book-shop@sha256:", "already")


def test_a_deploy_of_another_image_and_a_rollback_apply_the_stored_settings(place):
    place.deployed(2)
    edit(place, "EMAIL_HOST", "one")
    place.deployed(3)
    assert live(place)["EMAIL_HOST"] == "one"
    set_(place, "EMAIL_HOST", "two").must_succeed()
    place.rollback().must_succeed()
    assert (place.serves(), live(place)["EMAIL_HOST"]) == (2, "two")


def test_neither_a_change_nor_a_restart_is_a_deploy(place):
    """A second rollback in a row is refused, undo finds the deploy, and an image stays one that was served."""
    place.deployed(2)
    place.rollback().must_succeed()
    set_(place, "EMAIL_HOST", "one").must_succeed()
    set_(place, "EMAIL_HOST", "unready").must_fail()
    edit(place, "EMAIL_PORT", "2525")
    place.deploy(1).must_succeed()
    assert events(place)[-1][1:] == ("restart", "ok")
    place.rollback().must_fail("was a rollback: nothing was changed")
    place.deploy(2).must_fail("was rolled back")
    place.deployed(3)
    set_(place, "EMAIL_HOST", "two").must_succeed()
    place.undo(3).must_succeed()
    assert (place.serves(), live(place)["EMAIL_HOST"]) == (1, "two")
    with place.unchanged():
        place.deploy(1).must_print("", "already")


def test_a_failed_change_does_not_count_as_a_failed_deploy(place):
    set_(place, "EMAIL_HOST", "unready").must_fail()
    with place.unchanged():
        place.deploy(1).must_print("", "already")
    place.deployed(2)
    place.rollback(1).must_succeed()


def test_status_shows_whether_newer_settings_are_stored(host, place):
    def pending():
        (entry,) = (e for e in json.loads(host.run("status").out)["environments"] if e["environment"] == place.name)
        return entry["settings_pending"]

    assert pending() is False
    edit(place, "EMAIL_HOST", "mail.example")
    assert pending() is True
    place.deploy(1).must_succeed()
    assert pending() is False
    edit(place, "not a setting", "")
    assert pending() is None


def test_status_of_an_environment_without_an_image_has_no_pending_settings(host):
    assert {e["settings_pending"] for e in json.loads(host.run("status").out)["environments"]} == {None}


def test_nginx_has_the_names_of_the_environment_after_a_change(host, place):
    other = host.prod if place.name == "dev" else host.dev
    set_(place, "ALLOWED_HOSTS", "shop.example, .example.org,").must_succeed()
    lists = {p.name: (p.paths.nginx / f"allowed-hosts-{p.name}.conf").read_text() for p in (place, other)}
    names = ".example.org 1;\n127.0.0.1 1;\ndefault 0;\nlocalhost 1;\nshop.example 1;\n"
    assert lists == {place.name: names, other.name: NGINX}
    assert [call for call in place.world.calls if call in ("nginx -t", "systemctl reload")] == [
        "nginx -t",
        "systemctl reload",
    ]


def test_nginx_has_the_host_of_the_public_url(place):
    file = place.paths.nginx / f"allowed-hosts-{place.name}.conf"
    set_(place, "PUBLIC_URL", "https://shop.example:8443").must_succeed()
    assert file.read_text() == "127.0.0.1 1;\ndefault 0;\nlocalhost 1;\nshop.example 1;\n"
    set_(place, "ALLOWED_HOSTS", ".example").must_succeed()
    assert file.read_text() == ".example 1;\n127.0.0.1 1;\ndefault 0;\nlocalhost 1;\nshop.example 1;\n"
    set_(place, "PUBLIC_URL", "http://default").must_succeed()
    assert file.read_text() == ".example 1;\n127.0.0.1 1;\n\\default 1;\ndefault 0;\nlocalhost 1;\n"
    place.run("unset", "PUBLIC_URL").must_succeed()
    assert file.read_text() == ".example 1;\n127.0.0.1 1;\ndefault 0;\nlocalhost 1;\n"


@pytest.mark.parametrize(
    ("first", "change", "during", "after"),
    [
        ({}, ("PUBLIC_URL", "https://new.example"), "new.example", None),
        ({"PUBLIC_URL": "https://old.example"}, ("PUBLIC_URL", ""), "old.example", ""),
        ({"PUBLIC_URL": "https://a.example"}, ("PUBLIC_URL", "http://b.example"), "a.example b.example", "b.example"),
        ({"ALLOWED_HOSTS": "a.example"}, ("ALLOWED_HOSTS", ".a.example,c.example"), ".a.example c.example", None),
        (
            {"ALLOWED_HOSTS": "a.example", "PUBLIC_URL": "http://b.example"},
            ("ALLOWED_HOSTS", "c.example"), "a.example b.example c.example", "b.example c.example",
        ),
    ],
)  # fmt: skip
def test_nginx_answers_the_old_and_the_new_names_while_both_are_live(place, first, change, during, after):
    """Pods with another PUBLIC_URL redirect visitors to it as soon as they are ready."""

    def names():
        lines = (place.paths.nginx / f"allowed-hosts-{place.name}.conf").read_text().splitlines()
        assert (place.paths.state / "nginx-loaded").exists()
        return " ".join(line.removesuffix(" 1;") for line in lines if "example" in line)

    for name, value in first.items():
        set_(place, name, value).must_succeed()
    before, seen = names(), []
    starts = "docker.start" if place.name == "dev" else "kubernetes.apply"
    for fault in ("it is full", None):
        place.world.before(starts, lambda: seen.append(names()))
        place.world.failures[starts] = [fault]
        result = set_(place, *change) if change[1] else place.run("unset", change[0])
        assert (result.status != 0, names()) == (bool(fault), before if fault else during if after is None else after)
    assert seen == [during] * 2


@pytest.mark.parametrize("value", ["shop.example", "https://shop.example/", "https://x 1;}server{", "https://*"])
def test_a_public_url_that_nginx_cannot_have_stops_a_deploy_before_any_change(place, value):
    edit(place, "PUBLIC_URL", value)
    with place.unchanged():
        remedy = f"make set-{place.name} SETTING=PUBLIC_URL"
        result = place.deploy(2)
        result.must_fail("invalid PUBLIC_URL: nothing was changed", remedy, status=2)
    assert value not in result.err


def test_nginx_reads_its_own_words_as_host_names(place):
    set_(place, "ALLOWED_HOSTS", "default,Include,hostnames,volatile,default.example").must_succeed()
    names = (place.paths.nginx / f"allowed-hosts-{place.name}.conf").read_text().splitlines()
    words = ["\\default 1;", "\\hostnames 1;", "\\include 1;", "\\volatile 1;"]
    assert sorted(names) == sorted([*words, "127.0.0.1 1;", "default 0;", "default.example 1;", "localhost 1;"])


def test_nginx_is_reloaded_only_when_the_names_have_changed(place):
    def reloads():
        return place.world.calls.count("systemctl reload")

    set_(place, "EMAIL_HOST", "mail.example").must_succeed()
    place.deployed(2)
    assert reloads() == 0
    set_(place, "ALLOWED_HOSTS", "shop.example").must_succeed()
    assert reloads() == 1
    edit(place, "ALLOWED_HOSTS", "other.example")
    place.deploy(2).must_succeed()
    assert reloads() == 2
    assert "other.example 1;" in (place.paths.nginx / f"allowed-hosts-{place.name}.conf").read_text()


def test_a_change_of_the_names_that_was_killed_before_nginx_loaded_them_is_completed(place):
    file, written, loaded = place.paths.nginx / f"allowed-hosts-{place.name}.conf", 0, [NGINX]

    def load():
        loaded.append(file.read_text())
        place.world.before("systemctl reload", load)

    load()
    for _ in kills(place, lambda: set_(place, "ALLOWED_HOSTS", "shop.example")):
        written += file.read_text() != NGINX
        place.deploy(1).must_succeed()
        is_new = stored(place)["ALLOWED_HOSTS"] == "shop.example"
        assert ("shop.example" in file.read_text()) == is_new
        assert (place.paths.state / "nginx-loaded").exists()
        assert file.read_text() == loaded[-1]
        loaded.append(NGINX)
    assert written >= 2


def test_nginx_loads_the_files_of_one_change_at_a_time(host, place):
    """Or the mark of one change would hide that NGINX has not loaded the files of the other one, or of bootstrap."""
    seen = []

    def other_change():
        with open(host.paths.locks / "book-shop-nginx", "a") as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        seen.append((host.paths.state / "nginx-loaded").exists())

    place.world.before("systemctl reload", other_change)
    set_(place, "ALLOWED_HOSTS", "shop.example").must_succeed()
    assert seen == [False]


def test_nginx_asks_for_the_password_of_dev_only_and_reloads_if_it_has_changed(host, place):
    file = host.paths.nginx / "secrets/preview-password.conf"
    none, texts = file.read_text(), set()
    for value in ("a long password", "a long password", "another password", ""):
        edit(place, "PREVIEW_PASSWORD", value)
        place.deploy(1).must_succeed()
        assert (file.read_text() == none) == (place.name == "prod" or not value)
        assert "password" not in file.read_text()
        texts.add(file.read_text())
        assert place.name == "prod" or file.stat().st_mode & 0o777 == 0o600
    assert len(texts) == (1 if place.name == "prod" else 3)
    assert place.world.calls.count("systemctl reload") == (0 if place.name == "prod" else 3)


def test_a_name_that_nginx_cannot_have_stops_a_deploy_before_any_change(place):
    edit(place, "ALLOWED_HOSTS", "shop.*")
    with place.unchanged():
        remedy = f"make set-{place.name} SETTING=ALLOWED_HOSTS"
        place.deploy(2).must_fail("invalid ALLOWED_HOSTS: nothing was changed", remedy, status=2)


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [("ALLOWED_HOSTS", "shop.*", "shop.example"), ("PUBLIC_URL", "https://shop.example/", "https://shop.example")],
)
def test_a_stored_value_that_nginx_cannot_have_can_be_corrected(place, name, wrong, right):
    edit(place, name, wrong)
    place.deploy(2).must_fail(f"invalid {name}", f"make set-{place.name} SETTING={name}", status=2)
    set_(place, name, right).must_succeed()
    assert stored(place)[name] == live(place)[name] == right
    assert "\nshop.example 1;" in (place.paths.nginx / f"allowed-hosts-{place.name}.conf").read_text()


def test_settings_lists_what_the_image_defines(place, act_as):
    act_as("ann")
    set_(place, "EMAIL_HOST", "mail.example").must_succeed()
    edit(place, "LONG_GONE", SECRET)
    entries = {entry["name"]: entry for entry in json.loads(place.run("settings").out)}
    assert list(entries) == [definition["name"] for definition in SCHEMA] + ["LONG_GONE"]
    assert entries["EMAIL_HOST"]["is_set"] is True
    assert entries["EMAIL_HOST"]["actor"] == "ann"
    assert entries["EMAIL_PORT"]["is_set"] is False
    assert entries["SECRET_KEY"]["actor"] is None
    assert [name for name, entry in entries.items() if "value" in entry] == []


def test_settings_has_values_on_request_except_those_of_secrets(place):
    set_(place, "EMAIL_HOST", "mail.example").must_succeed()
    edit(place, "LONG_GONE", SECRET)
    result = place.run("settings", "values")
    found = {entry["name"]: entry["value"] for entry in json.loads(result.out) if "value" in entry}
    assert found == {"ALLOWED_HOSTS": "localhost", "EMAIL_HOST": "mail.example"}
    for secret in ("the-key", "the-password", SECRET):
        assert secret not in result.out + result.err


def secrets(place):
    return {key.partition("/")[2] for key in place.world.kubernetes.objects if key.startswith("secret/")}


def test_prod_keeps_the_secrets_that_are_used_and_deletes_the_others(host):
    place = host.prod
    place.deployed(1)
    first = secrets(place)
    set_(place, "EMAIL_HOST", "one").must_succeed()
    second = secrets(place)
    assert len(first) == 1
    place.world.pass_time(60)  # the old pods end
    set_(place, "EMAIL_HOST", "two").must_succeed()
    place.world.pass_time(60)
    place.deployed(2)
    assert secrets(place) == {f"book-shop-env-{settings.version(stored(place))}"}
    assert not secrets(place) & (first | second)


def test_the_secret_of_another_pod_that_runs_is_kept(host):
    """For example of a command that takes long."""
    place, kubernetes = host.prod, host.world.kubernetes
    place.deployed(1)
    (name,) = secrets(place)
    (pod, *_) = kubernetes.pods("app.kubernetes.io/component=web")
    kubernetes._pods.append(pod | {"metadata": {"name": "command", "labels": {}}, "end": None})
    for value in ("one", "two"):
        set_(place, "EMAIL_HOST", value).must_succeed()
    assert len(secrets(place)) == 2
    assert name in secrets(place)


def test_pods_that_crash_start_again_with_the_settings_that_they_had(host):
    """The Secret of the live pods is immutable, and stays whatever happens to another one."""
    place = host.prod
    place.deployed(1)
    (name,) = secrets(place)
    before = place.world.kubernetes.objects[f"secret/{name}"]
    assert before["immutable"] is True
    set_(place, "EMAIL_HOST", "unready").must_fail()
    place.deploy(2, "never-ready").must_fail()
    assert place.world.kubernetes.objects[f"secret/{name}"] == before
    assert place.world.kubernetes.rolled_out_secret == name
    assert f'"{name}"' in place.environment.state.load().manifests


def test_the_pods_of_a_host_that_was_upgraded_keep_their_secret_until_a_deploy(host, monkeypatch):
    place, world = host.prod, host.world
    plain = {"kind": "Secret", "metadata": {"name": "book-shop-env"}, "data": {}}
    with monkeypatch.context() as old:
        old.setattr("delivery.settings.version", lambda values: "")
        place.deployed(1)
    assert secrets(place) == {"book-shop-env"}
    world.kubernetes.objects["secret/book-shop-env"] |= plain
    entries = json.loads(host.run("status").out)["environments"]
    assert entries[1]["settings_pending"] is None
    place.deploy(2, "never-ready").must_fail()
    assert (place.serves(), world.kubernetes.rolled_out_secret) == (1, "book-shop-env")
    assert "book-shop-env" in secrets(place)
    place.deploy(1).must_succeed()
    assert live(place) == stored(place)
    world.pass_time(60)
    place.deployed(3)
    assert "book-shop-env" not in secrets(place)


def test_expired_sessions_are_deleted_in_the_database_of_the_stored_settings(host):
    """The fake of PostgreSQL has the database of this name only."""
    for place in (host.dev, host.prod):
        place.deployed(1)
        databases = place.world.postgres.databases
        databases["another"] = databases.pop(f"book_shop_{place.name}")
        text = SETTINGS.format(place.name).replace(f"/book_shop_{place.name}", "/another")
        (place.paths.settings / f"{place.name}.env").write_text(text)
    host.run("clear-sessions").must_succeed()
    assert host.world.postgres.databases["another"]["sessions"] == 0


def test_a_second_change_waits_for_the_first(place, monkeypatch):
    monkeypatch.setenv("DELIVERY_LOCK_WAIT", "1")
    with place.locked("set A in dev, by ann"):
        set_(place, "EMAIL_HOST", "x").must_fail("is locked", "set A in dev, by ann")
    assert "EMAIL_HOST" not in stored(place)
