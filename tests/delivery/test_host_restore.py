"""restore on a host."""

from unittest.mock import Mock

import pytest
from fakes import START, image

OLD = "20261125T031500Z"  # the dumps of both environments
SLOT = "book-shop-b"  # the live one of dev


def fill(host, text):
    for name in ("dev", "prod"):
        host.world.postgres.databases[f"book_shop_{name}"]["data"] = text


@pytest.fixture(params=["dev", "prod"])
def place(request, host):
    """An environment with a backup of "old books" that has "new books" now; image 1 is live."""
    host.dev.deployed(1)
    host.prod.deployed(1)
    host.world.now = START
    fill(host, "old books")
    assert host.run("backup").status == 0
    fill(host, "new books")
    host.world.now += 60
    place = getattr(host, request.param)
    place.host, place.databases, place.dumps = host, host.world.postgres.databases, host.paths.backups / place.name
    place.database = f"book_shop_{place.name}"
    return place


def restore(place, name="latest"):
    return place.host.run("restore", place.name, name)


def assert_state(place, data, *replaced):
    """The live data, and the data that restores have kept as dumps, the oldest first; image 1 is live."""
    assert (place.databases[place.database]["data"], place.databases[place.database]["schema"]) == (data, 1)
    assert sorted(place.databases) == ["book_shop_dev", "book_shop_prod"]
    assert [path.read_text().split('"')[3] for path in sorted(place.dumps.glob("*-replaced.dump"))] == [*replaced]
    assert place.serves() == 1


def everything(place):
    files = {path: content for path, content in place.host.files().items() if path.parent != place.paths.locks}
    return place.snapshot(), files


def assert_refused(place, message, name="latest"):
    """Fails before anything is changed."""
    before = everything(place)
    result = restore(place, name)
    assert result.status == 1
    assert message in result.err
    assert everything(place) == before


@pytest.mark.parametrize("name", [OLD, "latest"])
def test_replaces_the_live_data_and_keeps_it_as_a_dump(place, act_as, name):
    act_as("ann")
    result = restore(place, name)
    assert result.status == 0, result.err
    assert result.out == f"{place.dumps}/20261125T031600Z-replaced.dump\n"
    last = f"==> {place.name} has the data of {OLD}; the data that it replaced is kept (above)"
    assert result.err.splitlines()[-1] == last
    assert_state(place, "old books", "new books")
    assert place.history()[-1] == ("ann", f"restore {OLD}", 1, "ok")
    (other,) = place.databases.keys() - {place.database}
    assert place.databases[other]["data"] == "new books"
    assert place.world.docker.containers.keys() == {SLOT}


def test_migrates_the_data_to_the_live_code(place):
    place.deployed(2)
    assert restore(place).status == 0
    assert place.databases[place.database]["schema"] == 2


def test_latest_is_the_newest_dump_that_no_restore_made(place):
    for name, data, replaced in [
        ("latest", "old books", ["new books"]),
        ("latest", "old books", ["new books", "old books"]),
        ("20261125T031600Z-replaced", "new books", ["new books", "old books", "old books"]),  # and back
    ]:
        assert restore(place, name).status == 0
        assert_state(place, data, *replaced)
        place.world.now += 60


def test_the_password_is_in_no_argument_output_or_other_file(place, monkeypatch):
    run = Mock(wraps=place.world.docker.run)
    monkeypatch.setattr(place.world.docker, "run", run)
    result = restore(place)
    (call,) = run.call_args_list
    assert "the-password" not in f"{call.args[:3]} {result}"  # without the settings
    files = {path: content for path, content in place.host.files().items() if path.suffix != ".env"}
    assert not [path for path, content in files.items() if b"the-password" in content]


@pytest.mark.parametrize("name", [OLD, "latest"])
def test_refuses_a_damaged_dump(place, name):
    dump = place.dumps / f"{OLD}.dump"
    dump.write_text(dump.read_text().removesuffix("end\n"))
    why = "could not read from input file: end of file. Nothing was changed"
    assert_refused(place, f"the dump {OLD} is damaged\n  why: {why}", name)


def test_refuses_a_dump_that_does_not_exist(place):
    assert_refused(place, f"{place.name} has no backup '20261126T000000Z'", "20261126T000000Z")
    (place.dumps / f"{OLD}.dump").unlink()
    assert_refused(place, f"{place.name} has no backup 'latest'")


@pytest.mark.parametrize(("size", "required"), [(0, 2000), (205, 3050)])
def test_needs_space_for_a_dump_of_the_live_data_and_for_the_unpacked_database(place, size, required):
    if size:
        (place.dumps / "20261126T000000Z.dump").write_text("x" * (size - 5) + "\nend\n")
    place.world.free = required - 1
    assert_refused(place, f"{required - 1} bytes are free, {required} are required")


def test_needs_a_live_image(place):
    if place.name == "dev":
        place.world.docker.containers.clear()
    else:
        place.world.kubernetes.delete("deployment.apps/book-shop")
    assert_refused(place, f"cannot restore\n  why: {place.name} has no live image")


def test_needs_a_live_database(place):
    del place.databases[place.database]
    assert_refused(place, f"database {place.database} does not exist")


def test_refuses_while_a_deploy_holds_the_lock(place, monkeypatch):
    monkeypatch.setenv("DELIVERY_LOCK_WAIT", "1")
    holder = f"deploy {place.name} {image(2)}, process 1, since then"
    with place.locked(holder):
        assert_refused(place, f"{place.name} is locked\n  why: it is held by: {holder}")


CALLS = ["postgres.create", "postgres.load", "docker.run", "postgres.exchange"]


@pytest.mark.parametrize("failing", [*CALLS, "migration", "migration-hangs"])
def test_a_failure_before_the_exchange_leaves_the_live_data(place, failing):
    if failing in CALLS:
        place.world.failures[failing] = ["it broke"]
    else:
        place.world.push(1, failing)
    result = restore(place)
    assert result.status == 1
    assert f"{place.name} has its previous data" in result.err
    assert_state(place, "new books")
    assert place.history()[-1] == ("unknown", f"restore {OLD}", 1, "failed")
    assert place.world.docker.containers.keys() == {SLOT}
    place.world.push(1)
    assert restore(place).status == 0
    assert_state(place, "old books", "new books")


def test_returns_to_the_previous_data_when_the_environment_does_not_answer_with_the_new(place):
    fill(place.host, "poisoned")
    place.host.run("backup", place.name)
    fill(place.host, "new books")
    result = restore(place)
    assert result.status == 1
    assert f"{place.name} does not answer with the data of 20261125T031600Z" in result.err
    assert f"{place.name} has its previous data" in result.err
    assert_state(place, "new books")
    assert place.history()[-1][3] == "failed"


def test_the_replaced_data_stays_a_database_until_its_dump_is_whole(place):
    place.world.failures["postgres.dump"] = ["no space left"]
    result = restore(place)
    assert result.status == 1
    assert f"the dump of {place.database}_replaced failed" in result.err
    data = [place.databases[name]["data"] for name in (place.database, f"{place.database}_replaced")]
    assert data == ["old books", "new books"]
    place.world.now += 60
    assert restore(place).status == 0
    assert_state(place, "old books", "new books", "old books")
