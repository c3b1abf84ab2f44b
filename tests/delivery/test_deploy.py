"""A deploy in every environment, on every target: what is served, remembered and reported."""

import collections
from unittest import mock

import pytest
from delivery.files import NotWritten
from delivery.state import FileState
from fakes import REPOSITORY, image, revision

LINES = "the last 20 lines of 2\n"  # of a container or a pod
DEV_FAULTS = {  # of image 2, with what is reported; {} is the slot
    "migration": ["the migration failed"],
    "migration-hangs": ["the migration failed"],
    "start": ["cannot start the container"],
    "crash": ["slot {} crashes at start", LINES],
    "never-ready": ["slot {} was not ready within 45 s", LINES],
    "fails-smoke": [
        "slot {} was not ready within 45 s\n  why: the smoke test failed: /: ValueError: no such.css",
        LINES,
    ],
    "broken-page": ["cannot load 'http://localhost:8080/'\n  why: status 500, expected 200"],
    "wrong-revision": [":8080 did not answer with revision a0"],
    "crash-later": ["slot {} crashed after it was ready", LINES],
}
PROD_FAULTS = {
    "migration": ["the migration failed", "CrashLoopBackOff", LINES],
    "migration-hangs": ["the migration failed", LINES],
    "refused": ["admission webhook denied the request", "==> revert the rollout"],
    "crash": ["the rollout failed", LINES, LINES, "==> revert the rollout"],
    "never-ready": ["the rollout failed", LINES, LINES, "==> revert the rollout"],
    "fails-smoke": ["the rollout failed\n  why: the smoke test failed: /: ValueError: no such.css", LINES, LINES],
    "broken-page": ["cannot load 'http://", "/'\n  why: status 500, expected 200", "==> revert the rollout"],
    "wrong-revision": ["the release does not answer", LINES, LINES, "==> revert the rollout"],
}
EVERY_FAULT = [
    pytest.param(place, fault, messages, id=f"{place}-{fault}")
    for place, faults in (("dev", DEV_FAULTS), ("prod", PROD_FAULTS), ("cluster", PROD_FAULTS))
    for fault, messages in faults.items()
]


def test_a_deploy_is_served_and_remembers_what_a_rollback_returns_to(place):
    for number, previous in (1, None), (2, 1), (3, 2):
        result = place.deploy(number)
        assert (result.status, result.out, result.last) == (0, "", f"==> {place.name} serves {image(number)}")
        assert (place.serves(), place.remembered()) == (number, (number, previous))
        assert place.world.postgres.databases[f"book_shop_{place.name}"]["schema"] == number
        assert place.holder() is None


def test_the_history_has_an_entry_for_each_deploy(place, act_as):
    place.deployed(1)
    act_as("ann")
    place.deployed(2)
    assert place.history() == [("unknown", "deploy", 1, "ok"), ("ann", "deploy", 2, "ok")]
    entry = place.environment.state.history()[0]
    assert (entry["environment"], entry["commit"]) == (place.name, revision(1))
    assert isinstance(entry["seconds"], int)
    assert entry["time"].endswith("Z")


def test_a_deploy_of_the_live_image_changes_nothing(place):
    place.deployed(1)
    with place.unchanged():
        result = place.deploy(1)
    assert (result.status, result.last) == (0, f"==> {place.name} serves {image(1)} already")


def test_the_live_image_that_no_longer_answers_is_deployed_again(place):
    place.deployed(1)
    if place.name == "dev":
        place.world.docker.containers["book-shop-b"].running = False
    else:
        place.world.kubernetes.rolled_out = None
    assert place.serves() is None
    place.deployed(1)
    assert (place.serves(), place.remembered()) == (1, (1, None))


@pytest.mark.parametrize(("live", "idle_slot"), [(None, "b"), (1, "a")])
@pytest.mark.parametrize(("place", "fault", "messages"), EVERY_FAULT, indirect=["place"])
def test_a_faulty_image_leaves_the_live_one(place, fault, messages, live, idle_slot):
    if live:
        place.deployed(live)
    before = place.parts()
    result = place.deploy(2, fault)
    result.must_fail(f"Still live: {image(live) if live else 'nothing'}", *(m.format(idle_slot) for m in messages))
    assert result.err.count(LINES) == messages.count(LINES)
    assert place.parts() == before
    assert place.serves() == live
    assert place.history()[-1] == ("unknown", "deploy", 2, "failed")
    assert place.holder() is None

    place.deployed(3)
    assert (place.serves(), place.remembered()) == (3, (3, live))


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        (
            ["foreign"],
            "'{}' cannot run here\n  why: it is built for linux/arm64, linux/amd64 is required\n"
            "  remedy: no tag ever moves: commit again,",
        ),
        (["no-commit"], "'{}' does not name its commit"),
        (["bad-pages"], "'{}' has an invalid list of pages\n  why: expected a list of pages, and at least one"),
        (None, "cannot pull '{}'\n  why: manifest unknown"),
    ],
)
def test_an_image_that_cannot_run_is_refused_before_any_change(place, faults, message):
    place.deployed(1)
    if faults:
        place.world.push(2, *faults)
    with place.unchanged():
        place.run("deploy", image(2)).must_fail(message.format(image(2)))


