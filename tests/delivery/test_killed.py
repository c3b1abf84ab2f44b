"""kill -9 before every change that a verb makes: something serves, and the next run completes or undoes it."""

import copy
import itertools
import json
import shutil

import pytest
from fakes import Killed, image, labelled, number_of


def kills(place, verb):
    """Kills a verb before its first change, its second and so on, each time from the same state.

    Yields the change after each kill, at least one. The last run of the verb is not killed.
    """
    world = place.world
    root = place.paths.files.parents[1] if hasattr(place, "paths") else None  # only a host has files
    saved = world.save()
    if root:
        shutil.copytree(root, f"{root}.before")
    for number in itertools.count(1):
        world.revive()
        world.kill_at = number
        try:
            verb()
            assert number > 1, "the verb made no change"
            return
        except Killed as kill:
            change = str(kill)
        finally:
            world.revive()
        print(f"killed before {change}")  # shown when the test fails
        yield change
        world.restore(saved)
        if root:
            shutil.rmtree(root)
            shutil.copytree(f"{root}.before", root)


@pytest.mark.parametrize(("verb", "deployed", "new"), [("deploy", [1], 2), ("rollback", [1, 2], 1)])
def test_a_verb_that_was_killed_is_completed_by_the_next_run(place, verb, deployed, new):
    place.deployed(*deployed)
    place.world.push(new)
    old, ends = deployed[-1], []

    def run():
        return place.run(verb, image(new))

    def state():
        """What is left, apart from the history, whose last entry counts."""
        return place.parts(), place.world.postgres.databases, sorted(place.world.docker.pulled)

    for change in kills(place, run):
        assert place.serves() in (old, new)
        run().must_succeed()
        assert (place.serves(), place.remembered()) == (new, (new, old))
        assert place.history()[-1] == ("unknown", verb, new, "ok")
        assert place.holder() is None
        ends.append((change, copy.deepcopy(state())))
    assert len(ends) >= 8
    for change, end in ends:
        assert end == state(), f"killed before {change}"


def test_a_rollback_undoes_a_deploy_that_was_killed(place):
    """Also when it was killed between the switch and the record of its image."""
    place.deployed(1)
    place.world.push(2)
    for _ in kills(place, lambda: place.run("deploy", image(2))):
        place.rollback()
        assert place.serves() == 1
        assert place.environment.live() == image(1)
        assert place.remembered()[0] == 1


@pytest.mark.parametrize("fault", ["crash", "wrong-revision", "migration"])
def test_a_failing_deploy_that_was_killed_leaves_the_live_image_and_the_next_image_is_served(place, fault):
    """Also while it reverts."""
    place.deployed(1)
    place.world.push(2, fault)
    place.world.push(3)
    changes = []
    for change in kills(place, lambda: place.run("deploy", image(2))):
        changes.append(change)
        if fault != "wrong-revision":  # that one is live until it is reverted
            assert place.serves() == 1
        place.run("deploy", image(3)).must_succeed()
        assert (place.serves(), place.remembered()) == (3, (3, 1))
        assert place.world.docker.containers.keys() <= {"book-shop-a", "book-shop-b"}
    assert len(changes) >= 3


@pytest.mark.parametrize(("number", "objects"), [(3, {"service/extra"}), (4, set())])
def test_the_deploy_after_a_killed_one_leaves_only_the_objects_of_its_own_release(cluster, number, objects):
    cluster.deployed(1)
    base = cluster.objects()
    cluster.deploy(2, objects=[labelled("NetworkPolicy", "extra")]).must_succeed()
    cluster.world.push(3, objects=[labelled("Service", "extra")])
    cluster.world.push(4)
    for _ in kills(cluster, lambda: cluster.run("deploy", image(3))):
        cluster.run("deploy", image(number)).must_succeed()
        assert cluster.objects() == base | objects


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_a_killed_backup_leaves_whole_dumps_and_the_next_one_succeeds(host, name):
    host.world.postgres.databases[f"book_shop_{name}"]["data"] = "books"
    directory = host.paths.backups / name
    changes = []
    for change in kills(host, lambda: host.run("backup", name)):
        changes.append(change)
        assert all(path.read_text().endswith("end\n") for path in directory.glob("*.dump"))
        host.run("backup", name).must_succeed()
        assert "books" in max(directory.glob("*.dump")).read_text()
        assert not (directory / "new").exists()
    assert changes == ["postgres.dump: begin", "postgres.dump", "file.rename"]


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_a_killed_restore_loses_nothing_and_the_next_run_completes_it(host, name):
    place, postgres, live = getattr(host, name), host.world.postgres, f"book_shop_{name}"
    place.deployed(1)
    postgres.databases[live]["data"] = "old books"
    host.run("backup", name).must_succeed()
    postgres.databases[live]["data"] = "new books"
    host.world.now += 60

    def replaced():
        dumps = (host.paths.backups / name).glob("*-replaced.dump")
        return [json.loads(path.read_text().splitlines()[0].removeprefix("PGDMP"))["data"] for path in dumps]

    changes = []
    for change in kills(host, lambda: host.run("restore", name, "latest")):
        changes.append(change)
        assert postgres.databases[live]["data"] in ("new books", "old books")
        assert "new books" in [database["data"] for database in postgres.databases.values()] + replaced()
        assert place.serves() == 1
        host.run("restore", name, "latest").must_succeed()
        assert (postgres.databases[live]["data"], postgres.databases[live]["schema"]) == ("old books", 1)
        assert sorted(postgres.databases) == ["book_shop_dev", "book_shop_prod"]
        assert "new books" in replaced()
        assert host.world.docker.containers.keys() <= {"book-shop-b"}
    assert len(changes) >= 9


def test_a_killed_start_of_a_slot_does_not_touch_the_live_one(host, world):
    """The slot that the next run starts is the idle one, whatever a killed run has left there."""
    host.dev.deployed(1)
    world.push(2)
    for _ in kills(host, lambda: host.dev.run("deploy", image(2))):
        if world.switch.slot == "b":
            assert number_of(world.docker.containers["book-shop-b"].image) == 1
        host.dev.deploy(3).must_succeed()
