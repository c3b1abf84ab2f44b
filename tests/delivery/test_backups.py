"""The list of backups: its names, its words, and which of it is chosen."""

import datetime

import pytest
from delivery import backups
from delivery.cli import CommandError

NOW = datetime.datetime(2026, 11, 25, 12, tzinfo=datetime.timezone.utc)
DEV = backups.Backup("dev", "20261125T031500Z", 32568)
REPLACED = backups.Backup("prod", "20261125T100000Z-replaced", 1)
PROD = backups.Backup("prod", "20261124T031500Z", 1_500_000)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(backups, "now", lambda: NOW)


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        ({"seconds": -5}, "0 min"),  # the host's clock is ahead
        ({"minutes": 119, "seconds": 59}, "119 min"),
        ({"hours": 2}, "2 h"),
        ({"hours": 47, "minutes": 59}, "47 h"),
        ({"hours": 48}, "2 days"),
        ({"days": 400}, "400 days"),
    ],
)
def test_an_age_is_told_in_one_unit(passed, words):
    assert backups.age(datetime.timedelta(**passed)) == words


def test_a_backup_is_a_line():
    assert str(DEV) == "dev   20261125T031500Z               33 kB  8 h ago"
    assert str(PROD) == "prod  20261124T031500Z              1.5 MB  32 h ago"


def test_the_latest_is_none_that_a_restore_has_made():
    found = [DEV, REPLACED, PROD]
    assert backups.select(found, "prod", "latest") == PROD
    assert backups.select(found, "prod", REPLACED.name) == REPLACED
    assert backups.select(found, "dev", "latest") == DEV


@pytest.mark.parametrize("name", ["latest", DEV.name, "20261125T031501Z"])
def test_another_environments_backup_is_not_there(name):
    with pytest.raises(CommandError, match=f"prod has no backup {name}") as raised:
        backups.select([DEV, REPLACED], "prod", name)
    assert raised.value.remedy == "make backups"


def test_a_night_without_a_backup_is_told():
    assert backups.overdue([DEV, REPLACED], "dev") is None
    assert backups.overdue([DEV, REPLACED], "prod") == "prod has no backup"
    assert backups.overdue([DEV, REPLACED, PROD], "prod").startswith("prod's newest backup is 32 h old")