def test_an_image_that_is_older_than_the_list_of_pages_is_deployed(place):
    place.deployed(1)
    result = place.deploy(2, "old", "broken-page")
    result.must_succeed()
    assert "the image is older than the smoke test: only its readiness is checked" in result.err
    assert place.serves() == 2
    place.rollback().must_succeed()
    assert place.serves() == 1


def test_a_page_that_works_at_the_second_request_is_no_failure(place):
    """For some seconds after the switch the previous pods may answer."""
    place.deployed(1)
    world = place.world
    world.push(2, "broken-page")
    world.before("web.page", lambda: world.at(3, lambda: world.push(2)))
    place.deploy(2).must_succeed()
    assert place.serves() == 2


def test_a_full_disk_is_a_reason_not_to_pull(place):
    place.deployed(1, 2)
    place.world.free = 2047 * 10**6
    with place.unchanged():
        place.deploy(3).must_fail("not enough disk space: nothing was changed\n  why: 2047 MB are free, 2048 MB are")
    place.rollback().must_succeed()  # that image is here
    place.world.free += 10**6
    place.deployed(3)


def test_a_deploy_of_which_any_part_fails_reports_it_and_leaves_one_image_live(place):
    """Each call of the outside systems fails once: the deploy ends with 0 or 1, one serves, the next one works."""
    place.deployed(1)
    place.world.calls.clear()
    place.deployed(2)
    calls = collections.Counter(place.world.calls)
    systems = ("docker.", "kubernetes.", "switch.", "containerd.")
    failures = [(name, n) for name in calls if name.startswith(systems) for n in range(calls[name])]
    for number, (name, earlier) in enumerate(failures, 3):
        live = place.serves()
        place.world.push(number)
        place.world.failures[name] = [None] * earlier + ["it broke"]
        result = place.run("deploy", image(number))
        place.world.failures.clear()
        assert result.status in (0, 1), (name, earlier, result)
        assert "Traceback" not in result.err
        assert place.serves() in (live, number), (name, earlier, result.err)
        if result.status == 1:
            assert any(words in result.err for words in ("it broke", "failed", "Kubernetes does not answer"))
        place.deployed(number)
        assert place.serves() == number


def test_a_deploy_that_waits_names_the_holder_and_goes_on_when_the_lock_is_free(place):
    place.deployed(1)
    holder, start, released = "deploy of bob, process 1 on a-laptop, since then", place.world.now, []
    place.locked_for(25, holder, then=lambda: released.append(place.world.now))
    result = place.deploy(2)
    result.must_succeed()
    assert f"==> {place.name} is locked by: {holder}. Waiting up to 300 s" in result.err
    assert released[0] - start < 60
    assert place.serves() == 2


@pytest.mark.parametrize("verb", ["deploy", "rollback"])
def test_a_lock_that_stays_is_an_error_which_names_the_holder(place, monkeypatch, verb):
    place.deployed(1)
    monkeypatch.setenv("DELIVERY_LOCK_WAIT", "10")
    with place.unchanged(), place.locked("deploy of bob"):
        result = place.run(verb, image(1))
    result.must_fail(f"{place.name} is locked\n  why: it is held by: deploy of bob; waited 10 s")


def test_environments_do_not_wait_for_each_other(host):
    with host.prod.locked("deploy of bob"):
        host.dev.deployed(1)


@pytest.mark.parametrize("other", [f"{REPOSITORY}2@{image(1).partition('@')[2]}", f"{REPOSITORY}:1.0.0"])
def test_an_image_of_another_repository_or_without_a_digest_is_wrong_usage(place, other):
    with place.unchanged():
        place.run("deploy", other).must_fail(f"invalid image '{other}'", status=2)


@pytest.mark.parametrize("name", ['a "b"\nc $(reboot) \\', "\udcff", "é" * 1000])
def test_an_entry_is_one_line_whatever_the_actor_is_called(host, act_as, name):
    act_as(name)
    host.dev.deployed(1)
    assert host.dev.history() == [(name, "deploy", 1, "ok")]
    assert len((host.paths.state / "deploys.jsonl").read_text().splitlines()) == 1


def test_the_history_survives_a_torn_line(host):
    for number, torn in (1, b'{"time": "2026'), (2, b"\xff\n[]\n1\n\n"), (3, b""):
        host.dev.deployed(number)
        with open(host.paths.state / "deploys.jsonl", "ab") as file:
            file.write(torn)
    assert [number for _, _, number, _ in host.dev.history()] == [1, 2, 3]
    host.dev.rollback(1).must_succeed()


def test_a_state_file_is_replaced_whole_or_not_at_all(host, monkeypatch):
    host.dev.deployed(1)
    monkeypatch.setattr("os.fsync", mock.Mock(side_effect=OSError(28, "No space left on device")))
    with pytest.raises(NotWritten) as failure:
        FileState("dev", host.paths.state).save(host.dev.environment.lock, host.dev.environment.state.load())
    assert failure.value.why == "No space left on device"
    assert host.dev.remembered() == (1, None)
