"""A rollback in every environment, on every target."""

import pytest
from fakes import image

RUNTIME_FAULT = {"dev": "crash", "prod": "never-ready", "cluster": "never-ready"}


@pytest.mark.parametrize("deployed", [[], [1]])
def test_without_another_live_image_there_is_nothing_to_roll_back_to(place, deployed):
    place.deployed(*deployed)
    with place.unchanged():
        result = place.rollback()
    result.must_fail(f"nothing to roll back to\n  why: {place.name} has had no other live image")


def test_the_previous_image_becomes_live_without_a_pull(place, act_as):
    place.deployed(1, 2)
    act_as("ann")
    result = place.rollback()
    assert (result.status, result.out, result.last) == (0, "", f"==> {place.name} serves {image(1)}")
    assert "pull" not in result.err
    assert (place.serves(), place.remembered()) == (1, (1, 2))
    assert place.history()[-1] == ("ann", "rollback", 1, "ok")
    assert place.holder() is None


def test_a_second_rollback_needs_a_version_and_names_the_command(place, act_as):
    """Two people who roll back at the same time would otherwise return to the faulty image."""
    place.deployed(1, 2)
    act_as("ann")
    place.rollback()
    with place.unchanged():
        place.rollback().must_fail(
            f"the last deploy of {place.name} was a rollback: nothing was changed",
            f"why: ann rolled {place.name} back at 2",
            f"remedy: name the version to return to: make rollback-{place.name} TO={image(2)}",
        )
    place.rollback(2).must_succeed()
    assert place.serves() == 2
    place.deployed(3)
    place.rollback().must_succeed()  # after a deploy it needs none again
    assert place.serves() == 2


def test_a_failed_rollback_does_not_count_as_one(place):
    place.deployed(1, 2)
    place.world.push(1, RUNTIME_FAULT[place.kind])
    place.rollback().must_fail()
    place.world.push(1)
    force = f'make deploy-{place.name} IMAGE={image(1)} FORCE=1 REASON="the reason"'
    place.rollback(1).must_fail("its last deploy failed", force)
    place.run("deploy", image(1), "unordered", "the reason").must_succeed()
    assert place.serves() == 1
    place.deployed(2, 3)
    place.rollback().must_succeed()
    assert place.serves() == 2


def test_an_image_that_does_not_know_its_https_address_is_refused_before_anything_changes(place):
    for number, fault in enumerate(("no-public-url", "no-settings"), 1):
        place.deploy(number, fault)
    place.deployed(3)
    place.run("set", "PUBLIC_URL", stdin="https://shop.example").must_succeed()
    for number in (2, 1):
        with place.unchanged():
            place.rollback(number).must_fail(
                f"cannot roll back to '{image(number)}'",
                "it does not know PUBLIC_URL, so its forms would answer 403 at https://shop.example",
                f"make unset-{place.name} SETTING=PUBLIC_URL",
            )
    with place.unchanged():
        place.rollback().must_fail("SETTING=PUBLIC_URL")
    # A pipeline returns to what was live before its deploy, because the new image may be worse.
    place.undo(3).must_succeed()
    assert place.serves() == 2


@pytest.mark.parametrize(("verb", "value"), [("unset", ""), ("set", "http://shop.example")])
def test_over_http_an_older_image_becomes_live(place, verb, value):
    place.deploy(1, "no-public-url")
    place.deployed(2)
    place.run("set", "PUBLIC_URL", stdin="https://shop.example").must_succeed()
    place.run(verb, "PUBLIC_URL", stdin=value).must_succeed()
    place.rollback().must_succeed()
    assert place.serves() == 1


def test_two_who_roll_back_at_the_same_time(place):
    """The second one waits for the lock, and then sees what the first one did."""
    place.deployed(1, 2)
    place.locked_for(5, "rollback of ann", then=lambda: place.rollback().must_succeed())
    place.rollback().must_fail("was a rollback: nothing was changed")
    assert place.serves() == 1


def test_a_deploy_that_ends_during_the_wait_is_what_a_rollback_undoes(place):
    place.deployed(1, 2)
    place.locked_for(5, "deploy of ann", then=lambda: place.deployed(3))
    place.rollback().must_succeed()
    assert (place.serves(), place.remembered()) == (2, (2, 3))


def test_a_failed_deploy_is_nothing_to_roll_back_to(place):
    place.deployed(1, 2)
    place.deploy(3, RUNTIME_FAULT[place.kind]).must_fail()
    place.rollback().must_succeed()
    assert place.serves() == 1


def test_a_previous_image_that_fails_leaves_the_live_one(place):
    place.deployed(1, 2)
    place.world.push(1, RUNTIME_FAULT[place.kind])
    place.rollback().must_fail(f"Still live: {image(2)}")
    assert (place.serves(), place.remembered()) == (2, (2, 1))
    assert place.history()[-1] == ("unknown", "rollback", 1, "failed")


def test_an_image_that_was_live_once_is_pulled_again(place):
    place.deployed(1, 2, 3)
    if image(1) in place.world.docker.pulled:
        place.world.docker.remove_image(image(1))
    result = place.rollback(1)
    result.must_succeed()
    assert f"==> pull {image(1)}" in result.err
    assert (place.serves(), place.remembered()) == (1, (1, 3))


def test_an_image_that_was_never_live_or_failed_is_refused(place):
    place.deployed(1)
    place.deploy(2, "migration")
    for number, why in ((2, "its last deploy failed"), (3, f"{place.name} never served it")):
        with place.unchanged():
            place.rollback(number).must_fail(
                f"cannot roll back to '{image(number)}'\n  why: {why}", f"remedy: make history-{place.name}"
            )
    place.world.push(2)
    place.deployed(2, 3)
    place.rollback(2).must_succeed()  # its last deploy counts


def test_an_image_of_another_environment_was_never_live_here(host):
    host.prod.deployed(1)
    host.dev.deployed(2)
    host.dev.rollback(1).must_fail("dev never served it")


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_a_restore_in_between_is_no_deploy(host, name):
    place = getattr(host, name)
    place.deployed(1, 2)
    host.run("backup", name)
    host.run("restore", name, "latest").must_succeed()
    place.rollback().must_succeed()
    host.run("restore", name, "latest")
    place.rollback().must_fail("was a rollback")
    assert place.serves() == 1
