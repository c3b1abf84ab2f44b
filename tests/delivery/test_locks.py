"""The locks of a deploy: a lock of the kernel on a host, a Lease on a cluster."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from delivery import cli, lock
from delivery.clock import Clock
from delivery.lock import FileLock, LeaseLock, LockLost
from delivery.state import ConfigMapState, Memory
from fakes import FakeClock, image

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


class Stopped(Clock):
    """Looks once more and no longer."""

    def sleep(self, seconds):
        pass

    def now(self):
        return 0


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
    other = FileLock("dev", path, "bob", limit=0, clock=Stopped())
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
        assert path.read_text().startswith("deploy dev x, by ann, process ")
        assert path.read_text().count("\n") == 1
        assert "earlier" not in path.read_text()


def test_a_file_lock_of_nobody(tmp_path):
    assert FileLock("dev", tmp_path / "lock", "ann").holder() is None
    (tmp_path / "lock").write_text("deploy of ann\n")
    assert FileLock("dev", tmp_path / "lock", "ann").holder() is None


# LeaseLock.


def lease_of(cluster):
    return cluster.world.kubernetes.objects["lease.coordination.k8s.io/book-shop-deploys"]


def taker(cluster, name, **limits):
    return LeaseLock("prod", cluster.world.kubernetes, name, clock=FakeClock(cluster.world), **limits)


def test_a_lease_that_no_one_renews_is_taken_over(cluster):
    cluster.hold("deploy prod of ann, who died")
    before = cluster.world.now
    cluster.deployed(1)
    assert cluster.world.now - before >= 30
    assert cluster.holder() is None


def test_a_lease_that_is_renewed_is_never_taken_over(cluster, monkeypatch):
    monkeypatch.setenv("DELIVERY_LOCK_WAIT", "100")

    def renew():
        cluster.hold("deploy prod of ann")
        cluster.world.at(5, renew)

    renew()
    result = cluster.deploy(1)
    assert result.status == 1
    assert "prod is locked\n  why: it is held by: deploy prod of ann; waited 100 s" in result.err
    assert cluster.holder() == "deploy prod of ann"


@pytest.mark.parametrize("holder", ["", "deploy prod of zoe, who died"])
def test_of_two_takers_one_gets_the_lease_and_the_other_one_waits_for_it(cluster, capsys, holder):
    cluster.hold(holder)
    held = []

    def bob_is_faster():
        bob = taker(cluster, "bob", lease_limit=0 if holder else 30).acquire("deploy prod x")
        bob.__enter__()
        held.append(cluster.holder())
        cluster.world.at(10, lambda: bob.__exit__(None, None, None))

    cluster.world.before("kubernetes.replace", bob_is_faster)
    with taker(cluster, "ann").acquire("deploy prod y"):
        assert "by bob" in held[0]
        assert "by ann" in cluster.holder()
    assert f"prod is locked by: {held[0]}. Waiting up to 300 s" in capsys.readouterr().err
    assert cluster.holder() is None


def test_a_taker_that_was_slower_names_the_holder_when_it_gives_up(cluster, monkeypatch):
    monkeypatch.setenv("DELIVERY_LOCK_WAIT", "0")
    before = cluster.snapshot()

    def bob_is_faster():
        cluster.hold("deploy of bob")

    cluster.world.before("kubernetes.replace", bob_is_faster)
    result = cluster.deploy(1)
    assert result.status == 1
    assert "it is held by: deploy of bob" in result.err
    assert cluster.holder() == "deploy of bob"
    assert cluster.snapshot() == before


def test_an_acquisition_whose_answer_was_lost_is_an_acquisition(cluster):
    replace = cluster.world.kubernetes.replace

    def lose_the_answer(manifest):
        cluster.world.kubernetes.replace = replace
        replace(manifest)
        cluster.world.failures["kubernetes.get"] = []
        raise lock.process.ProgramFailed(["kubectl"], "connection reset", "connection reset")

    cluster.world.kubernetes.replace = lose_the_answer
    before = cluster.world.now
    cluster.deployed(1)
    assert cluster.world.now - before < 60
    assert cluster.holder() is None


def test_a_lease_is_renewed_while_it_is_held_and_survives_an_outage(cluster, monkeypatch):
    monkeypatch.setattr(lock, "RENEWAL", 0.01)
    renewed = threading.Event()
    kubernetes = cluster.world.kubernetes
    replace = kubernetes.replace
    calls = []

    def counted(manifest):
        calls.append(manifest)
        if len(calls) in (3, 5):  # the API server restarts, before or after it has stored the renewal
            if len(calls) == 5:
                replace(manifest)
            raise lock.process.ProgramFailed(["kubectl"], "connection refused", "connection refused")
        answer = replace(manifest)
        if len(calls) >= 9:
            renewed.set()
        return answer

    kubernetes.replace = counted
    with taker(cluster, "ann").acquire("deploy prod x") as token:
        first = lease_of(cluster)["spec"]["acquireTime"]
        assert renewed.wait(60)
        assert lease_of(cluster)["spec"]["renewTime"] > first
        token.check()
    assert cluster.holder() is None


@pytest.mark.parametrize("faults", [(), ("migration",), ("never-ready",), ("wrong-revision",)])
def test_a_deploy_that_loses_its_lease_stops_at_once(cluster, monkeypatch, faults):
    """Whichever call of it is running: it reports the loss, changes nothing more, and does not revert."""
    monkeypatch.setattr(lock, "RENEWAL", 0.005)
    monkeypatch.setenv("DELIVERY_ANSWER_LIMIT", "1")
    cluster.deployed(1)
    cluster.world.push(2, *faults)
    call, saved = cluster.world.call, cluster.world.save()
    lost_in = []
    while True:
        thief = Thief(cluster, call, moment=len(lost_in))
        cluster.world.call = thief.call
        result = cluster.run("deploy", image(2))
        cluster.world.call = call
        if thief.stole_in is None:
            break
        lost_in.append(thief.stole_in)
        assert result.status == 1, lost_in
        if not (faults and thief.was_released):  # then there was nothing more to do
            assert "the deploy lost its lock and has stopped\n  why: it is held by: deploy of bob" in result.err
        assert "free" not in result.err
        assert thief.later_changes == [], lost_in
        assert cluster.holder() == "deploy of bob"
        assert cluster.history() == thief.history
        cluster.world.restore(saved)
    assert len(lost_in) > 10


class Thief:
    """Takes the Lease during one call of a deploy, and notes what the deploy changes after that."""

    def __init__(self, cluster, original, moment):
        self.cluster, self.original, self.left = cluster, original, moment
        self.stole_in, self.history, self.later_changes, self.was_released = None, [], [], False

    def call(self, name, changes=False):
        if threading.current_thread() is threading.main_thread() and lease_of(self.cluster)["spec"]["holderIdentity"]:
            if self.stole_in:
                self.later_changes += [name] * changes
            elif self.left == 0:
                self.stole_in = name
                self.history = self.cluster.history()
                self.cluster.hold("deploy of bob")
                keepers = [thread for thread in threading.enumerate() if thread.name == lock.LEASE]
                self.was_released = not keepers
                for keeper in keepers:
                    keeper.join(60)  # it interrupts this
            else:
                self.left -= 1
        self.original(name, changes)


def test_the_state_refuses_the_writes_of_a_deploy_that_does_not_know_of_its_loss(cluster):
    """Its keeper may be asleep, with the laptop: the resourceVersion of the ConfigMap decides."""

    class Unaware:
        def check(self):
            pass

    cluster.deployed(1)
    kubernetes = cluster.world.kubernetes
    loser, winner = ConfigMapState("prod", kubernetes), ConfigMapState("prod", kubernetes)
    loser.claim(Unaware())
    winner.claim(Unaware())
    for write in (lambda: loser.save(Unaware(), Memory(image(9))), lambda: loser.add(Unaware(), {"verb": "deploy"})):
        with pytest.raises(LockLost):
            write()
    winner.save(Unaware(), Memory(image(2), image(1)))
    winner.add(Unaware(), {"environment": "prod", "verb": "deploy"})
    assert cluster.remembered() == (2, 1)
    assert len(cluster.environment.state.history()) == 2


@pytest.mark.parametrize("moment", ["wait_for_rollout", "apply", "pods", "logs"])
@pytest.mark.parametrize("faults", [(), ("never-ready",)])
def test_a_deploy_that_slept_while_another_one_took_over_neither_reverts_nor_records(cluster, moment, faults):
    cluster.deployed(1)
    cluster.world.push(2, *faults)
    cluster.world.push(3)
    others = []

    def another_deploys():
        others.append(cluster.run("deploy", image(3)))

    cluster.world.before(f"kubernetes.{moment}", another_deploys)
    result = cluster.run("deploy", image(2))
    if not others:
        return  # a good image shows no logs
    assert others[0].status == 0, others
    assert result.status == 1, result
    assert "the deploy lost its lock and has stopped" in result.err
    assert [number for _, _, number, _ in cluster.history()] == [1, 3]
    assert cluster.remembered() == (3, 1)
    assert cluster.environment.live() == image(3)
    assert cluster.serves() == 3
    assert cluster.holder() is None
