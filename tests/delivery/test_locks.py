"""The locks of a deploy: a lock of the kernel on a host, a Lease on a cluster."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from unittest import mock

import pytest
from delivery import cli, lock
from delivery.lock import FileLock, LeaseLock, LockLost
from delivery.state import ConfigMapState, Memory, entry
from fakes import FakeClock, failure, image, revision

SCRIPTS = Path(cli.__file__).parents[1]

# FileLock, with real processes.

DEPLOY = """
import sys
from pathlib import Path
from delivery import process
from delivery.lock import FileLock
with FileLock("dev", Path(sys.argv[1]), "ann").acquire("deploy dev x"):
    process.run(["cat"], stdin=open(sys.argv[2]))
"""


def test_a_file_lock_of_a_killed_deploy_is_held_until_its_child_has_ended(tmp_path):
    """A migration that outlives its deploy must not run next to another one."""
    path, fifo = tmp_path / "lock", tmp_path / "fifo"
    os.mkfifo(fifo)
    command = [sys.executable, "-c", DEPLOY, path, fifo]
    deploy = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(SCRIPTS)})
    writer = os.open(fifo, os.O_WRONLY)  # the deploy has opened the other end: it holds the lock
    children = Path(f"/proc/{deploy.pid}/task/{deploy.pid}/children")
    while not children.read_text().strip():
        os.sched_yield()
    other = FileLock("dev", path, "bob", limit=0)
    assert other.holder().startswith(f"deploy dev x, by ann, process {deploy.pid}")

    deploy.send_signal(signal.SIGKILL)
    deploy.wait()
    assert other.holder().startswith("deploy dev x, by ann")
    with pytest.raises(cli.CommandError, match="dev is locked"), other.acquire("deploy dev y"):
        pass
    os.close(writer)  # the child reads the end of its input
    with FileLock("dev", path, "bob", limit=60).acquire("deploy dev y"):
        assert other.holder().startswith("deploy dev y, by bob")
    assert other.holder() is None


def test_the_name_of_an_earlier_holder_is_replaced(tmp_path):
    path = tmp_path / "lock"
    path.write_text("a very long name of an earlier holder, process 123456789, since long ago, and more words\n")
    with FileLock("dev", path, "ann").acquire("deploy dev x"):
        (line,) = path.read_text().splitlines()
    assert line.startswith("deploy dev x, by ann, process ")
    assert "earlier" not in line


def test_a_file_that_no_process_has_locked_has_no_holder(tmp_path):
    path = tmp_path / "lock"
    assert FileLock("dev", path, "ann").holder() is None
    path.write_text("deploy of ann\n")
    assert FileLock("dev", path, "ann").holder() is None


# LeaseLock.


def lease_of(cluster):
    return cluster.world.kubernetes.objects["lease.coordination.k8s.io/book-shop-deploys"]["spec"]


def taker(cluster, name, **limits):
    return LeaseLock("prod", cluster.world.kubernetes, name, clock=FakeClock(cluster.world), **limits)


def test_a_lease_that_no_one_renews_is_taken_over(cluster, world):
    cluster.hold("deploy prod of ann, who died")
    before = world.now
    cluster.deployed(1)
    assert world.now - before >= 30
    assert cluster.holder() is None


def test_a_lease_that_is_renewed_is_never_taken_over(cluster, world, monkeypatch):
    monkeypatch.setenv("DELIVERY_LOCK_WAIT", "100")

    def renew():
        cluster.hold("deploy prod of ann")
        world.at(5, renew)

    renew()
    cluster.deploy(1).must_fail("prod is locked\n  why: it is held by: deploy prod of ann; waited 100 s")
    assert cluster.holder() == "deploy prod of ann"


@pytest.mark.parametrize("holder", ["", "deploy prod of zoe, who died"])
def test_of_two_takers_one_gets_the_lease_and_the_other_one_waits_for_it(cluster, world, capsys, holder):
    cluster.hold(holder)
    held = []

    def bob_is_faster():
        bob = taker(cluster, "bob", lease_limit=0 if holder else 30).acquire("deploy prod x")
        bob.__enter__()
        held.append(cluster.holder())
        world.at(10, lambda: bob.__exit__(None, None, None))

    world.before("kubernetes.replace", bob_is_faster)
    with taker(cluster, "ann").acquire("deploy prod y"):
        assert "by bob" in held[0]
        assert "by ann" in cluster.holder()
    assert f"prod is locked by: {held[0]}. Waiting up to 300 s" in capsys.readouterr().err
    assert cluster.holder() is None


def test_a_taker_that_was_slower_names_the_holder_when_it_fails(cluster, world, monkeypatch):
    monkeypatch.setenv("DELIVERY_LOCK_WAIT", "0")
    world.before("kubernetes.replace", lambda: cluster.hold("deploy of bob"))
    with cluster.unchanged():
        cluster.deploy(1).must_fail("it is held by: deploy of bob")
    assert cluster.holder() == "deploy of bob"


def losing(replace, before=(), after=()):
    """A `replace` some of whose calls, by their numbers, lose the connection before or after they store."""

    def replaced(manifest):
        number = calls.call_count
        if number in before:
            raise failure("kubectl", "connection refused")
        answer = replace(manifest)
        if number in after:
            raise failure("kubectl", "connection reset")
        return answer

    calls = mock.Mock(side_effect=replaced)
    return calls


def test_an_acquisition_whose_answer_was_lost_is_an_acquisition(cluster, world):
    world.kubernetes.replace = losing(world.kubernetes.replace, after=[1])
    before = world.now
    with taker(cluster, "ann").acquire("deploy prod x"):
        assert world.now - before < 30  # after that, it would take its own Lease over
    assert cluster.holder() is None


def test_a_lease_is_renewed_while_it_is_held_and_survives_an_outage(cluster, world, monkeypatch):
    monkeypatch.setattr(lock, "RENEWAL", 0.01)
    renewed = threading.Event()
    replace = losing(world.kubernetes.replace, before=[3], after=[5])  # the API server restarts

    def watched(manifest):
        answer = replace(manifest)
        if replace.call_count >= 9:
            renewed.set()
        return answer

    world.kubernetes.replace = watched
    with taker(cluster, "ann").acquire("deploy prod x") as token:
        first = lease_of(cluster)["acquireTime"]
        assert renewed.wait(60)
        assert lease_of(cluster)["renewTime"] > first
        token.check()
    assert cluster.holder() is None


class Thief:
    """Takes the Lease during one call of a deploy, and notes what the deploy changes after that."""

    def __init__(self, cluster, moment):
        self.cluster, self.left, self.original = cluster, moment, cluster.world.call
        self.stole_in, self.history, self.later_changes, self.was_released = None, [], [], False

    def call(self, name, changes=False):
        if threading.current_thread() is threading.main_thread() and lease_of(self.cluster)["holderIdentity"]:
            if self.stole_in:
                self.later_changes += [name] * changes
            elif self.left == 0:
                self.steal(name)
            else:
                self.left -= 1
        self.original(name, changes)

    def steal(self, name):
        self.stole_in = name
        self.history = self.cluster.history()
        self.cluster.hold("deploy of bob")
        keepers = [thread for thread in threading.enumerate() if thread.name == lock.LEASE]
        self.was_released = not keepers
        for keeper in keepers:
            keeper.join(60)  # it interrupts this


@pytest.mark.parametrize("faults", [(), ("migration",), ("never-ready",), ("wrong-revision",)])
def test_a_deploy_that_loses_its_lease_stops_at_once(cluster, world, monkeypatch, faults):
    """Whichever call of it is running: it reports the loss, changes nothing more, and does not revert."""
    monkeypatch.setattr(lock, "RENEWAL", 0.005)
    monkeypatch.setenv("DELIVERY_ANSWER_LIMIT", "1")
    cluster.deployed(1)
    world.push(2, *faults)
    saved, moments = world.save(), 0
    while True:
        thief = Thief(cluster, moments)
        with mock.patch.object(world, "call", thief.call):
            result = cluster.run("deploy", image(2))
        if thief.stole_in is None:
            break
        print(f"the Lease was taken in call {moments}, {thief.stole_in}")  # shown when the test fails
        result.must_fail()
        if not (faults and thief.was_released):  # then there was nothing more to do
            assert "the deploy lost its lock and has stopped\n  why: it is held by: deploy of bob" in result.err
        assert "free" not in result.err
        assert thief.later_changes == []
        assert cluster.holder() == "deploy of bob"
        assert cluster.history() == thief.history
        world.restore(saved)
        moments += 1
    assert moments > 10


def test_the_state_refuses_the_writes_of_a_deploy_that_does_not_know_of_its_loss(cluster, world):
    """Its keeper may be asleep, with the laptop: the resourceVersion of the ConfigMap decides."""
    cluster.deployed(1)
    unaware = mock.create_autospec(lock.Token, instance=True)
    loser, winner = ConfigMapState("prod", world.kubernetes), ConfigMapState("prod", world.kubernetes)
    loser.claim(unaware)
    winner.claim(unaware)
    with pytest.raises(LockLost):
        loser.save(unaware, Memory(image(9)))
    with pytest.raises(LockLost):
        loser.add(unaware, {"verb": "deploy"})
    winner.save(unaware, Memory(image(2), image(1)))
    winner.add(unaware, {"environment": "prod", "verb": "deploy"})
    assert cluster.remembered() == (2, 1)
    assert len(cluster.environment.state.history()) == 2


def note(place, command):
    """A command ends, in another process."""
    place.environment.state.note(entry(place.name, f"manage {command}", "bob", image(1), revision(1), "ok", 1))


CALLS = {"dev": ("docker.pull", "docker.run", "switch.to"), "prod": ("docker.pull", "kubernetes.apply")}
CALLS["cluster"] = (*CALLS["prod"], "kubernetes.replace", "kubernetes.wait_for_rollout")


def test_a_command_that_ends_during_a_deploy_is_recorded_and_disturbs_nothing(place):
    place.deployed(1)
    for count, call in enumerate(CALLS[place.kind], 1):
        place.world.push(count + 1)
        place.world.before(call, lambda call=call: note(place, call))
        place.deployed(count + 1)
        assert place.remembered() == (count + 1, count)
    verbs = [verb for _, verb, _, _ in place.history()]
    assert sorted(verbs) == ["deploy"] * (count + 1) + sorted(f"manage {call}" for call in CALLS[place.kind])
    place.rollback().must_succeed()  # a command counts as no deploy
    assert place.remembered()[0] == count


def test_commands_that_end_at_the_same_time_are_all_recorded(cluster):
    left = iter("abc")

    def end():
        if command := next(left, None):
            cluster.world.before("kubernetes.replace", end)
            note(cluster, command)

    end()
    assert [verb for _, verb, _, _ in cluster.history()] == ["manage c", "manage b", "manage a"]


AWAY = [(call, faults) for call in ("wait_for_rollout", "apply", "pods") for faults in ([], ["never-ready"])]
AWAY += [("logs", ["never-ready"])]  # a good image shows no logs


@pytest.mark.parametrize(("call", "faults"), AWAY)
def test_a_deploy_that_slept_while_another_one_took_over_neither_reverts_nor_records(cluster, world, call, faults):
    cluster.deployed(1)
    world.push(2, *faults)
    world.before(f"kubernetes.{call}", lambda: cluster.deployed(3))
    cluster.run("deploy", image(2)).must_fail("the deploy lost its lock and has stopped")
    assert [number for _, _, number, _ in cluster.history()] == [1, 3]
    assert cluster.remembered() == (3, 1)
    assert cluster.environment.live() == image(3)
    assert cluster.serves() == 3
    assert cluster.holder() is None
