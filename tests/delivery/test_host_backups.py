"""backup, backups and clear-sessions on a host, and whether it reports a missing backup."""

import time

import pytest
from delivery import backup

NOW = "20261125T031500Z"
HOUR = 3600


@pytest.fixture(autouse=True)
def data(host):
    """The databases, with data."""
    for name in ("dev", "prod"):
        host.world.postgres.databases[f"book_shop_{name}"]["data"] = f"{name}'s books"
    return host.world.postgres.databases


def dumps(host, name="dev"):
    return sorted(path.stem for path in (host.paths.backups / name).glob("*.dump"))


def test_a_backup_prints_the_path_of_a_whole_dump(host):
    path = host.paths.backups / f"dev/{NOW}.dump"
    assert host.run("backup", "dev") == (0, f"{path}\n", "==> back up dev\n")
    assert "dev's books" in path.read_text()
    assert path.read_text().endswith("\nend\n")
    assert [path.name for path in host.paths.backups.glob("*/*")] == [f"{NOW}.dump"]


@pytest.mark.parametrize("failing", [[], ["dev"], ["prod"], ["dev", "prod"]])
def test_a_backup_is_of_both_environments_and_a_failure_does_not_stop_the_other(host, data, failing):
    for name in failing:
        del data[f"book_shop_{name}"]
    result = host.run("backup")
    assert result.status == bool(failing)
    paths = [host.paths.backups / f"{name}/{NOW}.dump" for name in ("dev", "prod") if name not in failing]
    assert result.out.splitlines() == [str(path) for path in paths]
    for path in paths:
        assert f"{path.parent.name}'s books" in path.read_text()
    for name in failing:
        assert f"database book_shop_{name} does not exist" in result.err


def test_keeps_the_newest_14_of_each_kind(host, monkeypatch):
    for second in range(1, 21):
        for suffix in ("", "-replaced"):
            (host.paths.backups / f"dev/20261124T0000{second:02}Z{suffix}.dump").touch()
    (host.paths.backups / "prod/20261124T000000Z.dump").touch()

    def nightly():
        return [name for name in dumps(host) if "replaced" not in name]

    assert host.run("backup", "dev").status == 0
    assert nightly() == [f"20261124T0000{second:02}Z" for second in range(8, 21)] + [NOW]
    assert len(dumps(host)) == 14 + 20
    for kept in (1, 2):
        monkeypatch.setenv("DELIVERY_KEEP", str(kept))
        host.run("backup", "dev")
        assert len(nightly()) == kept
    assert dumps(host, "prod") == ["20261124T000000Z"]


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", " ", "100000", "٣"])
def test_an_invalid_number_of_dumps_removes_none(host, monkeypatch, value):
    host.run("backup", "dev")
    monkeypatch.setenv("DELIVERY_KEEP", value)
    result = host.run("backup", "dev")
    assert (result.status, result.out) == (2, "")
    assert "expected a number of dumps, 1 to 99999" in result.err
    assert dumps(host) == [NOW]


@pytest.mark.parametrize("call", ["postgres.dump", "postgres.check_dump"])
def test_a_dump_that_fails_replaces_no_older_one(host, monkeypatch, call):
    monkeypatch.setenv("DELIVERY_KEEP", "1")
    host.run("backup", "dev")
    host.world.failures[call] = ["no space left"]
    result = host.run("backup", "dev")
    assert (result.status, result.out) == (1, "")
    assert "the dump of book_shop_dev failed\n  why: no space left. No older dump was deleted" in result.err
    assert dumps(host) == [NOW]
    host.world.pass_time(1)
    assert host.run("backup", "dev").status == 0
    assert dumps(host) == ["20261125T031501Z"]


def test_no_backup_begins_without_space(host):
    host.world.free = 999
    result = host.run("backup", "dev")
    assert result.status == 1
    assert "not enough disk space: nothing was changed\n  why: 999 bytes are free, 1000 are required" in result.err
    assert host.world.changes == []


