"""DELIVERY_HOST=local: its container, its verbs by `docker exec`, and their actor."""

import os
import subprocess

import pytest
from delivery import actor, targets
from delivery.cli import AlreadyReported, CommandError
from delivery.targets.local import LocalHost
from program import Program

IMAGE = "localhost:5000/book-shop@sha256:" + "a" * 64


@pytest.fixture(autouse=True)
def docker(tmp_path, monkeypatch):
    """A docker on the PATH, and the settings of a local host."""
    for name in ("GITHUB_ACTOR", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    settings = {"DELIVERY_HOST": "local", "DELIVERY_DEMO": "test", "LOGNAME": "tester", "PATH": str(tmp_path)}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    program = Program(tmp_path, "docker")
    program.answers("container inspect", "true\n")
    program.answers("exec")
    return program


@pytest.mark.parametrize("name", ["DELIVERY_HOST", "DELIVERY_DEMO"])
def test_requires_its_settings(docker, monkeypatch, name):
    monkeypatch.delenv(name)
    with pytest.raises(CommandError, match=f"{name} is not set"):
        targets.for_environment("dev")
    assert docker.calls() == []


def test_a_container_that_runs_is_the_host(docker):
    assert isinstance(targets.for_environment("dev"), LocalHost)
    docker.file.unlink()
    with pytest.raises(CommandError, match=r"docker not found(?s:.*)remedy: make setup"):
        targets.for_environment("dev")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (("false\n",), "container test-host is stopped"),
        (("", "Error: No such container: test-host\n", 1), "Error: No such container: test-host"),
        (("", "Cannot connect to the Docker daemon\n", 1), "Cannot connect to the Docker daemon"),
    ],
)
def test_fails_without_a_container_that_runs(docker, answer, why):
    docker.answers("container inspect", *answer)
    with pytest.raises(CommandError, match="the local host is not running") as raised:
        targets.for_environment("dev")
    assert (raised.value.why, raised.value.remedy) == (why, "make demo")


def test_a_failure_of_the_host_keeps_its_exit_status_and_its_output(docker, capfd):
    docker.answers("exec", "é caf\udce9\n", "no room\n", 3)
    with pytest.raises(AlreadyReported) as raised:
        LocalHost().ask("logs", "dev")
    assert (raised.value.status, raised.value.output) == (3, "é caf\ufffd\n")  # what is not UTF-8 is replaced
    with pytest.raises(AlreadyReported) as raised:
        LocalHost().run("deploy", "dev", IMAGE)
    assert raised.value.status == 3
    assert capfd.readouterr() == ("", "no room\né caf\ufffd\nno room\n")  # stdout is for the answer of the caller


def test_ask_returns_the_answer(docker):
    docker.answers("exec", "the answer\n", "==> a step\n")
    assert LocalHost().ask("logs", "dev") == "the answer\n"


@pytest.mark.parametrize("argument", ["$(touch x)", "a b", "; reboot", "'", "--privileged", "a\nb"])
def test_an_argument_stays_one_argument_after_the_verb(docker, argument):
    LocalHost().run("deploy", "dev", argument)
    call = ["exec", "--env", "DELIVERY_ACTOR=tester", "test-host", "/opt/book-shop/bin/deploy", "dev", argument]
    assert docker.calls() == [call]


