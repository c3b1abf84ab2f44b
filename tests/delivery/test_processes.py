"""Programs and sockets, with real ones."""

import os
import socket
import subprocess
import sys

import pytest
from delivery import process, sockets

BOTH = ["sh", "-c", "echo out; echo err >&2"]


def test_the_output_of_a_program_is_returned():
    assert process.run(BOTH) == "out\n"
    assert process.run(BOTH, merge=True) == "out\nerr\n"
    assert process.run(["cat"], input="héllo") == "héllo"
    assert process.run(["printf", r"\377"]) == "\N{REPLACEMENT CHARACTER}"
    assert process.run(["sh", "-c", "echo diff; exit 1"], passed=(0, 1)) == "diff\n"


def test_a_program_does_not_read_the_terminal(tmp_path):
    (tmp_path / "terminal").write_text("typed")
    with open(tmp_path / "terminal") as terminal, os.fdopen(os.dup(0)) as before:
        os.dup2(terminal.fileno(), 0)
        try:
            assert process.run(["cat"]) == ""
        finally:
            os.dup2(before.fileno(), 0)


@pytest.mark.parametrize(
    ("command", "what", "why"),
    [
        (["sh", "-c", "echo no space left >&2; exit 3"], "sh -c failed", "no space left"),
        (["sh", "-c", "exit 3"], "sh -c failed", "exit status 3"),
        (["no-such-program"], "no-such-program failed", "[Errno 2] No such file or directory: 'no-such-program'"),
    ],
)
def test_a_program_that_fails_is_an_error_with_its_own_message(command, what, why):
    with pytest.raises(process.ProgramFailed) as error:
        process.run(command)
    assert (error.value.what, str(error.value.why)) == (what, why)


def test_a_program_that_does_not_end_is_killed_at_the_limit(tmp_path):
    with pytest.raises(process.TimedOut, match=r"it did not end within 0\.5 s"):
        process.run(["sh", "-c", f"echo $$ >{tmp_path}/id; exec sleep 600"], timeout=0.5)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "id").read_text()), 0)


def test_shown_output_is_passed_through_to_stderr(capfd, monkeypatch):
    monkeypatch.setattr(sys, "stderr", os.fdopen(os.dup(2), "w"))
    assert process.run(BOTH, show=True) == ""
    assert capfd.readouterr().err == "out\nerr\n"
    sys.stderr.close()


def test_whether_a_program_succeeds():
    assert process.succeeds(["true"])
    assert not process.succeeds(["false"])
    assert not process.succeeds(["no-such-program"])


def test_a_child_inherits_the_files_that_are_marked_inheritable_and_no_others(tmp_path):
    with open(tmp_path / "lock", "w") as lock, open(tmp_path / "other", "w") as other:
        os.set_inheritable(lock.fileno(), True)
        paths = [f"/proc/self/fd/{file.fileno()}" for file in (lock, other)]
        assert process.run(["readlink", *paths], passed=(1,)) == f"{tmp_path}/lock\n"


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_sockets_of_a_port(family, address):
    with socket.socket(family) as server:
        server.bind((address, 0))
        port = server.getsockname()[1]
        assert not sockets.is_listening(port)
        server.listen()
        assert sockets.is_listening(port)
        assert sockets.established(os.getpid(), port) == 0
        with socket.create_connection((address, port)), server.accept()[0]:
            assert sockets.established(os.getpid(), port) == 1
    assert not sockets.is_listening(port)


def test_a_process_that_has_ended_has_no_connections():
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert sockets.established(ended.pid, 8000) == 0
