"""The switch of dev, with the kernel's own tables and real connections, in a network namespace made for each test."""

import concurrent.futures
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from delivery.cli import CommandError
from delivery.switch import Switch

ROOT = Path(__file__).parents[2]
LINES = ROOT / "tests/lib/lines.py"
TABLE = ("ip", "book_shop_switch")
# As Docker publishes the slots on 4001 and 4002 without a proxy process.
DOCKER = """
table ip nat {
    chain OUTPUT {
        type nat hook output priority -100
        ip daddr 127.0.0.1 tcp dport 4001 dnat to 127.0.0.1:8001
        ip daddr 127.0.0.1 tcp dport 4002 dnat to 127.0.0.1:8002
    }
}
"""


class Network:
    """A network namespace in which two slots listen."""

    def __init__(self, directory):
        as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
        self.netns = [*as_root, "ip", "netns"]
        self.name = f"switch-{os.getpid()}"
        self.processes = []
        subprocess.run([*self.netns, "add", self.name], check=True)
        self.inside = [*self.netns, "exec", self.name]
        nft = directory / "nft"
        nft.write_text(f'#!/bin/sh\nexec {" ".join(self.inside)} {shutil.which("nft")} "$@"\n')
        nft.chmod(0o755)
        subprocess.run([*self.inside, "ip", "link", "set", "lo", "up"], check=True)
        subprocess.run([nft, "-f", "-"], input=DOCKER, text=True, check=True)
        for port, slot in ("8001", "a"), ("8002", "b"):
            assert self.start("serve", port, slot).stdout.readline() == "ready\n"

    def start(self, *arguments):
        """A process of lines.py in the namespace. It ends with its input."""
        command = [*self.inside, sys.executable, str(LINES), *arguments]
        pipe = subprocess.PIPE
        self.processes.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
        return self.processes[-1]

    def connection(self):
        """A function that asks through one connection, which its first call opens, which slot answers."""
        client = self.start("ask", "4000")

        def ask():
            client.stdin.write("which slot?\n")
            client.stdin.flush()
            return client.stdout.readline().strip()

        return ask

    def close(self):
        for process in self.processes:
            if not process.stdin.closed:
                process.communicate()
        subprocess.run([*self.netns, "delete", self.name], check=True)


