"""dev: two slots in Docker."""

import pytest
from fakes import image


@pytest.fixture
def dev(host):
    return host.dev


def slots(world):
    return {name: int(found.image[-5:], 16) for name, found in world.docker.containers.items() if found.running}


def test_the_slots_change_places_and_only_the_live_one_runs(dev):
    dev.deployed(1)
    assert (dev.world.switch.slot, slots(dev.world)) == ("b", {"book-shop-b": 1})
    dev.deployed(2)
    assert (dev.world.switch.slot, slots(dev.world)) == ("a", {"book-shop-a": 2})
    dev.deployed(3)
    assert (dev.world.switch.slot, slots(dev.world)) == ("b", {"book-shop-b": 3})


def test_the_previous_slot_runs_until_the_switch(dev):
    dev.deployed(1)
    dev.world.before("switch.to", lambda: seen.append(slots(dev.world)))
    seen = []
    dev.deployed(2)
    assert seen == [{"book-shop-b": 1, "book-shop-a": 2}]


@pytest.mark.parametrize(
    ("fault", "busy", "expected"),
    [((), 0, 8), ((), 9, 9), ((), 10**6, 10), (("late",), 4, 4), (("late",), 10**6, 10)],
)
def test_the_previous_slot_is_stopped_when_its_connections_have_ended(dev, fault, busy, expected):
    """At the earliest once the new one was watched for 8 s, also before the switch; at the latest after 10 s."""
    dev.deployed(1)
    times = []
    dev.world.before("switch.to", lambda: times.append(dev.world.now))
    dev.world.before("switch.to", lambda: dev.world.sockets.busy_until.update({"book-shop-b": dev.world.now + busy}))
    dev.world.before("docker.stop", lambda: times.append(dev.world.now))
    assert dev.deploy(2, *fault).status == 0
    assert times[1] - times[0] == expected
    assert slots(dev.world) == {"book-shop-a": 2}


def test_a_failed_migration_starts_no_slot(dev):
    dev.deployed(1)
    dev.world.changes.clear()
    dev.deploy(2, "migration")
    assert "docker.start" not in dev.world.changes


def test_a_slow_image_is_waited_for(dev):
    assert dev.deploy(1, "slow").status == 0
    assert dev.serves() == 1


def test_a_crashing_image_is_given_up_before_the_limit(dev):
    before = dev.world.now
    assert dev.deploy(1, "crash").status == 1
    assert dev.world.now - before < 45


@pytest.mark.parametrize("fault", ["crash", "never-ready", "crash-later"])
def test_the_last_lines_of_a_failed_slot_are_shown(dev, fault):
    assert "the last 20 lines of 1\n" in dev.deploy(1, fault).err


def test_the_limit_can_be_set(dev, monkeypatch):
    monkeypatch.setenv("DELIVERY_READY_LIMIT", "1")
    assert "slot b was not ready within 1 s" in dev.deploy(1, "never-ready").err
    monkeypatch.setenv("DELIVERY_READY_LIMIT", "soon")
    result = dev.deploy(2)
    assert (result.status, "invalid DELIVERY_READY_LIMIT 'soon'" in result.err) == (2, True)


@pytest.mark.parametrize("fault", ["wrong-revision", "crash-later"])
def test_traffic_returns_before_the_failed_slot_is_removed(dev, fault):
    dev.deployed(1)
    seen = []
    remove = dev.world.docker.remove

    def removed(name):
        if name in dev.world.docker.containers:
            seen.append((name, dev.world.switch.slot))
        remove(name)

    dev.world.docker.remove = removed
    assert dev.deploy(2, fault).status == 1
    assert seen == [("book-shop-a", "b")]
    assert slots(dev.world) == {"book-shop-b": 1}


def test_a_port_that_docker_holds_for_no_container_is_freed(dev):
    dev.world.docker.held_ports.add(4002)
    dev.deployed(1)
    assert dev.serves() == 1


def test_images_that_nothing_needs_are_removed(host):
    host.dev.deployed(1, 2, 3)
    assert host.world.docker.pulled == [image(2), image(3)]
    host.prod.deployed(2)
    host.world.push(7)
    host.world.docker.pull(image(7))
    with host.prod.locked(f"deploy prod {image(7)}, by ann, process 1, since then"):
        host.dev.deployed(4, 5)
        assert host.world.docker.pulled == [image(number) for number in (2, 7, 4, 5)]
    host.dev.deployed(6)
    assert host.world.docker.pulled == [image(number) for number in (2, 5, 6)]


def test_an_image_that_cannot_be_removed_is_reported_and_the_deploy_succeeds(dev):
    dev.deployed(1, 2)
    dev.world.failures["docker.remove_image"] = ["in use"]
    result = dev.deploy(3)
    assert result.status == 0
    assert f"not removed: {image(1)}: in use" in result.err
    dev.deployed(4)
    assert dev.world.docker.pulled == [image(3), image(4)]


@pytest.mark.parametrize(("fault", "expected"), [("wrong-revision", 8), ("never-ready", 0)])
def test_a_slot_that_had_the_traffic_is_removed_when_its_connections_have_ended(dev, fault, expected):
    """NGINX keeps connections to it for up to 4 s after the switch back."""
    dev.deployed(1)
    switches, removed = [], []

    def switched():
        dev.world.sockets.busy_until["book-shop-a"] = dev.world.now + 8
        switches.append(dev.world.now)

    dev.world.before("switch.to", switched)
    dev.world.before("docker.remove", lambda: removed.append(dev.world.now))
    assert dev.deploy(2, fault).status == 1
    assert round(removed[-1] - switches[0]) == expected
    assert dev.serves() == 1


def test_a_slot_that_vanishes_while_it_starts_is_a_failed_deploy(dev):
    dev.deployed(1)
    dev.world.push(2, "never-ready")
    dev.world.at(2, lambda: dev.world.docker.containers.pop("book-shop-a"))
    result = dev.run("deploy", image(2))
    assert result.status == 1
    assert "slot a crashes at start" in result.err
    assert dev.serves() == 1
