"""restore on a host."""

import pytest
from fakes import image

OLD = "20261125T031500Z"  # the dumps of both environments


@pytest.fixture(params=["dev", "prod"])
def place(request, host):
    """An environment with a backup of "old books", that has "new books" now; image 1 is live."""
    for name in ("dev", "prod"):
        host.world.postgres.databases[f"book_shop_{name}"]["data"] = "old books"
    place = getattr(host, request.param)
    host.dev.deployed(1)
    host.prod.deployed(1)
    host.world.now = 1795576500
    assert host.run("backup").status == 0
    for name in ("dev", "prod"):
        host.world.postgres.databases[f"book_shop_{name}"]["data"] = "new books"
    host.world.now += 60
    place.host = host
    return place


def data(place, suffix=""):
    return place.world.postgres.databases[f"book_shop_{place.name}{suffix}"]["data"]


def databases(place):
    return sorted(place.world.postgres.databases)


def replaced(place):
    """The data that restores have kept, the oldest first."""
    found = sorted((place.paths.backups / place.name).glob("*-replaced.dump"))
    return [path.read_text().split('"')[3] for path in found]


def restore(place, name="latest"):
    return place.host.run("restore", place.name, name)


def assert_restored(place):
    assert data(place) == "old books"
    assert databases(place) == ["book_shop_dev", "book_shop_prod"]
    assert place.world.postgres.databases[f"book_shop_{place.name}"]["schema"] == 1
    assert place.serves() == 1


def assert_unchanged(place):
    assert data(place) == "new books"
    assert databases(place) == ["book_shop_dev", "book_shop_prod"]
    assert replaced(place) == []
    assert place.serves() == 1


@pytest.mark.parametrize("name", [OLD, "latest"])
def test_the_data_of_a_dump_replaces_the_live_data_which_is_kept_as_a_dump(place, act_as, name):
    act_as("ann")
    result = restore(place, name)
    assert result.status == 0, result.err
    assert result.out == f"{place.paths.backups}/{place.name}/20261125T031600Z-replaced.dump\n"
    last = f"==> {place.name} has the data of {OLD}; the data that it replaced is kept (above)"
    assert result.err.splitlines()[-1] == last
    assert_restored(place)
    assert replaced(place) == ["new books"]
    assert place.history()[-1] == ("ann", f"restore {OLD}", 1, "ok")
    other = "prod" if place.name == "dev" else "dev"
    assert place.world.postgres.databases[f"book_shop_{other}"]["data"] == "new books"
    assert place.world.docker.containers.keys() == {"book-shop-b"}


def test_the_data_is_migrated_to_the_code_that_is_live(place):
    place.deployed(2)
    assert restore(place).status == 0
    assert place.world.postgres.databases[f"book_shop_{place.name}"]["schema"] == 2


def test_latest_is_no_dump_that_a_restore_has_made(place):
    assert restore(place).status == 0
    place.world.now += 60
    assert restore(place).status == 0
    assert_restored(place)
    assert replaced(place) == ["new books", "old books"]
    place.world.now += 60
    assert restore(place, "20261125T031600Z-replaced").status == 0  # and back
    assert data(place) == "new books"


def test_the_password_is_in_no_argument_output_or_other_file(place):
    commands = []
    run = place.world.docker.run

    def noted(name, image, command, settings, limit, show=True):
        commands.append((name, image, command))
        return run(name, image, command, settings, limit, show)

    place.world.docker.run = noted
    result = restore(place)
    assert len(commands) == 1
    assert "the-password" not in f"{commands} {result}"
    files = {path: content for path, content in place.host.files().items() if path.suffix != ".env"}
    assert not [path for path, content in files.items() if b"the-password" in content]


@pytest.mark.parametrize("name", [OLD, "latest"])
def test_a_damaged_dump_is_refused(place, name):
    dump = place.paths.backups / place.name / f"{OLD}.dump"
    dump.write_text(dump.read_text().removesuffix("end\n"))
    before = place.host.files()
    result = restore(place, name)
    assert result.status == 1
    assert f"the dump {OLD} is damaged\n  why: could not read from input file: end of file" in result.err
    assert "Nothing was changed" in result.err
    lock = place.paths.locks / f"book-shop-{place.name}"
    assert {**place.host.files(), lock: b""} == {**before, lock: b""}
    assert_unchanged(place)


