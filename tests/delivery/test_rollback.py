"""A rollback in every environment, on every target."""

import pytest
from fakes import image

RUNTIME_FAULT = {"dev": "crash", "prod": "never-ready", "cluster": "never-ready"}


def test_nothing_to_roll_back_to(place):
    for numbers in ((), (1,)):
        place.deployed(*numbers)
        before = place.snapshot()
        result = place.rollback()
        assert result.status == 1
        assert f"nothing to roll back to\n  why: {place.name} has had no other live image" in result.err
        assert place.snapshot() == before


def test_the_previous_image_becomes_live_without_a_pull(place, act_as):
    place.deployed(1, 2)
    act_as("ann")
    result = place.rollback()
    assert (result.status, result.out) == (0, "")
    assert result.err.splitlines()[-1] == f"==> {place.name} serves {image(1)}"
    assert "pull" not in result.err
    assert place.serves() == 1
    assert place.remembered() == (1, 2)
    assert place.history()[-1] == ("ann", "rollback", 1, "ok")
    assert place.holder() is None


def test_a_second_rollback_needs_a_version_and_names_the_command(place, act_as):
    """Two people who roll back at the same time would otherwise return to the faulty image."""
    place.deployed(1, 2)
    act_as("ann")
    place.rollback()
    before = place.snapshot()
    result = place.rollback()
    assert result.status == 1
    assert f"the last deploy of {place.name} was a rollback: nothing was changed" in result.err
    assert f"why: ann rolled {place.name} back at 2" in result.err
    assert f"remedy: name the version to return to: make rollback-{place.name} TO={image(2)}" in result.err
    assert place.snapshot() == before
    assert place.rollback(2).status == 0
    assert place.serves() == 2
    place.deployed(3)
    assert place.rollback().status == 0  # after a deploy it needs none again
    assert place.serves() == 2


def test_a_failed_rollback_does_not_count_as_one(place):
    place.deployed(1, 2)
    place.world.push(1, RUNTIME_FAULT[place.kind])
    assert place.rollback().status == 1
    place.world.push(1)
    assert place.rollback(1).status == 1  # its last deploy failed
    place.deployed(3)
    assert place.rollback().status == 0
    assert place.serves() == 2


def during_the_wait(place, holder, operation):
    """Another verb holds the lock; 5 s later it releases the lock and the operation runs."""
    lock = place.locked(holder)
    lock.__enter__()

    def release():
        lock.__exit__(None, None, None)
        operation()

    place.world.at(5, release)


def test_two_who_roll_back_at_the_same_time(place):
    """The second one waits for the lock, and then sees what the first one did."""
    place.deployed(1, 2)
    statuses = []
    during_the_wait(place, "rollback of ann", lambda: statuses.append(place.rollback().status))
    result = place.rollback()
    assert (statuses, result.status) == ([0], 1)
    assert "was a rollback: nothing was changed" in result.err
    assert place.serves() == 1


def test_a_deploy_that_ends_during_the_wait_is_what_a_rollback_undoes(place):
    place.deployed(1, 2)
    during_the_wait(place, "deploy of ann", lambda: place.deployed(3))
    assert place.rollback().status == 0
    assert place.serves() == 2
    assert place.remembered() == (2, 3)


def test_a_failed_deploy_is_nothing_to_roll_back_to(place):
    place.deployed(1, 2)
    assert place.deploy(3, RUNTIME_FAULT[place.kind]).status == 1
    assert place.rollback().status == 0
    assert place.serves() == 1


def test_a_previous_image_that_fails_leaves_the_live_one(place):
    place.deployed(1, 2)
    place.world.push(1, RUNTIME_FAULT[place.kind])
    result = place.rollback()
    assert result.status == 1
    assert f"Still live: {image(2)}" in result.err
    assert place.serves() == 2
    assert place.remembered() == (2, 1)
    assert place.history()[-1] == ("unknown", "rollback", 1, "failed")


def test_an_image_that_was_live_once_is_pulled_again(place):
    place.deployed(1, 2, 3)
    if image(1) in place.world.docker.pulled:
        place.world.docker.remove_image(image(1))
    result = place.rollback(1)
    assert result.status == 0
    assert f"==> pull {image(1)}" in result.err
    assert place.serves() == 1
    assert place.remembered() == (1, 3)


def test_an_image_that_was_never_live_or_failed_is_refused(place):
    place.deployed(1)
    place.deploy(2, "migration")
    before = place.snapshot()
    for number, why in ((2, "its last deploy failed"), (3, f"{place.name} never served it")):
        result = place.rollback(number)
        assert result.status == 1
        assert f"cannot roll back to '{image(number)}'\n  why: {why}" in result.err
        assert f"remedy: make history-{place.name}" in result.err
        assert place.snapshot() == before
    place.world.push(2)
    place.deployed(2, 3)
    assert place.rollback(2).status == 0  # its last deploy counts


def test_an_image_of_another_environment_was_never_live_here(host):
    host.prod.deployed(1)
    host.dev.deployed(2)
    assert host.dev.rollback(1).status == 1


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_a_restore_in_between_is_no_deploy(host, name):
    place = getattr(host, name)
    place.deployed(1, 2)
    host.run("backup", name)
    assert host.run("restore", name, "latest").status == 0
    assert place.rollback().status == 0
    host.run("restore", name, "latest")
    assert place.rollback().status == 1
    assert place.serves() == 1
