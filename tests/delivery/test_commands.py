"""One-off commands: how COMMAND is split and passed on, and the host's verb `manage`."""

import json
import signal
import subprocess
import sys

import pytest
from delivery import commands, runs
from delivery.cli import UsageError
from fakes import image

HOSTILE = [
    "a b",
    "'",
    '"',
    "$(touch x)",
    "`id`",
    "a\nb",
    "",
    "--",
    "-x",
    "{{global:Date}}",
    "é😀",
    "\\",
    "\t",
    "*",
    "\x7f",
]


@pytest.mark.parametrize("word", HOSTILE)
def test_an_argument_arrives_exactly(word):
    text = commands.encode(["import_books", word])
    assert commands.decode(text) == ["import_books", word]
    assert "{" not in text
    assert text.isascii()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("import_books -", ["import_books", "-"]),
        ("shell -c 'print(1); #'", ["shell", "-c", "print(1); #"]),
        ('a "b c" d\\ e $HOME ~ *', ["a", "b c", "d e", "$HOME", "~", "*"]),
        ("a\n'b\nc'", ["a", "b\nc"]),
    ],
)
def test_a_command_is_quoted_as_for_a_shell_and_nothing_is_expanded(command, words):
    assert commands.split(command) == words


@pytest.mark.parametrize("command", ["", "  ", "a 'b", 'a "', "a\\", "a\0", "a \udcff", " ".join(["a"] * 101)])
def test_a_command_that_cannot_be_passed_is_wrong_usage(command):
    with pytest.raises(UsageError):
        commands.split(command)


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '"a"', "[1]", '["a", null]', '[["a"]]', '["a\\u0000"]', '["\\ud800"]', "[" * 5000, '["a"'),
        *("check", json.dumps(["a"] * 101), json.dumps(["a" * 8200])),
    ],
)
def test_other_json_is_wrong_usage(host, text):
    host.dev.deployed(1)
    host.run("manage", "dev", text).must_fail("invalid", status=2)
    assert host.world.docker.attached == []


def test_a_command_that_is_too_long_is_wrong_usage():
    with pytest.raises(UsageError, match="too long"):
        commands.encode(["a" * 8200])


@pytest.fixture(params=["dev", "prod"])
def place(request, host):
    """An environment of a host on which image 1 is live."""
    found = getattr(host, request.param)
    found.deployed(1)
    return found


def manage(place, *words):
    return place.host.run("manage", place.name, commands.encode(list(words)))


def test_runs_the_live_image_with_the_stored_settings_and_records_it(place, act_as):
    act_as("ann")
    manage(place, "import_books", "-").must_succeed()
    ((used, command, values, terminal),) = place.world.docker.attached
    assert (used, command, terminal) == (image(1), ("python3", "manage.py", "import_books", "-"), False)
    assert values == place.environment.settings.current().values
    assert place.history()[-1] == ("ann", "manage import_books -", 1, "ok")


@pytest.mark.parametrize("status", [1, 2, 77, 126, 127, 130, 137, 255])
def test_passes_the_exit_status_on_and_records_the_failure(place, status):
    place.world.docker.statuses["check"] = status
    assert manage(place, "check").status == status
    assert place.history()[-1][3] == "failed"


def test_a_command_that_could_not_be_started_is_recorded(place):
    place.world.failures["docker.attach"] = ["no space left on device"]
    manage(place, "check").must_fail("no space left on device")
    assert place.history()[-1][1:] == ("manage check", 1, "failed")


def test_an_environment_without_a_live_image_is_an_error(host):
    host.run("manage", "dev", '["check"]').must_fail("dev has no live image", "remedy: make deploy-dev")
    assert host.dev.history() == []


def test_runs_while_another_verb_holds_the_lock(place):
    with place.locked("deploy dev x"):
        manage(place, "check").must_succeed()
    assert place.history()[-1][1] == "manage check"


def test_the_end_of_a_command_does_not_depend_on_the_history(place, monkeypatch):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr("delivery.state.FileState.note", full)
    result = manage(place, "check")
    assert (result.status, "missing in the history" in result.err) == (0, True)


def test_a_deploy_meanwhile_succeeds_and_rollback_and_undo_ignore_the_command(place):
    place.world.push(2)
    place.world.before("docker.attach: meanwhile", lambda: place.deployed(2))
    manage(place, "check").must_succeed()
    assert (place.serves(), place.remembered()) == (2, (2, 1))
    place.undo(2).must_succeed()
    assert place.serves() == 1


def test_the_history_has_a_long_command_cut(place):
    manage(place, "shell", "-c", "x" * 5000).must_succeed()
    assert len(place.history()[-1][1]) == commands.SHOWN


def test_an_interrupt_reaches_the_processes_of_one_run():
    mine, other = runs.new(), runs.new()
    program = [sys.executable, "-c", "import sys; print(1, flush=True); sys.stdin.read()"]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    # A shell that runs the tests in the background lets them ignore SIGINT.
    default = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    started = [subprocess.Popen(program, env={runs.VARIABLE: run}, **streams, **default) for run in (mine, other)]
    for process in started:
        process.stdout.readline()
    runs.interrupt(mine)
    assert started[0].wait(60) == -signal.SIGINT
    assert started[1].poll() is None
    runs.interrupt(other, "hangup")
    assert started[1].wait(60) == -signal.SIGHUP


def test_a_process_runs_until_it_ends():
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        identity = runs.identity(process.pid)
        assert runs.is_running(identity)
        assert not runs.is_running(f"{process.pid}-1")  # its number was given to another process
        process.stdin.close()
    assert not runs.is_running(identity)