def test_a_dump_that_does_not_exist(place):
    assert f"{place.name} has no backup '20261126T000000Z'" in restore(place, "20261126T000000Z").err
    for path in (place.paths.backups / place.name).iterdir():
        path.unlink()
    result = restore(place)
    assert (result.status, f"{place.name} has no backup 'latest'" in result.err) == (1, True)
    assert_unchanged(place)


@pytest.mark.parametrize(("size", "required"), [(0, 2000), (205, 3050)])
def test_without_space_nothing_is_changed(place, size, required):
    """For the dump of the live data, and for the database: a dump unpacks to more than it has."""
    if size:
        dump = place.paths.backups / place.name / "20261126T000000Z.dump"
        dump.write_text("x" * (size - 5) + "\nend\n")
    place.world.free = required - 1
    result = restore(place)
    assert result.status == 1
    assert f"{required - 1} bytes are free, {required} are required" in result.err
    assert_unchanged(place)


def test_without_a_live_image_nothing_is_changed(place):
    if place.name == "dev":
        place.world.docker.containers.clear()
    else:
        place.world.kubernetes.delete("deployment.apps/book-shop")
    result = restore(place)
    assert result.status == 1
    assert f"cannot restore\n  why: {place.name} has no live image" in result.err
    assert data(place) == "new books"
    assert replaced(place) == []


def test_without_a_database_nothing_is_changed(place):
    del place.world.postgres.databases[f"book_shop_{place.name}"]
    place.world.changes.clear()
    result = restore(place)
    assert result.status == 1
    assert f"database book_shop_{place.name} does not exist" in result.err
    assert place.world.changes == []


@pytest.mark.parametrize("call", ["postgres.create", "postgres.load", "docker.run", "postgres.exchange"])
def test_what_fails_before_the_exchange_leaves_the_live_data(place, call):
    place.world.failures[call] = ["it broke"]
    result = restore(place)
    assert result.status == 1
    assert f"{place.name} has the data that it had" in result.err
    assert_unchanged(place)
    assert place.history()[-1] == ("unknown", f"restore {OLD}", 1, "failed")
    assert restore(place).status == 0
    assert_restored(place)
    assert replaced(place) == ["new books"]


@pytest.mark.parametrize("fault", ["migration", "migration-hangs"])
def test_a_failed_migration_leaves_the_live_data(place, fault):
    place.world.push(1, fault)
    result = restore(place)
    assert result.status == 1
    assert_unchanged(place)
    assert place.world.docker.containers.keys() == {"book-shop-b"}


def test_data_with_which_the_environment_does_not_answer_is_replaced_by_what_it_had(place):
    place.world.postgres.databases[f"book_shop_{place.name}"]["data"] = "poisoned"
    place.world.now += 60
    place.host.run("backup", place.name)
    place.world.postgres.databases[f"book_shop_{place.name}"]["data"] = "new books"
    result = restore(place)
    assert result.status == 1
    assert f"{place.name} does not answer with the data of 20261125T031700Z" in result.err
    assert f"{place.name} has the data that it had" in result.err
    assert_unchanged(place)
    assert place.history()[-1][3] == "failed"


def test_the_replaced_data_stays_a_database_until_its_dump_is_whole(place):
    place.world.failures["postgres.dump"] = ["no space left"]
    result = restore(place)
    assert result.status == 1
    assert f"the dump of book_shop_{place.name}_replaced failed" in result.err
    assert (data(place), data(place, "_replaced")) == ("old books", "new books")
    place.world.now += 60
    assert restore(place).status == 0
    assert_restored(place)
    assert replaced(place) == ["new books", "old books"]


def test_no_restore_during_a_deploy(place, monkeypatch):
    monkeypatch.setenv("DELIVERY_LOCK_WAIT", "1")
    with place.locked(f"deploy {place.name} {image(2)}, process 1, since then"):
        result = restore(place)
    assert result.status == 1
    assert f"{place.name} is locked\n  why: it is held by: deploy {place.name} {image(2)}" in result.err
    assert_unchanged(place)
