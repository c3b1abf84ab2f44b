"""The age of a backup and its name; test_backup_verbs.py tests the list itself."""

import datetime

import pytest
from delivery import backups
from delivery.cli import CommandError

HOUR = 3600  # seconds


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 min"),  # the host's clock is ahead
        (2 * HOUR - 1, "119 min"),
        (2 * HOUR, "2 h"),
        (48 * HOUR - 60, "47 h"),
        (48 * HOUR, "2 days"),
        (400 * 24 * HOUR, "400 days"),
    ],
)
def test_an_age_has_one_unit(seconds, words):
    assert backups.age(datetime.timedelta(seconds=seconds)) == words


@pytest.mark.parametrize("name", ["latest", "20261125T031500Z", "20261125T031501Z"])
def test_refuses_a_backup_that_the_environment_does_not_have(name):
    found = [backups.Backup("dev", "20261125T031500Z", 1), backups.Backup("prod", "20261125T100000Z-replaced", 1)]
    with pytest.raises(CommandError, match=f"prod has no backup {name}") as raised:
        backups.select(found, "prod", name)
    assert raised.value.remedy == "make backups"
