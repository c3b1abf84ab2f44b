"""make backup, make backups and make restore: the data on the host. test_backups.py tests the list."""

import datetime

import pytest
from delivery import backups

NOW = datetime.datetime(2026, 11, 25, 6, 15, tzinfo=datetime.timezone.utc)
LATEST, OLDER, REPLACED = "20261125T031500Z", "20261123T061500Z", "20261125T051500Z-replaced"


@pytest.fixture
def host(shop, local_host, monkeypatch):
    monkeypatch.setattr(backups, "now", lambda: NOW)
    local_host.dumps = [f"dev {OLDER} 10000", f"prod {REPLACED} 30000", f"prod {LATEST} 1500000", f"prod {OLDER} 900"]
    return local_host


@pytest.mark.parametrize("environments", [["dev", "prod"], ["dev"], ["prod"]])
def test_backup_prints_the_files_on_the_host(shop, host, environments):
    result = shop.verb("backup", *environments[: len(environments) % 2])  # both by default
    result.must_print("\n".join(f"/var/backups/book-shop/{name}/1.dump" for name in environments))
    assert result.err == "==> the host's backup\n"


def test_backup_that_fails_prints_the_file_that_was_made_on_stderr(shop, host):
    host.failures["backup"] = (1, "backup: no room", "/var/backups/book-shop/prod/1.dump\n")
    shop.verb("backup").must_fail("backup: no room", "/var/backups/book-shop/prod/1.dump")


def test_backups_lists_size_and_age_and_reports_what_is_overdue(shop, host):
    result = shop.verb("backups")
    result.must_print(f"""\
dev   {OLDER}               10 kB  2 days ago
prod  {REPLACED}      30 kB  60 min ago
prod  {LATEST}              1.5 MB  3 h ago
prod  {OLDER}                1 kB  2 days ago""")
    late = "dev's newest backup is 2 days old, but one is made each night. To see why, run on the host: "
    assert result.err == f"==> the host's backups\n==> {late}journalctl -u book-shop-backup\n"
    host.dumps = [f"dev {LATEST} 900", f"prod {REPLACED} 900"]
    assert shop.verb("backups").err.startswith("==> the host's backups\n==> prod has no backup. To see why, run on ")


def test_restore_shows_what_it_does_and_asks_for_the_name_of_the_environment(shop, host):
    result = shop.verb("restore", "prod", stdin="prod\n")
    result.must_print("")
    assert (
        result.err
        == f"""\
==> the host's backups
==> the host's status
==> prod (http://localhost:80) gets the data of 2026-11-25 03:15:00 UTC
prod  {LATEST}              1.5 MB  3 h ago
Changes made there in the last 3 h are removed and kept as a backup.
The data is replaced. Type prod to continue: ==> the host's restore
the answer of restore prod
"""
    )
    assert host.restored == {"prod": LATEST}


@pytest.mark.parametrize(
    ("command", "restored"),
    [
        (f"-y prod {REPLACED}", {"prod": REPLACED}),
        ("-y prod", {"prod": LATEST}),
        ("dev latest -y", {"dev": OLDER}),
    ],
)
def test_restore_takes_a_named_backup_and_does_not_ask_with_y(shop, host, command, restored):
    result = shop.verb("restore", *command.split())
    result.must_print("")
    assert "Type" not in result.err
    assert host.restored == restored


@pytest.mark.parametrize("answer", ["\n", "yes\n", "y\n", "dev\n", "PROD\n", ""])
def test_restore_changes_nothing_without_confirmation(shop, host, answer):
    result = shop.verb("restore", "prod", stdin=answer)
    result.must_fail("not confirmed: nothing was changed", "expected 'prod'")
    assert host.restored == {}


@pytest.mark.parametrize(("environment", "name"), [("dev", LATEST), ("dev", "latest"), ("prod", "latest")])
def test_restore_refuses_a_backup_that_is_not_there(shop, host, environment, name):
    host.dumps = [f"prod {LATEST} 1"] if name == LATEST else [f"prod {REPLACED} 1"]
    result = shop.verb("restore", "-y", environment, name)
    result.must_fail(f"{environment} has no backup {name}", "remedy: make backups")
    assert host.restored == {}


@pytest.mark.parametrize("command", ["backup", "backup prod", "restore prod"])
def test_prods_data_is_not_on_the_host_when_prod_runs_on_a_cluster(shop, host, monkeypatch, command):
    monkeypatch.setenv("DELIVERY_PROD", "cluster")
    messages = ("prod's data is not on the host", "PROD=cluster", "make dump-prod")
    shop.verb(*command.split(), stdin="prod\n").must_fail(*messages, status=2)
    assert host.calls == []


def test_devs_data_stays_on_the_host_when_prod_runs_on_a_cluster(shop, host, monkeypatch):
    monkeypatch.setenv("DELIVERY_PROD", "cluster")
    shop.verb("backup", "dev").must_print("/var/backups/book-shop/dev/1.dump")
    shop.verb("restore", "dev", stdin="dev\n").must_print("")
    assert host.restored == {"dev": OLDER}