@pytest.fixture
def network(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin")
    (tmp_path / "bin").mkdir()
    made = Network(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    yield made
    made.close()


@pytest.fixture
def state(tmp_path):
    directory = tmp_path / "var/lib/book-shop/dev"
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def switch(network, state, tmp_path):
    return Switch(tmp_path)


def nft(*arguments):
    subprocess.run(["nft", *arguments], check=True)


def recorded(state):
    return (state / "live-slot").read_text()


def test_a_new_host_begins_with_slot_a(switch, network, state):
    assert switch.live() == "a"
    switch.restore()
    assert (switch.live(), recorded(state), network.connection()()) == ("a", "a\n", "a")


def test_new_connections_reach_the_new_slot_and_established_ones_stay(switch, network, state):
    switch.to("a")
    first = network.connection()
    assert first() == "a"
    switch.to("b")
    second = network.connection()
    assert (first(), second()) == ("a", "b")
    assert (switch.live(), recorded(state)) == ("b", "b\n")
    switch.to("a")
    assert (first(), second(), network.connection()()) == ("a", "b", "a")
    assert (switch.live(), recorded(state)) == ("a", "a\n")


def test_no_connection_fails_while_the_slots_change_places(switch, network):
    switch.to("a")
    client = network.start("connect", "4000")
    for _ in range(20):
        client.stdin.write("which slot?\n" * 50)
        client.stdin.flush()
        for slot in "ba":
            switch.to(slot)
    answers = client.communicate()[0].split()
    assert (len(answers), set(answers)) == (1000, {"a", "b"})


def test_a_restore_at_the_same_time_does_not_undo_a_switch(switch, tmp_path):
    done = threading.Event()

    def restore():
        while not done.is_set():
            Switch(tmp_path).restore()

    with concurrent.futures.ThreadPoolExecutor() as executor:
        restoring = executor.submit(restore)
        try:
            for slot in "ab" * 10:
                switch.to(slot)
                assert switch.live() == slot
        finally:
            done.set()
        restoring.result()


def test_a_reboot_restores_the_recorded_slot(switch, network, state):
    (state / "live-slot").write_text("b\n")
    assert switch.live() == "b"
    switch.restore()
    assert network.connection()() == "b"


@pytest.mark.parametrize("damage", [("delete", "table"), ("flush", "table")])
def test_a_table_that_was_deleted_or_flushed_is_repaired(switch, network, damage):
    for repair in switch.restore, lambda: switch.to("b"):
        switch.to("b")
        nft(*damage, *TABLE)
        assert switch.live() == "b"
        repair()
        assert network.connection()() == "b"


def test_a_map_without_entries_is_repaired(switch, network):
    switch.to("b")
    nft("flush", "map", *TABLE, "live")
    assert switch.live() == "b"
    switch.restore()
    assert network.connection()() == "b"


def test_the_kernel_is_right_when_a_kill_left_another_slot_recorded(switch, network, state):
    switch.to("b")
    (state / "live-slot").write_text("a\n")
    assert switch.live() == "b"
    switch.restore()
    assert (recorded(state), network.connection()()) == ("b\n", "b")


def test_the_flag_of_an_older_host_is_taken_over_once(switch, network, state):
    flag = state / "slot-b-is-live"
    flag.touch()
    assert switch.live() == "b"
    switch.restore()
    assert (recorded(state), network.connection()()) == ("b\n", "b")
    assert flag.exists()  # NGINX's old workers look at it until they are gone
    switch.to("a")
    nft("delete", "table", *TABLE)
    assert (switch.live(), flag.exists()) == ("a", False)


def test_a_table_that_the_kernel_refuses_changes_nothing(switch, network, state, tmp_path, monkeypatch):
    switch.to("a")
    (tmp_path / "refuses").mkdir()
    refuses = tmp_path / "refuses" / "nft"
    refuses.write_text("#!/bin/sh\necho 'Operation not permitted' >&2\nexit 1\n")
    refuses.chmod(0o755)
    with monkeypatch.context() as context:
        context.setenv("PATH", f"{refuses.parent}:{os.environ['PATH']}")
        with pytest.raises(CommandError, match="Operation not permitted"):
            switch.to("b")
    assert (switch.live(), recorded(state), network.connection()()) == ("a", "a\n", "a")


def test_without_nft_each_operation_names_the_command_that_installs_it(switch, monkeypatch, tmp_path):
    for operation in switch.live, switch.restore, lambda: switch.to("b"):
        with monkeypatch.context() as context, pytest.raises(CommandError, match="can't run nft") as raised:
            context.setenv("PATH", str(tmp_path))
            operation()
        assert raised.value.remedy == "/opt/book-shop/bin/bootstrap"


def test_a_slot_that_cannot_be_recorded_is_not_switched_to(switch, network, state):
    switch.to("a")
    (state / "live-slot.new").mkdir()
    with pytest.raises(CommandError, match="Is a directory"):
        switch.to("b")
    assert (switch.live(), recorded(state), network.connection()()) == ("a", "a\n", "a")


def test_a_recorded_slot_that_is_none_is_refused(switch, state):
    (state / "live-slot").write_text("c\n")
    for operation in switch.live, switch.restore:
        with pytest.raises(CommandError, match="invalid slot 'c'"):
            operation()


@pytest.fixture
def command(network, state, tmp_path):
    """Runs the host's command `switch` as it is installed; returns its exit status, stdout and stderr."""
    installed = tmp_path / "opt/book-shop/bin"
    installed.mkdir(parents=True)
    shutil.copy(ROOT / "scripts/host/bin/switch", installed)
    (installed / "delivery").symlink_to(ROOT / "scripts/delivery")

    def run(*arguments):
        done = subprocess.run([installed / "switch", *arguments], capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    return run


def test_the_command_moves_the_switch_and_prints_the_live_slot(command, network):
    assert command() == (0, "a\n", "")
    assert command("b") == (0, "", "")
    assert (command(), network.connection()()) == ((0, "b\n", ""), "b")
    nft("delete", "table", *TABLE)
    assert command("restore") == (0, "", "")
    assert (command(), network.connection()()) == ((0, "b\n", ""), "b")


@pytest.mark.parametrize("arguments", [("c",), ("A",), ("",), ("a", "b"), ("--force",), ("a;id",)])
def test_the_command_refuses_wrong_usage(command, switch, arguments):
    switch.to("b")
    status, output, error = command(*arguments)
    assert (status, output, "Usage: switch [a|b|restore]" in error) == (2, "", True)
    assert switch.live() == "b"


def test_the_command_reports_a_failure(command, state):
    (state / "live-slot").write_text("c\n")
    status, output, error = command("restore")
    assert (status, output) == (1, "")
    assert error.startswith("switch: invalid slot 'c'")
