"""backup, backups and clear-sessions on a host."""

import pytest
from fakes import image


@pytest.fixture
def data(host):
    """The databases have data."""
    for name in ("dev", "prod"):
        host.world.postgres.databases[f"book_shop_{name}"]["data"] = f"{name}'s books"
    return host.world.postgres.databases


def dumps(host, name):
    return sorted(path.name for path in (host.paths.backups / name).iterdir())


def test_a_backup_prints_the_path_of_a_whole_dump_that_only_root_reads(host, data):
    result = host.run("backup", "dev")
    path = host.paths.backups / "dev/20261125T031500Z.dump"
    assert result == (0, f"{path}\n", "==> back up dev\n")
    assert "dev's books" in path.read_text()
    assert path.read_text().endswith("\nend\n")
    assert (dumps(host, "dev"), dumps(host, "prod")) == (["20261125T031500Z.dump"], [])


def test_a_backup_is_of_both_when_none_is_named(host, data):
    result = host.run("backup")
    assert [line.split("/")[-2] for line in result.out.splitlines()] == ["dev", "prod"]
    (path,) = (host.paths.backups / "prod").iterdir()
    assert "prod's books" in path.read_text()


@pytest.mark.parametrize(("failing", "other"), [("dev", "prod"), ("prod", "dev")])
def test_a_backup_that_fails_does_not_keep_the_other_one_from_its_own(host, data, failing, other):
    del data[f"book_shop_{failing}"]
    result = host.run("backup")
    assert result.status == 1
    assert result.out == f"{host.paths.backups}/{other}/20261125T031500Z.dump\n"
    assert f"database book_shop_{failing} does not exist" in result.err


def test_both_failures_of_a_backup_are_reported(host, data):
    data.clear()
    result = host.run("backup")
    assert (result.status, result.out) == (1, "")
    for name in ("dev", "prod"):
        assert f"database book_shop_{name} does not exist" in result.err


def test_the_newest_14_of_each_kind_are_kept(host, data, monkeypatch):
    for second in range(1, 21):
        for suffix in ("", "-replaced"):
            (host.paths.backups / f"dev/20261124T0000{second:02}Z{suffix}.dump").touch()
    (host.paths.backups / "prod/20261124T000000Z.dump").touch()

    def nightly():
        return [name for name in dumps(host, "dev") if "replaced" not in name]

    assert host.run("backup", "dev").status == 0
    assert nightly() == [f"20261124T0000{second:02}Z.dump" for second in range(8, 21)] + ["20261125T031500Z.dump"]
    assert len(dumps(host, "dev")) == 14 + 20
    monkeypatch.setenv("DELIVERY_KEEP", "1")
    host.run("backup", "dev")
    assert len(nightly()) == 1
    monkeypatch.setenv("DELIVERY_KEEP", "2")
    host.run("backup", "dev")
    assert len(nightly()) == 2
    assert dumps(host, "prod") == ["20261124T000000Z.dump"]


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", " ", "100000", "٣"])
def test_a_number_of_dumps_that_is_none_removes_nothing(host, data, monkeypatch, value):
    host.run("backup", "dev")
    before = dumps(host, "dev")
    monkeypatch.setenv("DELIVERY_KEEP", value)
    result = host.run("backup", "dev")
    assert (result.status, result.out) == (2, "")
    assert "expected a number of dumps, 1 to 99999" in result.err
    assert dumps(host, "dev") == before


@pytest.mark.parametrize("call", ["postgres.dump", "postgres.check_dump"])
def test_a_dump_that_failed_is_none_and_removes_no_older_one(host, data, monkeypatch, call):
    monkeypatch.setenv("DELIVERY_KEEP", "1")
    host.run("backup", "dev")
    before = dumps(host, "dev")
    host.world.failures[call] = ["no space left"]
    result = host.run("backup", "dev")
    assert (result.status, result.out) == (1, "")
    assert "the dump of book_shop_dev failed\n  why: no space left. No older one was removed" in result.err
    assert [name for name in dumps(host, "dev") if name.endswith(".dump")] == before
    host.world.pass_time(1)
    assert host.run("backup", "dev").status == 0
    assert len(dumps(host, "dev")) == 1
    assert dumps(host, "dev") != before


def test_without_space_no_backup_begins(host, data):
    host.world.free = 999
    before = host.files()
    result = host.run("backup", "dev")
    assert result.status == 1
    assert "not enough disk space: nothing was changed\n  why: 999 bytes are free, 1000 are required" in result.err
    assert {**host.files(), host.paths.locks / "book-shop-dev": b""} == {
        **before,
        host.paths.locks / "book-shop-dev": b"",
    }


def test_two_backups_in_one_second_are_two(host, data):
    existing = host.paths.backups / "dev/20261125T031500Z.dump"
    existing.write_text("the first")
    assert host.run("backup", "dev").out == f"{host.paths.backups}/dev/20261125T031501Z.dump\n"
    assert existing.read_text() == "the first"


def test_no_backup_during_a_deploy_or_restore(host, data, monkeypatch):
    monkeypatch.setenv("DELIVERY_LOCK_WAIT", "1")
    with host.dev.locked("restore dev latest, process 1, since then"):
        result = host.run("backup")
    assert result.status == 1
    assert "dev is locked\n  why: it is held by: restore dev latest, process 1, since then" in result.err
    assert len(dumps(host, "prod")) == 1


def test_a_list_of_no_backups(host):
    result = host.run("backups")
    assert (result.status, result.out.strip(), result.err) == (0, "", "")


def test_the_list_of_backups(host):
    for name, content in {
        "prod/20261125T031500Z.dump": "1", "prod/20261124T031500Z.dump": "22", "prod/20261124T120000Z-replaced.dump":
        "333", "dev/20261123T031500Z.dump": "4444", "dev/new": "half", "dev/notes.dump": "", "dev/2026Z.dump": "",
    }.items():  # fmt: skip
        (host.paths.backups / name).write_text(content)
    before = host.files()
    assert host.run("backups").out == (
        "dev 20261123T031500Z 4\nprod 20261125T031500Z 1\nprod 20261124T120000Z-replaced 3\nprod 20261124T031500Z 2\n"
    )
    assert host.files() == before


def sessions(host):
    databases = host.world.postgres.databases
    return tuple(databases[f"book_shop_{name}"]["sessions"] for name in ("dev", "prod"))


def test_sessions_are_cleared_by_the_live_image_of_each_environment(host):
    assert host.run("clear-sessions").status == 0
    assert sessions(host) == (3, 3)  # nothing is live
    host.prod.deployed(1)
    assert host.run("clear-sessions").status == 0
    assert sessions(host) == (3, 0)
    host.dev.deployed(2)
    assert host.run("clear-sessions").status == 0
    assert sessions(host) == (0, 0)


@pytest.mark.parametrize(("broken", "expected"), [("dev", (3, 0)), ("prod", (0, 3))])
def test_sessions_of_the_other_environment_are_cleared_after_a_failure(host, broken, expected):
    host.dev.deployed(1)
    host.prod.deployed(2)
    host.world.push(1 if broken == "dev" else 2, "migration")  # its container fails
    assert host.run("clear-sessions").status == 1
    assert sessions(host) == expected


@pytest.mark.parametrize("call", ["docker.container", "kubernetes.get"])
def test_sessions_are_cleared_where_the_live_image_can_be_found(host, call):
    host.dev.deployed(1)
    host.prod.deployed(2)
    host.world.failures[call] = ["it broke"]
    result = host.run("clear-sessions")
    assert result.status == 1
    assert "it broke" in result.err
    assert 0 in sessions(host)
    assert image(1)
