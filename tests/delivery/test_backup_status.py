"""Whether a nightly dump is missing, as the host reports it."""

import time

import pytest
from delivery import backup

HOUR = 3600


def dump_of(directory, hours, suffix=""):
    name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - hours * HOUR)) + suffix
    (directory / "dev").mkdir(exist_ok=True)
    (directory / "dev" / f"{name}.dump").touch()
    return name


def deployed(hours):
    return [{"time": time.strftime(backup.STAMP, time.gmtime(time.time() - hours * HOUR))}]


@pytest.mark.parametrize(("hours", "overdue"), [(0, False), (25.9, False), (26.1, True), (2000, True)])
def test_the_newest_nightly_dump_counts(tmp_path, hours, overdue):
    dump_of(tmp_path, hours + 24)
    newest = dump_of(tmp_path, hours)
    dump_of(tmp_path, 0, backup.REPLACED)  # of a restore
    (tmp_path / "dev" / "new").touch()  # of a dump that failed
    found = backup.status(tmp_path, "dev", deployed(5000))
    assert found == {"last_backup": newest, "backup_overdue": overdue}


@pytest.mark.parametrize(("history", "overdue"), [([], False), (deployed(25), False), (deployed(27), True)])
def test_without_a_dump_the_first_deploy_counts(tmp_path, history, overdue):
    assert backup.status(tmp_path, "dev", history) == {"last_backup": None, "backup_overdue": overdue}