@pytest.mark.parametrize(
    ("verb", "log"),
    [
        (["deploy", "dev", IMAGE], "==> deploy dev continues on the host. Follow it: make status history-dev\n"),
        (["rollback", "prod"], "==> rollback prod continues on the host. Follow it: make status history-prod\n"),
        (
            ["restore", "prod", "latest"],
            "==> restore prod continues on the host. Follow it: make status history-prod\n",
        ),
        (["backup"], "==> backup continues on the host. Follow it: make backups\n"),
        (["logs", "dev", "5"], ""),
    ],
)
@pytest.mark.parametrize("way", ["run", "ask"])
def test_an_interrupt_reports_that_a_verb_that_changes_something_continues(monkeypatch, capsys, way, verb, log):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("subprocess.run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        getattr(LocalHost(), way)(*verb)
    assert capsys.readouterr() == ("", log)


def test_has_a_port_of_this_machine_for_each_environment(monkeypatch):
    monkeypatch.setenv("DELIVERY_HTTP_PORT", "81")
    monkeypatch.setenv("DELIVERY_DEV_PORT", "8081")
    assert [LocalHost().url(name) for name in ("dev", "prod")] == ["http://localhost:8081", "http://localhost:81"]


@pytest.mark.parametrize("name", ["octocat", "dependabot[bot]", "first.last@example.com", "a" * 64])
def test_the_actor_is_githubs_in_ci(monkeypatch, name):
    monkeypatch.setenv("GITHUB_ACTOR", name)
    assert actor.name() == name


@pytest.mark.parametrize("name", ["a b", "-x", "$(id)", "a\n", "é", "DOMAIN\\user", "a" * 65])
def test_an_actor_whose_name_does_not_match_the_grammar_is_unknown(monkeypatch, name):
    monkeypatch.setenv("LOGNAME", name)
    assert actor.name() == "unknown"


def test_the_actor_is_the_user_or_unknown_if_the_user_has_no_name(monkeypatch):
    monkeypatch.setenv("GITHUB_ACTOR", "")
    assert actor.name() == "tester"
    monkeypatch.delenv("LOGNAME")
    monkeypatch.setattr(os, "getuid", lambda: 4294967000)  # a container that runs as any number
    assert actor.name() == "unknown"


def test_an_attached_verb_has_the_streams_of_the_caller_and_its_status_is_passed_on(docker, capfd):
    docker.answers("exec", "the data\n", "a message\n", 77)
    with pytest.raises(AlreadyReported) as raised:
        LocalHost().attach("set", "dev", "ALLOWED_HOSTS")
    assert raised.value.status == 77
    assert capfd.readouterr() == ("the data\n", "a message\n")
    ((*options, container, verb, environment, argument),) = docker.calls()
    assert (container, verb, environment, argument) == ("test-host", "/opt/book-shop/bin/set", "dev", "ALLOWED_HOSTS")
    assert "--interactive" in options
    assert "--tty" not in options


@pytest.mark.parametrize(("verb", "ends"), [("manage", True), ("psql", True), ("dump", True), ("load", False)])
def test_a_command_whose_output_cannot_be_written_is_ended_on_the_host(docker, verb, ends):
    """The client then fails, but not the command on the host."""
    docker.answers("exec", "", "write /dev/stdout: no space left on device\n", 1)
    with pytest.raises(AlreadyReported) as raised:
        LocalHost().attach(verb, "dev")
    assert raised.value.status == 1
    run = docker.calls()[0][3].partition("=")[2]
    assert [call[-2:] for call in docker.calls()[1:]] == [["/opt/book-shop/bin/interrupt", run]] * ends


def test_a_program_that_a_signal_has_ended_has_the_exit_status_of_a_shell(monkeypatch):
    monkeypatch.setattr(subprocess.Popen, "wait", lambda *_, **__: -13)
    for verb in (LocalHost().attach, LocalHost().follow):
        with pytest.raises(AlreadyReported) as raised:
            verb("logs", "dev")
        assert raised.value.status == 141


@pytest.mark.parametrize(
    ("verb", "terminal", "ends"),
    [("manage", False, ["interrupt"]), ("manage", True, ["interrupt", "hangup"]), ("load", False, None)],
)
def test_an_interrupt_ends_a_command_on_the_host_and_lets_a_load_continue(
    docker, monkeypatch, capsys, verb, terminal, ends
):
    wait = subprocess.Popen.wait
    waits = iter([KeyboardInterrupt])

    def interrupted(process, timeout=None):
        for raised in waits:
            raise raised
        return wait(process, timeout)

    monkeypatch.setattr(subprocess.Popen, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        LocalHost().attach(verb, "dev", terminal=terminal)
    calls = {call[call.index("test-host") + 1].rpartition("/")[2]: call for call in docker.calls()}
    if ends is None:
        assert "interrupt" not in calls
        assert "load dev continues on the host" in capsys.readouterr().err
        return
    (run,) = [word.partition("=")[2] for word in calls[verb] if word.startswith("DELIVERY_RUN=")]
    call = calls["interrupt"]
    assert call[call.index("test-host") + 1 :] == [f"/opt/book-shop/bin/{ends[0]}", run, *ends[1:]]


def test_a_verb_that_follows_has_an_open_input_of_its_own(docker, capfd):
    docker.answers("exec", "a line\n")
    LocalHost().follow("logs", "dev", "100", "--follow")
    assert capfd.readouterr().out == "a line\n"
    (call,) = docker.calls()
    assert call[:2] == ["exec", "--interactive"]
    assert call[-4:] == ["/opt/book-shop/bin/logs", "dev", "100", "--follow"]
