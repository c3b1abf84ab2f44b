"""The verbs of the local host, by `docker exec`, and who is said to run them."""

import os

import pytest
from delivery import actor, targets
from delivery.cli import AlreadyReported, CommandError, UsageError
from delivery.targets.local import LocalHost
from program import Program

IMAGE = "localhost:5000/book-shop@sha256:" + "a" * 64
EXEC = ["exec", "--env", "DELIVERY_ACTOR=tester", "test-host"]
INSPECT = ["container", "inspect", "--format", "{{.State.Running}}", "test-host"]


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch):
    for name in ("GITHUB_ACTOR", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    values = {"DELIVERY_HOST": "local", "DELIVERY_DEMO": "test", "LOGNAME": "tester", "PATH": str(tmp_path)}
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def docker(tmp_path):
    """A docker on the PATH; the local host runs."""
    program = Program(tmp_path, "docker")
    program.answers("inspect", "true\n")
    return program


def test_a_running_host_is_the_target(docker):
    assert isinstance(targets.for_environment("dev"), LocalHost)
    assert docker.calls() == [INSPECT]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (("false\n",), "container test-host is stopped"),
        (("", "Error: No such container: test-host\n", 1), "Error: No such container: test-host"),
        (("", "Cannot connect to the Docker daemon\n", 1), "Cannot connect to the Docker daemon"),
    ],
)
def test_a_host_that_does_not_run_is_an_error_with_make_demo_as_its_remedy(docker, answer, why):
    docker.answers("inspect", *answer)
    with pytest.raises(CommandError) as raised:
        targets.for_environment("dev")
    assert (raised.value.why, raised.value.remedy, raised.value.status) == (why, "make demo", 1)
    assert docker.calls() == [INSPECT]


def test_the_remedy_for_a_missing_engine_is_make_setup():
    with pytest.raises(CommandError, match="there is no Docker engine here") as raised:
        targets.for_environment("dev")
    assert raised.value.remedy == "make setup"


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("DELIVERY_HOST", "moon", UsageError, "(?s)invalid DELIVERY_HOST 'moon'.*expected local"),
        ("DELIVERY_HOST", "", CommandError, "DELIVERY_HOST is not set"),
        ("DELIVERY_DEMO", "", CommandError, "DELIVERY_DEMO is not set"),
    ],
)
def test_requires_the_settings_of_a_known_host(docker, monkeypatch, name, value, error, message):
    monkeypatch.setenv(name, value)
    with pytest.raises(error, match=message):
        targets.for_environment("dev")
    assert docker.calls() == []


def test_run_passes_output_and_exit_status_through_and_leaves_stdout_to_the_caller(docker, capfd):
    docker.answers("exec", "the answer\n", "==> a step\n", 7)
    with pytest.raises(AlreadyReported) as raised:
        LocalHost().run("deploy", "dev", IMAGE)
    assert raised.value.status == 7
    assert docker.calls() == [[*EXEC, "/opt/book-shop/bin/deploy", "dev", IMAGE]]
    assert capfd.readouterr() == ("", "the answer\n==> a step\n")


@pytest.mark.parametrize(("printed", "answer"), [("the answer: é\n",) * 2, ("caf\udce9\n", "caf\ufffd\n")])
def test_ask_returns_stdout_and_replaces_bytes_that_are_not_utf_8(docker, capfd, printed, answer):
    docker.answers("exec", printed, "==> a step\n")
    assert LocalHost().ask("logs", "dev", "5") == answer
    assert docker.calls() == [[*EXEC, "/opt/book-shop/bin/logs", "dev", "5"]]
    assert capfd.readouterr() == ("", "==> a step\n")


def test_ask_raises_with_the_exit_status_and_the_output(docker):
    docker.answers("exec", "one file\n", "no room\n", 3)
    with pytest.raises(AlreadyReported) as raised:
        LocalHost().ask("backup")
    assert (raised.value.status, raised.value.output) == (3, "one file\n")


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


@pytest.mark.parametrize("argument", ["$(touch x)", "a b", "; reboot", "'", "--privileged", "a\nb"])
def test_an_argument_stays_one_argument_after_the_verb(docker, argument):
    LocalHost().run("deploy", "dev", argument)
    assert docker.calls()[0][-4:] == ["test-host", "/opt/book-shop/bin/deploy", "dev", argument]


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


def test_an_environment_has_the_address_of_its_published_port(monkeypatch):
    monkeypatch.setenv("DELIVERY_HTTP_PORT", "81")
    monkeypatch.setenv("DELIVERY_DEV_PORT", "8081")
    place = LocalHost()
    assert (place.url("dev"), place.url("prod")) == ("http://localhost:8081", "http://localhost:81")
