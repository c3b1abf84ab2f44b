"""dev: two slots in Docker."""

import pytest
from fakes import image, number_of


@pytest.fixture
def dev(host):
    return host.dev


def slots(world):
    """The images of the containers that run, by the names of these."""
    return {name: number_of(found.image) for name, found in world.docker.containers.items() if found.running}


def test_the_slots_change_places_and_the_previous_one_runs_until_the_switch(dev, world):
    dev.deployed(1)
    assert (world.switch.slot, slots(world)) == ("b", {"book-shop-b": 1})
    seen = []
    for number, slot in (2, "a"), (3, "b"):
        world.before("switch.to", lambda: seen.append(slots(world)))
        dev.deployed(number)
        assert (world.switch.slot, slots(world)) == (slot, {f"book-shop-{slot}": number})
    assert seen == [{"book-shop-b": 1, "book-shop-a": 2}, {"book-shop-b": 3, "book-shop-a": 2}]


@pytest.mark.parametrize(
    ("fault", "busy", "expected"),
    [([], 0, 8), ([], 9, 9), ([], 10**6, 10), (["late"], 4, 4), (["late"], 10**6, 10)],
)
def test_the_previous_slot_is_stopped_when_its_connections_have_ended(dev, world, fault, busy, expected):
    """At the earliest once the new one was watched for 8 s, also before the switch; at the latest after 10 s."""
    dev.deployed(1)
    times = []
    world.before("switch.to", lambda: times.append(world.now))
    world.before("switch.to", lambda: world.sockets.busy_until.update({"book-shop-b": world.now + busy}))
    world.before("docker.stop", lambda: times.append(world.now))
    dev.deploy(2, *fault).must_succeed()
    assert times[1] - times[0] == expected
    assert slots(world) == {"book-shop-a": 2}


@pytest.mark.parametrize(("fault", "expected"), [("wrong-revision", 8), ("crash-later", 8), ("never-ready", 0)])
def test_a_failed_slot_is_removed_when_it_has_no_traffic_and_no_connections(dev, world, fault, expected):
    """NGINX keeps connections to it for up to 4 s after the switch back."""
    dev.deployed(1)
    times, seen = [], []
    world.before("switch.to", lambda: times.append(world.now))
    world.before("switch.to", lambda: world.sockets.busy_until.update({"book-shop-a": world.now + 8}))
    world.before("docker.remove", lambda: times.append(world.now))
    world.before("docker.remove", lambda: seen.append((world.switch.slot, set(world.docker.containers))))
    dev.deploy(2, fault).must_fail()
    assert round(times[-1] - times[0]) == expected
    assert seen == [("b", {"book-shop-a", "book-shop-b"})]
    assert slots(world) == {"book-shop-b": 1}
    assert dev.serves() == 1


def test_a_failed_migration_starts_no_slot(dev, world):
    dev.deployed(1)
    world.changes.clear()
    dev.deploy(2, "migration")
    assert "docker.start" not in world.changes


def test_a_deploy_waits_for_a_slow_image(dev):
    dev.deploy(1, "slow").must_succeed()
    assert dev.serves() == 1


def test_a_crashing_image_fails_before_the_limit(dev, world):
    before = world.now
    dev.deploy(1, "crash").must_fail()
    assert world.now - before < 45


def test_the_limit_can_be_set(dev, monkeypatch):
    monkeypatch.setenv("DELIVERY_READY_LIMIT", "1")
    dev.deploy(1, "never-ready").must_fail("slot b was not ready within 1 s")
    monkeypatch.setenv("DELIVERY_READY_LIMIT", "soon")
    dev.deploy(2).must_fail("invalid DELIVERY_READY_LIMIT 'soon'", status=2)


def test_a_port_that_docker_holds_for_no_container_is_freed(dev, world):
    world.docker.held_ports.add(4002)
    dev.deployed(1)
    assert dev.serves() == 1


def test_a_slot_that_vanishes_while_it_starts_is_a_failed_deploy(dev, world):
    dev.deployed(1)
    world.at(2, lambda: world.docker.containers.pop("book-shop-a"))
    dev.deploy(2, "never-ready").must_fail("slot a crashes at start")
    assert dev.serves() == 1


def test_images_that_nothing_needs_are_removed(host, world):
    host.dev.deployed(1, 2, 3)
    assert world.docker.pulled == [image(2), image(3)]
    host.prod.deployed(2)
    world.push(7)
    world.docker.pull(image(7))
    with host.prod.locked(f"deploy prod {image(7)}, by ann, process 1, since then"):
        host.dev.deployed(4, 5)
        assert world.docker.pulled == [image(number) for number in (2, 7, 4, 5)]
    host.dev.deployed(6)
    assert world.docker.pulled == [image(number) for number in (2, 5, 6)]


def test_an_image_that_cannot_be_removed_is_reported_and_the_deploy_succeeds(dev, world):
    dev.deployed(1, 2)
    world.failures["docker.remove_image"] = ["in use"]
    result = dev.deploy(3)
    result.must_succeed()
    assert f"not removed: {image(1)}: in use" in result.err
    dev.deployed(4)
    assert world.docker.pulled == [image(3), image(4)]
