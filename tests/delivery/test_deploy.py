"""A deploy in every environment, on every target: what is served, remembered and reported."""

import pytest
from delivery.state import FileState
from fakes import REPOSITORY, image

FAULTS = {  # of an image, with what is reported
    "dev": {
        "migration": "the migration failed",
        "migration-hangs": "the migration failed",
        "start": "cannot start the container",
        "crash": "slot a crashes at start",
        "never-ready": "slot a was not ready within 45 s",
        "wrong-revision": ":8080 did not answer with revision a0",
        "crash-later": "slot a crashed after it was ready",
    },
    "prod": {
        "migration": "the migration failed",
        "migration-hangs": "the migration failed",
        "refused": "admission webhook denied the request",
        "crash": "the rollout failed",
        "never-ready": "the rollout failed",
        "wrong-revision": "the release does not answer",
    },
}
FAULTS["cluster"] = FAULTS["prod"]


def pulled(world):
    return [int(reference.rpartition(":")[2], 16) for reference in world.docker.pulled]


def test_the_first_deploy(place):
    result = place.deploy(1)
    assert (result.status, result.out) == (0, "")
    assert result.err.splitlines()[-1] == f"==> {place.name} serves {image(1)}"
    assert place.serves() == 1
    assert place.remembered() == (1, None)
    assert place.history() == [("unknown", "deploy", 1, "ok")]
    assert place.holder() is None
    assert place.world.postgres.databases[f"book_shop_{place.name}"]["schema"] == 1


def test_the_next_deploys_remember_what_a_rollback_returns_to(place, act_as):
    place.deployed(1)
    act_as("ann")
    place.deployed(2)
    assert place.serves() == 2
    assert place.remembered() == (2, 1)
    assert place.history()[-1] == ("ann", "deploy", 2, "ok")
    place.deployed(3)
    assert place.serves() == 3
    assert place.remembered() == (3, 2)


def test_an_entry_of_the_history_has_its_time_commit_and_duration(place):
    place.deployed(1)
    (entry,) = place.environment.state.history()
    assert entry["commit"] == f"a{1:039d}"
    assert entry["environment"] == place.name
    assert isinstance(entry["seconds"], int)
    assert entry["time"].endswith("Z")


def test_the_live_image_once_more_changes_nothing(place):
    place.deployed(1)
    before = place.snapshot()
    result = place.deploy(1)
    assert result.status == 0
    assert result.err.splitlines()[-1] == f"==> {place.name} serves {image(1)} already"
    assert place.snapshot() == before


def test_the_live_image_that_no_longer_answers_is_deployed_again(place):
    place.deployed(1)
    if place.name == "dev":
        place.world.docker.containers["book-shop-b"].running = False
    else:
        place.world.kubernetes.rolled_out = None
    assert place.serves() is None
    place.deployed(1)
    assert place.serves() == 1
    assert place.remembered() == (1, None)


EVERY_FAULT = [
    pytest.param(kind, fault, message, id=f"{kind}-{fault}")
    for kind, faults in FAULTS.items()
    for fault, message in faults.items()
]


@pytest.mark.parametrize(("place", "fault", "message"), EVERY_FAULT, indirect=["place"])
def test_a_faulty_image_leaves_the_live_one(place, fault, message):
    place.deployed(1)
    docker, slot, objects, _, (memory, _) = place.snapshot()
    result = place.deploy(2, fault)
    assert result.status == 1
    assert message in result.err
    assert f"Still live: {image(1)}" in result.err
    assert place.serves() == 1
    after = place.snapshot()
    assert (after[0], after[1], after[4][0]) == (docker, slot, memory)
    assert {k: v for k, v in after[2].items() if "job" not in k} == {k: v for k, v in objects.items() if "job" not in k}
    assert place.history()[-1] == ("unknown", "deploy", 2, "failed")
    assert place.holder() is None

    place.deployed(3)
    assert place.serves() == 3
    assert place.remembered() == (3, 1)


@pytest.mark.parametrize(("place", "fault", "message"), EVERY_FAULT, indirect=["place"])
def test_a_faulty_first_image_leaves_nothing(place, fault, message):
    result = place.deploy(1, fault)
    assert result.status == 1
    assert message.replace("slot a", "slot b") in result.err
    assert "Still live: nothing" in result.err
    assert place.remembered() == (None, None)
    docker, slot, objects, *_ = place.snapshot()
    assert (docker, slot) == ({}, "a")
    assert {key for key in objects if "job" not in key} == {key for key in objects if "configmap" in key}


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        (("foreign",), f"'{image(2)}' cannot run here\n  why: it is built for linux/arm64, linux/amd64 is required"),
        (("no-commit",), f"'{image(2)}' does not name its commit"),
        (None, f"cannot pull '{image(2)}'\n  why: manifest unknown"),
    ],
)
def test_an_image_that_cannot_run_is_refused_before_any_change(place, faults, message):
    place.deployed(1)
    before = place.snapshot()
    if faults:
        place.world.push(2, *faults)
    result = place.run("deploy", image(2))
    assert result.status == 1
    assert message in result.err
    assert place.snapshot() == before


