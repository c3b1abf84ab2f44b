import json
import os
import sys

import pytest
from delivery import actor, references, targets
from delivery.cli import AlreadyReported, CommandError, UsageError
from delivery.targets.local import LocalHost

DOCKER = """\
import json, os, pathlib, sys
place = pathlib.Path({place!r})
with (place / "log").open("a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
answer = json.loads((place / sys.argv[1]).read_text())
sys.stdout.buffer.write(bytes.fromhex(answer["stdout"]))
sys.stderr.write(answer["stderr"])
sys.exit(answer["status"])
"""
IMAGE = "localhost:5000/book-shop@sha256:" + "a" * 64


class Docker:
    """A docker on the PATH that gives the answers it was given and logs its calls; the local host runs."""

    def __init__(self, place):
        self.place = place
        (place / "docker").write_text(f"#!{sys.executable}\n" + DOCKER.format(place=str(place)))
        (place / "docker").chmod(0o755)
        self.answers("container", "true\n")
        self.answers("exec")

    def answers(self, command, stdout="", stderr="", status=0):
        body = stdout if isinstance(stdout, bytes) else stdout.encode()
        (self.place / command).write_text(json.dumps({"stdout": body.hex(), "stderr": stderr, "status": status}))

    def calls(self):
        log = self.place / "log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def docker(tmp_path, monkeypatch):
    monkeypatch.delenv("GITHUB_ACTOR", raising=False)
    settings = {"DELIVERY_HOST": "local", "DELIVERY_DEMO": "test", "LOGNAME": "tester"}
    for name, value in (settings | {"PATH": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    return Docker(tmp_path)


EXEC = ["exec", "--env", "DELIVERY_ACTOR=tester", "test-host"]
INSPECT = ["container", "inspect", "--format", "{{.State.Running}}", "test-host"]


def test_a_host_that_runs_is_given_after_one_question(docker):
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
def test_no_host_to_reach_names_make_demo(docker, answer, why):
    docker.answers("container", *answer)
    with pytest.raises(CommandError) as raised:
        targets.for_environment("dev")
    assert (raised.value.why, raised.value.remedy, raised.value.status) == (why, "make demo", 1)
    assert docker.calls() == [INSPECT]


def test_no_engine_names_make_setup(docker):
    (docker.place / "docker").unlink()
    with pytest.raises(CommandError, match="there is no Docker engine here") as raised:
        targets.for_environment("dev")
    assert raised.value.remedy == "make setup"


def test_host_and_demo_are_demanded_and_another_place_is_a_wrong_call(docker, monkeypatch):
    monkeypatch.setenv("DELIVERY_HOST", "moon")
    with pytest.raises(UsageError, match="invalid DELIVERY_HOST 'moon'") as raised:
        targets.for_environment("dev")
    assert "local" in raised.value.why
    for name in ("DELIVERY_DEMO", "DELIVERY_HOST"):
        monkeypatch.setenv("DELIVERY_HOST", "local")
        monkeypatch.delenv(name)
        with pytest.raises(CommandError, match=f"{name} is not set"):
            targets.for_environment("dev")
        monkeypatch.setenv(name, "test")
    assert docker.calls() == []


def test_run_passes_the_verb_its_output_and_its_exit_status_through(docker, capfd):
    docker.answers("exec", "the answer\n", "==> a step\n", 7)
    with pytest.raises(AlreadyReported) as raised:
        LocalHost().run("deploy", "dev", IMAGE)
    assert raised.value.status == 7
    assert docker.calls() == [[*EXEC, "/opt/book-shop/bin/deploy", "dev", IMAGE]]
    assert capfd.readouterr() == ("", "the answer\n==> a step\n")  # stdout is the caller's own


def test_ask_gives_the_answer_and_leaves_the_rest_on_stderr(docker, capfd):
    docker.answers("exec", "the answer: é\n", "==> a step\n")
    assert LocalHost().ask("logs", "dev", "5") == "the answer: é\n"
    assert docker.calls() == [[*EXEC, "/opt/book-shop/bin/logs", "dev", "5"]]
    assert capfd.readouterr() == ("", "==> a step\n")


def test_ask_raises_with_the_exit_status_and_what_was_printed(docker):
    docker.answers("exec", "one file\n", "no room\n", 3)
    with pytest.raises(AlreadyReported) as raised:
        LocalHost().ask("backup")
    assert (raised.value.status, raised.value.output) == (3, "one file\n")


@pytest.mark.parametrize(
    ("verb", "follow"),
    [
        (["deploy", "dev", IMAGE], "deploy dev continues on the host. Follow it: make status history-dev"),
        (["rollback", "prod"], "rollback prod continues on the host. Follow it: make status history-prod"),
        (["restore", "prod", "latest"], "restore prod continues on the host. Follow it: make status history-prod"),
        (["backup"], "backup continues on the host. Follow it: make backups"),
        (["logs", "dev", "5"], None),
    ],
)
@pytest.mark.parametrize("way", ["run", "ask"])
def test_an_interrupt_reports_that_a_verb_that_changes_something_continues(monkeypatch, capsys, way, verb, follow):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setenv("DELIVERY_DEMO", "test")
    monkeypatch.setattr("subprocess.run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        getattr(LocalHost(), way)(*verb)
    assert capsys.readouterr() == ("", f"==> {follow}\n" if follow else "")


def test_ask_bears_output_that_is_no_utf_8(docker):
    docker.answers("exec", b"caf\xe9\n")
    assert LocalHost().ask("logs", "dev") == "caf\ufffd\n"


@pytest.mark.parametrize("argument", ["$(touch x)", "a b", "; reboot", "'", "--privileged", "a\nb"])
def test_an_argument_stays_one_argument_behind_the_verb(docker, argument):
    LocalHost().run("deploy", "dev", argument)
    assert docker.calls()[0][-4:] == ["test-host", "/opt/book-shop/bin/deploy", "dev", argument]


@pytest.mark.parametrize("name", ["octocat", "dependabot[bot]", "first.last@example.com", "a" * 64])
def test_actor_is_githubs_in_ci(monkeypatch, name):
    monkeypatch.setenv("LOGNAME", "runner")
    monkeypatch.setenv("GITHUB_ACTOR", name)
    assert actor.name() == name


@pytest.mark.parametrize("name", ["a b", "-x", "$(id)", "a\n", "é", "DOMAIN\\user", "a" * 65])
def test_actor_that_is_no_plain_name_is_unknown(monkeypatch, name):
    monkeypatch.delenv("GITHUB_ACTOR", raising=False)
    monkeypatch.setenv("LOGNAME", name)
    assert actor.name() == "unknown"


def test_actor_is_the_user_and_unknown_where_the_user_has_no_name(monkeypatch):
    for name in ("GITHUB_ACTOR", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITHUB_ACTOR", "")
    monkeypatch.setenv("USER", "somebody")
    assert actor.name() == "somebody"
    monkeypatch.delenv("USER")
    monkeypatch.setattr(os, "getuid", lambda: 4294967000)  # a container that runs as any number
    assert actor.name() == "unknown"


def test_url(docker, monkeypatch):
    monkeypatch.setenv("DELIVERY_HTTP_PORT", "81")
    monkeypatch.setenv("DELIVERY_DEV_PORT", "8081")
    place = LocalHost()
    assert (place.url("dev"), place.url("prod")) == ("http://localhost:8081", "http://localhost:81")


def test_environment():
    assert [references.environment(name) for name in ("dev", "prod")] == ["dev", "prod"]
    for name in ("", "stage", "dev ", "DEV", "dev\n"):
        with pytest.raises(UsageError, match="invalid environment"):
            references.environment(name)
