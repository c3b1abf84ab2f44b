"""The host's verb undo, in every environment, on every target: a pipeline rolls back only what its deploy made live."""

import pytest
from fakes import image


def test_the_image_before_the_deploy_becomes_live_again(place, act_as):
    place.deployed(1, 2)
    act_as("ann")
    result = place.undo(2)
    assert (result.status, result.out, result.last) == (0, "", f"==> {place.name} serves {image(1)}")
    assert (place.serves(), place.remembered()) == (1, (1, 2))
    assert place.history()[-1] == ("ann", "rollback", 1, "ok")
    assert place.holder() is None


def test_a_second_undo_changes_nothing(place):
    place.deployed(1, 2)
    place.undo(2).must_succeed()
    with place.unchanged():
        place.undo(2).must_succeed()
    assert place.serves() == 1


def test_a_run_that_is_started_again_after_its_undo_goes_on_once_a_user_has_returned_to_its_image(place):
    place.deployed(1, 2)
    place.undo(2).must_succeed()
    with place.unchanged():
        place.deploy(2).must_fail("was rolled back", f"make rollback-{place.name} TO=")
    place.rollback(2).must_succeed()
    place.deploy(2).must_succeed()
    with place.unchanged():
        place.undo(2).must_succeed()  # the user's decision stays
    assert place.serves() == 2


def test_a_deploy_that_failed_afterwards_is_ignored(place):
    place.deployed(1, 2)
    place.deploy(3, "broken-page").must_fail()
    place.undo(2).must_succeed()
    assert place.serves() == 1


@pytest.mark.parametrize(
    ("then", "live"),
    [
        (lambda place: place.deployed(3), 3),  # another deploy has replaced it
        (lambda place: place.rollback().must_succeed(), 1),
        (lambda place: [place.deployed(3), place.rollback().must_succeed()], 2),  # another user has returned to it
        (lambda place: [place.deployed(3), place.deployed(2), place.deployed(1)], 1),
    ],
)
def test_an_image_that_the_last_deploy_did_not_make_live_stays(place, then, live):
    place.deployed(1, 2)
    then(place)
    with place.unchanged():
        result = place.undo(2)
    result.must_succeed()
    assert result.last == f"==> nothing to undo: the last deploy of {place.name} did not make {image(2)} live"
    assert place.serves() == live


def test_an_image_that_was_live_before_and_is_deployed_again_stays(place):
    place.deployed(1, 2)
    if place.name == "dev":
        place.world.docker.containers["book-shop-a"].running = False
    else:
        place.world.kubernetes.rolled_out = None
    place.deployed(2)
    with place.unchanged():
        place.undo(2).must_succeed()
    assert place.serves() == 2


def test_a_deploy_that_ends_during_the_wait_is_not_undone(place):
    place.deployed(1, 2)
    place.locked_for(5, "deploy of ann", then=lambda: place.deployed(3))
    place.undo(2).must_succeed()
    assert place.serves() == 3


def test_the_first_deploy_has_nothing_to_return_to(place):
    place.deployed(1)
    with place.unchanged():
        place.undo(1).must_fail("nothing to roll back to", f"so {image(1)} stays live")
    assert place.serves() == 1


def test_without_a_deploy_nothing_is_undone(place):
    place.world.push(1)
    with place.unchanged():
        place.undo(1).must_succeed()


def test_a_previous_image_that_fails_leaves_the_live_one(place):
    place.deployed(1, 2)
    place.world.push(1, "broken-page")
    place.undo(2).must_fail(f"Still live: {image(2)}")
    assert place.serves() == 2