def test_a_full_disk_is_a_reason_not_to_pull(place):
    place.deployed(1, 2)
    place.world.push(3)
    place.world.free = 2047 * 10**6
    before = place.snapshot()
    result = place.run("deploy", image(3))
    assert result.status == 1
    assert "not enough disk space: nothing was changed\n  why: 2047 MB are free, 2048 MB are required" in result.err
    assert place.snapshot() == before
    assert place.rollback().status == 0  # that image is here
    place.world.free += 10**6
    assert place.deploy(3).status == 0


def test_any_part_that_fails_is_a_failed_deploy_which_reports_the_live_image(place):
    """Each call of the outside systems fails once: the deploy ends with 0 or 1, one serves, the next one works."""
    place.deployed(1)
    calls = []
    call = place.world.call
    place.world.call = lambda name, changes=False: (calls.append(name), call(name, changes))[1]
    place.deployed(2)
    place.world.call = call
    number = 3
    for name in sorted(
        {name for name in calls if name.startswith(("docker.", "kubernetes.", "switch.", "containerd."))}
    ):
        for earlier in range(calls.count(name)):
            live = place.serves()
            place.world.push(number)
            failing = iter([False] * earlier + [True])

            def fail_once(called, changes=False, name=name, failing=failing):
                call(called, changes)
                if called == name and next(failing, False):
                    place.world.failures[name] = ["it broke"]
                    call(name)

            place.world.call = fail_once
            result = place.run("deploy", image(number))
            place.world.call = call
            assert result.status in (0, 1), result
            assert "Traceback" not in result.err
            assert place.serves() in (live, number), (name, earlier, result.err)
            if result.status == 1:
                assert any(words in result.err for words in ("it broke", "failed", "Kubernetes does not answer"))
            place.world.failures.clear()
            place.deployed(number)
            assert place.serves() == number
            number += 1


def test_a_deploy_that_waits_names_the_holder_at_once_and_goes_on_when_the_lock_is_free(place):
    place.deployed(1)
    holder = f"deploy {place.name} x, by bob, process 1 on a-laptop, since then"
    lock = place.locked(holder)
    lock.__enter__()
    asked = place.world.now
    reported = []

    def release():
        reported.append(place.world.now)
        lock.__exit__(None, None, None)

    place.world.at(25, release)
    result = place.deploy(2)
    assert result.status == 0
    assert f"==> {place.name} is locked by: {holder}. Waiting up to 300 s" in result.err
    assert reported[0] - asked < 60
    assert place.serves() == 2


def test_a_lock_that_stays_is_an_error_which_names_the_holder(place, monkeypatch):
    place.deployed(1)
    before = place.snapshot()
    monkeypatch.setenv("DELIVERY_LOCK_WAIT", "10")
    with place.locked("deploy of bob"):
        for verb in ("deploy", "rollback"):
            result = place.run(verb, image(1))
            assert result.status == 1
            assert f"{place.name} is locked\n  why: it is held by: deploy of bob; waited 10 s" in result.err
            assert place.snapshot() == before


def test_environments_do_not_wait_for_each_other(host):
    with host.prod.locked("deploy of bob"):
        host.dev.deployed(1)


def test_an_image_of_another_repository_or_without_a_digest_is_wrong_usage(place):
    before = place.snapshot()
    for other in (image(1).replace("book-shop", "book-shop2"), f"{REPOSITORY}:1.0.0"):
        result = place.run("deploy", other)
        assert result.status == 2
        assert f"invalid image '{other}'" in result.err
    assert place.snapshot() == before


@pytest.mark.parametrize("name", ['a "b"\nc $(reboot) \\', "\udcff", "é" * 1000])
def test_an_entry_is_one_line_whatever_the_actor_is_called(host, act_as, name):
    act_as(name)
    host.dev.deployed(1)
    assert host.dev.history() == [(name, "deploy", 1, "ok")]
    assert len((host.paths.state / "deploys.jsonl").read_text().splitlines()) == 1


def test_the_history_survives_a_torn_line(host):
    host.dev.deployed(1)
    log = host.paths.state / "deploys.jsonl"
    with open(log, "a") as file:
        file.write('{"time": "2026')
    host.dev.deployed(2)
    with open(log, "ab") as file:
        file.write(b"\xff\n[]\n1\n\n")
    host.dev.deployed(3)
    assert [number for _, _, number, _ in host.dev.history()] == [1, 2, 3]
    assert host.dev.rollback(1).status == 0


def test_a_state_file_is_replaced_whole_or_not_at_all(host, monkeypatch):
    host.dev.deployed(1)
    monkeypatch.setattr("os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        FileState("dev", host.paths.state).save(host.dev.environment.lock, host.dev.environment.state.load())
    assert host.dev.remembered() == (1, None)