def test_two_backups_in_one_second_get_two_names(host):
    existing = host.paths.backups / f"dev/{NOW}.dump"
    existing.write_text("the first")
    assert host.run("backup", "dev").out == f"{host.paths.backups}/dev/20261125T031501Z.dump\n"
    assert existing.read_text() == "the first"


def test_no_backup_of_an_environment_that_is_locked(host, monkeypatch):
    monkeypatch.setenv("DELIVERY_LOCK_WAIT", "1")
    with host.dev.locked("restore dev latest, process 1, since then"):
        result = host.run("backup")
    assert result.status == 1
    assert "dev is locked\n  why: it is held by: restore dev latest, process 1, since then" in result.err
    assert len(dumps(host, "prod")) == 1


def test_lists_the_dumps_of_each_environment_newest_first(host):
    assert host.run("backups") == (0, "", "")
    for name, content in {
        "prod/20261125T031500Z.dump": "1",
        "prod/20261124T031500Z.dump": "22",
        "prod/20261124T120000Z-replaced.dump": "333",
        "dev/20261123T031500Z.dump": "4444",
        **dict.fromkeys(["dev/new", "dev/notes.dump", "dev/2026Z.dump"], "no dump"),
    }.items():
        (host.paths.backups / name).write_text(content)
    before = host.files()
    assert host.run("backups").out == (
        "dev 20261123T031500Z 4\nprod 20261125T031500Z 1\nprod 20261124T120000Z-replaced 3\nprod 20261124T031500Z 2\n"
    )
    assert host.files() == before


def add_dump(host, hours, suffix=""):
    """Adds a dump of that age, and returns its name."""
    name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(host.world.now - hours * HOUR)) + suffix
    (host.paths.backups / f"dev/{name}.dump").touch()
    return name


def first_deploy(host, hours):
    """A history that began so long ago."""
    return [{"time": time.strftime(backup.STAMP, time.gmtime(host.world.now - hours * HOUR))}]


@pytest.mark.parametrize(("hours", "overdue"), [(0, False), (25.9, False), (26.1, True), (2000, True)])
def test_a_backup_is_overdue_by_the_age_of_the_newest_nightly_one(host, hours, overdue):
    add_dump(host, hours + 24)
    newest = add_dump(host, hours)
    add_dump(host, 0, backup.REPLACED)
    (host.paths.backups / "dev/new").touch()  # of a dump that failed
    found = backup.status(host.paths.backups, "dev", first_deploy(host, 5000))
    assert found == {"last_backup": newest, "backup_overdue": overdue}


@pytest.mark.parametrize(("hours", "overdue"), [(None, False), (25, False), (27, True)])
def test_the_first_backup_is_overdue_by_the_age_of_the_first_deploy(host, hours, overdue):
    history = first_deploy(host, hours) if hours else []
    found = backup.status(host.paths.backups, "dev", history)
    assert found == {"last_backup": None, "backup_overdue": overdue}


def sessions(host):
    return tuple(host.world.postgres.databases[f"book_shop_{name}"]["sessions"] for name in ("dev", "prod"))


def test_the_live_image_of_each_environment_clears_its_sessions(host):
    for deploy, expected in [(None, (3, 3)), (host.prod, (3, 0)), (host.dev, (0, 0))]:
        if deploy:
            deploy.deployed(1)
        assert host.run("clear-sessions").status == 0
        assert sessions(host) == expected


@pytest.mark.parametrize(
    ("failing", "expected"), [(1, (3, 0)), (2, (0, 3)), ("docker.container", (3, 0)), ("kubernetes.get", (0, 3))]
)
def test_sessions_of_the_other_environment_are_cleared_after_a_failure(host, failing, expected):
    """The live image of an environment fails, or cannot be found."""
    host.dev.deployed(1)
    host.prod.deployed(2)
    host.world.failures[failing] = ["it broke"]
    if isinstance(failing, int):
        host.world.push(failing, "migration")
    result = host.run("clear-sessions")
    assert result.status == 1
    assert ("exit status 1" if isinstance(failing, int) else "it broke") in result.err
    assert sessions(host) == expected
