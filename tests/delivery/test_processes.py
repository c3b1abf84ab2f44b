"""Programs and sockets, with real ones."""

import os
import socket
import subprocess
import sys

import pytest
from delivery import process, sockets


def test_the_output_of_a_program_is_returned_and_its_stderr_is_not():
    assert process.run(["sh", "-c", "echo out; echo err >&2"]) == "out\n"
    assert process.run(["sh", "-c", "echo out; echo err >&2"], merge=True) == "out\nerr\n"
    assert process.run(["cat"], input="héllo") == "héllo"
    assert process.run(["cat"]) == ""  # it does not read the terminal
    assert process.run(["printf", r"\377"]) == "\N{REPLACEMENT CHARACTER}"


def test_a_program_that_fails_is_an_error_with_its_own_message():
    with pytest.raises(process.ProgramFailed) as error:
        process.run(["sh", "-c", "echo no space left >&2; exit 3"])
    assert (error.value.what, error.value.why) == ("sh -c failed", "no space left")
    with pytest.raises(process.ProgramFailed, match="exit status 3"):
        process.run(["sh", "-c", "exit 3"])
    assert process.run(["sh", "-c", "echo diff; exit 1"], passed=(0, 1)) == "diff\n"
    with pytest.raises(process.ProgramFailed, match="no-such-program"):
        process.run(["no-such-program"])


def test_a_program_that_does_not_end_is_killed_at_the_limit(tmp_path):
    with pytest.raises(process.TimedOut, match=r"it did not end within 0\.5 s"):
        process.run(["sh", "-c", f"echo $$ >{tmp_path}/id; exec sleep 600"], timeout=0.5)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "id").read_text()), 0)


def test_shown_output_is_passed_through_to_stderr(capfd, monkeypatch):
    monkeypatch.setattr(sys, "stderr", os.fdopen(os.dup(2), "w"))
    assert process.run(["sh", "-c", "echo out; echo err >&2"], show=True) == ""
    assert capfd.readouterr().err == "out\nerr\n"
    sys.stderr.close()


def test_whether_a_program_succeeds():
    assert process.succeeds(["true"])
    assert not process.succeeds(["false"])
    assert not process.succeeds(["no-such-program"])


def test_a_child_inherits_the_files_that_are_marked_inheritable_and_no_others(tmp_path):
    with open(tmp_path / "lock", "w") as lock, open(tmp_path / "other", "w") as other:
        os.set_inheritable(lock.fileno(), True)
        found = process.run(
            ["readlink", f"/proc/self/fd/{lock.fileno()}", f"/proc/self/fd/{other.fileno()}"], passed=(1,)
        )
    assert found == f"{tmp_path}/lock\n"


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_sockets_of_a_port(family):
    address = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}[family]
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
