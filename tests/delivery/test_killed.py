"""kill -9 before every change that a verb makes: something serves, and the next run completes or undoes it."""

import json
import shutil

import pytest
from delivery.environments import docker_slots
from fakes import Killed, image, number_of


def killed_everywhere(world, verb, check, directory=None):
    """Kills a verb before its first change, its second and so on, each time from the same state, and then checks.

    `directory` is where files are changed. Returns the changes before which the verb was killed.
    """
    world.changes.clear()
    saved = world.save()
    if directory:
        shutil.copytree(directory, f"{directory}.before")
    seen = []
    while True:
        world.kill_at = len(seen) + 1
        try:
            verb()
            return seen
        except Killed as kill:
            seen.append(str(kill))
        world.revive()
        check(seen[-1])
        world.restore(saved)
        if directory:
            shutil.rmtree(directory)
            shutil.copytree(f"{directory}.before", directory)


def root_of(place):
    return place.paths.files.parents[1] if hasattr(place, "paths") else None


def settled(place):
    """What is left, apart from the history, whose last entry counts."""
    docker, slot, objects, databases, (memory, _) = place.snapshot()
    objects = {key: found for key, found in objects.items() if not key.startswith("job")}
    images = sorted(place.world.docker.pulled)
    return docker, objects, databases, memory, images, slot


@pytest.mark.parametrize("verb", ["deploy", "rollback"])
def test_a_verb_that_was_killed_is_completed_by_the_next_run(place, verb):
    place.deployed(1, 2) if verb == "rollback" else place.deployed(1)
    old, new = (2, 1) if verb == "rollback" else (1, 2)
    place.world.push(new)
    run = (lambda: place.rollback(1)) if verb == "rollback" else (lambda: place.run("deploy", image(2)))
    expected = []

    def check(change):
        assert place.serves() in (old, new), change
        result = run()
        assert result.status == 0, (change, result)
        assert place.serves() == new, change
        assert place.remembered() == (new, old), change
        assert place.history()[-1] == ("unknown", verb, new, "ok"), change
        assert place.holder() is None
        expected.append((change, settled(place)))

    changes = killed_everywhere(place.world, run, check, root_of(place))
    place.world.revive()
    assert len(changes) >= 8
    for change, found in expected:
        assert found == settled(place), change


def test_a_rollback_undoes_a_deploy_that_was_killed(place):
    """Also when it was killed between the switch and the record of its image."""
    place.deployed(1)
    place.world.push(2)

    def check(change):
        place.rollback()
        assert place.serves() == 1, change
        assert place.environment.live() == image(1), change
        assert place.remembered()[0] == 1

    killed_everywhere(place.world, lambda: place.run("deploy", image(2)), check, root_of(place))


@pytest.mark.parametrize("fault", ["crash", "wrong-revision", "migration"])
def test_a_failing_deploy_that_was_killed_leaves_the_live_image_and_the_next_image_is_served(place, fault):
    """Also while it reverts."""
    place.deployed(1)
    place.world.push(2, fault)
    place.world.push(3)

    def check(change):
        if fault != "wrong-revision":  # that one is live until it is reverted
            assert place.serves() == 1, change
        result = place.run("deploy", image(3))
        assert result.status == 0, (change, result)
        assert place.serves() == 3
        assert place.remembered() == (3, 1)
        assert place.world.docker.containers.keys() <= {"book-shop-a", "book-shop-b"}

    assert len(killed_everywhere(place.world, lambda: place.run("deploy", image(2)), check, root_of(place))) >= 3


def test_a_killed_deploy_of_another_release_leaves_no_objects(cluster):
    """Those of the previous release are deleted by the next run, those of the killed one by the next image."""
    from test_deploy_prod import extra, objects

    cluster.deployed(1)
    base = objects(cluster)
    assert cluster.deploy(2, objects=[extra("NetworkPolicy")]).status == 0
    cluster.world.push(3, objects=[extra("Service")])
    cluster.world.push(4)

    def again(change):
        assert cluster.run("deploy", image(3)).status == 0
        assert objects(cluster) == base | {"service/extra"}, change

    def another(change):
        assert cluster.run("deploy", image(4)).status == 0
        assert objects(cluster) == base, change

    for check in (again, another):
        cluster.world.revive()
        saved = cluster.world.save()
        killed_everywhere(cluster.world, lambda: cluster.run("deploy", image(3)), check)
        cluster.world.restore(saved)


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_a_killed_backup_leaves_whole_dumps_and_the_next_one_succeeds(host, name):
    database = host.world.postgres.databases[f"book_shop_{name}"]
    database["data"] = "books"

    def dumps():
        return list((host.paths.backups / name).glob("*.dump"))

    def check(change):
        assert all(path.read_text().endswith("end\n") for path in dumps()), change
        assert host.run("backup", name).status == 0
        assert "books" in max(dumps()).read_text()
        assert not (host.paths.backups / name / "new").exists()

    changes = killed_everywhere(host.world, lambda: host.run("backup", name), check, root_of(host))
    assert changes == ["postgres.dump: begin", "postgres.dump", "file.rename"]


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_a_killed_restore_loses_nothing_and_the_next_run_completes_it(host, name):
    place = getattr(host, name)
    place.deployed(1)
    databases = host.world.postgres.databases
    live = f"book_shop_{name}"
    databases[live]["data"] = "old books"
    assert host.run("backup", name).status == 0
    databases[live]["data"] = "new books"
    host.world.now += 60

    def dumped():
        return [json.loads(path.read_text().splitlines()[0])["data"] for path in replaced()]

    def replaced():
        return sorted((host.paths.backups / name).glob("*-replaced.dump"))

    def check(change):
        assert databases_of(live)["data"] in ("new books", "old books"), change
        assert "new books" in [database["data"] for database in host.world.postgres.databases.values()] + dumped(), (
            change
        )
        assert place.serves() == 1
        result = host.run("restore", name, "latest")
        assert result.status == 0, (change, result)
        assert (databases_of(live)["data"], databases_of(live)["schema"]) == ("old books", 1)
        assert sorted(host.world.postgres.databases) == ["book_shop_dev", "book_shop_prod"]
        assert "new books" in dumped()
        assert host.world.docker.containers.keys() <= {"book-shop-b"}, change

    def databases_of(database):
        return host.world.postgres.databases[database]

    changes = killed_everywhere(host.world, lambda: host.run("restore", name, "latest"), check, root_of(host))
    assert len(changes) >= 9


def test_a_killed_start_of_a_slot_does_not_touch_the_live_one(host):
    """The slot that the next run starts is the idle one, whatever a killed run has left there."""
    host.dev.deployed(1)
    host.dev.world.push(2)
    live = docker_slots.container(host.world.switch.slot)

    def check(change):
        if host.world.switch.slot == live[-1]:
            assert number_of(host.world.docker.containers[live].image) == 1, change
        assert host.dev.deploy(3).status == 0

    killed_everywhere(host.world, lambda: host.dev.run("deploy", image(2)), check, root_of(host))
