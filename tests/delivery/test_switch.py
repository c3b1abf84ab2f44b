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
        make_program(directory / "nft", f'exec {" ".join(self.inside)} {shutil.which("nft")} "$@"')
        subprocess.run([*self.inside, "ip", "link", "set", "lo", "up"], check=True)
        subprocess.run([directory / "nft", "-f", "-"], input=DOCKER, text=True, check=True)
        for port, slot in ("8001", "a"), ("8002", "b"):
            assert self.start("serve", port, slot).stdout.readline() == "ready\n"

    def start(self, *arguments):
        """A process of lines.py in the namespace. It ends with its input."""
        command = [*self.inside, sys.executable, str(LINES), *arguments]
        pipe = subprocess.PIPE
        self.processes.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
        return self.processes[-1]

    def connection(self):
        """A function that returns the slot at the other end of one connection, which its first call opens."""
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


def make_program(path, script):
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def nft(*arguments):
    subprocess.run(["nft", *arguments], check=True)


@pytest.fixture
def network(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}:/usr/sbin")
    made = Network(tmp_path / "bin")
    yield made
    made.close()


@pytest.fixture
def record(tmp_path):
    """The file that records the live slot."""
    directory = tmp_path / "var/lib/book-shop/dev"
    directory.mkdir(parents=True)
    return directory / "live-slot"


@pytest.fixture
def switch(network, record, tmp_path):
    return Switch(tmp_path)


@pytest.fixture
def live(switch, network, record):
    """A function that returns the live slot, by all who know of it, and asserts that they agree."""

    def agreed():
        (slot,) = {switch.live(), record.read_text().strip(), network.connection()()}
        return slot

    return agreed


def test_a_new_host_begins_with_slot_a(switch, live):
    assert switch.live() == "a"
    switch.restore()
    assert live() == "a"


def test_new_connections_reach_the_new_slot_and_established_ones_stay(switch, network, live):
    switch.to("a")
    first = network.connection()
    assert first() == "a"
    switch.to("b")
    second = network.connection()
    assert (first(), second(), live()) == ("a", "b", "b")
    switch.to("a")
    assert (first(), second(), live()) == ("a", "b", "a")


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


@pytest.mark.parametrize("repair", [Switch.restore, lambda switch: switch.to("b")], ids=["restore", "to"])
@pytest.mark.parametrize(
    "damage",
    [("delete", "table", *TABLE), ("flush", "table", *TABLE), ("flush", "map", *TABLE, "live")],
    ids=["reboot", "flushed-table", "flushed-map"],
)
def test_a_table_that_the_kernel_has_lost_is_made_again_for_the_recorded_slot(switch, live, damage, repair):
    switch.to("b")
    nft(*damage)
    assert switch.live() == "b"
    repair(switch)
    assert live() == "b"


@pytest.mark.parametrize(
    "other",
    [
        "map live { type inet_service : ipv4_addr; }",
        "map live { type inet_service : inet_service; flags interval; }",
        "set live { type inet_service; }",
        "chain output { type filter hook output priority 0; }",
        "chain output { type nat hook output priority -50; }",
        "chain output { type nat hook output priority -101; policy drop; }",
        "chain output { }",
    ],
)
def test_a_table_of_another_form_is_replaced(switch, live, other):
    switch.to("b")
    nft("delete", "table", *TABLE)
    nft(f"table ip {TABLE[1]} {{ {other}; }}")
    switch.restore()
    assert live() == "b"


def test_the_kernel_is_right_when_a_kill_left_another_slot_recorded(switch, record, live):
    switch.to("b")
    record.write_text("a\n")
    assert switch.live() == "b"
    switch.restore()
    assert live() == "b"


def test_the_flag_of_an_older_host_is_taken_over_once(switch, record, live):
    flag = record.with_name("slot-b-is-live")
    flag.touch()
    assert switch.live() == "b"
    switch.restore()
    assert live() == "b"
    assert flag.exists()  # NGINX's old workers look at it until they have ended
    switch.to("a")
    nft("delete", "table", *TABLE)
    assert (switch.live(), flag.exists()) == ("a", False)


def test_a_table_that_the_kernel_refuses_changes_nothing(switch, live, tmp_path, monkeypatch):
    switch.to("a")
    make_program(tmp_path / "refusing/nft", "echo 'Operation not permitted' >&2; exit 1")
    with monkeypatch.context() as context, pytest.raises(CommandError, match="Operation not permitted"):
        context.setenv("PATH", f"{tmp_path / 'refusing'}:{os.environ['PATH']}")
        switch.to("b")
    assert live() == "a"


def test_a_slot_that_cannot_be_recorded_is_not_switched_to(switch, live, record):
    switch.to("a")
    record.with_suffix(".new").mkdir()
    with pytest.raises(CommandError, match="Is a directory"):
        switch.to("b")
    assert live() == "a"


@pytest.mark.parametrize(
    "operation", [Switch.live, Switch.restore, lambda switch: switch.to("b")], ids=["live", "restore", "to"]
)
def test_without_nft_an_operation_names_the_command_that_installs_it(record, tmp_path, monkeypatch, operation):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match="can't run nft") as raised:
        operation(Switch(tmp_path))
    assert raised.value.remedy == "/opt/book-shop/bin/bootstrap"


@pytest.mark.parametrize("operation", [Switch.live, Switch.restore])
def test_a_recorded_slot_that_does_not_exist_is_refused(switch, record, operation):
    record.write_text("c\n")
    with pytest.raises(CommandError, match="invalid slot 'c'"):
        operation(switch)


@pytest.fixture
def command(network, record, tmp_path):
    """Runs the host's command `switch` as it is installed; returns its exit status, stdout and stderr."""
    installed = tmp_path / "opt/book-shop/bin"
    installed.mkdir(parents=True)
    shutil.copy(ROOT / "scripts/host/bin/switch", installed)
    (installed / "delivery").symlink_to(ROOT / "scripts/delivery")
    programs = tmp_path / "usr/sbin"  # its PATH is that of the root that it is installed in
    programs.mkdir(parents=True)
    (programs / "nft").symlink_to(shutil.which("nft", path="/usr/sbin:/sbin"))

    def run(*arguments):
        command = [*network.inside, installed / "switch", *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    return run


def test_the_command_moves_the_switch_and_prints_the_live_slot(command, live):
    assert command() == (0, "a\n", "")
    assert command("b") == (0, "", "")
    assert (command(), live()) == ((0, "b\n", ""), "b")
    nft("delete", "table", *TABLE)
    assert command("restore") == (0, "", "")
    assert (command(), live()) == ((0, "b\n", ""), "b")


@pytest.mark.parametrize("arguments", [["c"], ["A"], [""], ["a", "b"], ["--force"], ["a;id"]])
def test_the_command_refuses_wrong_usage(command, switch, arguments):
    switch.to("b")
    status, output, error = command(*arguments)
    assert (status, output, "Usage: switch [a|b|restore]" in error) == (2, "", True)
    assert switch.live() == "b"


def test_the_command_reports_a_failure(command, record):
    record.write_text("c\n")
    status, output, error = command("restore")
    assert (status, output) == (1, "")
    assert error.startswith("switch: invalid slot 'c'")
