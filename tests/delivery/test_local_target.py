import json
import os
import sys

import host
import pytest
import say

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
    for name, value in {"PATH": str(tmp_path), "HOST": "local", "DEMO": "test", "LOGNAME": "tester"}.items():
        monkeypatch.setenv(name, value)
    return Docker(tmp_path)


INSPECT = ["container", "inspect", "--format", "{{.State.Running}}", "test-host"]


def test_a_host_that_runs_is_given_after_one_question(docker):
    assert isinstance(host.host(), host.LocalHost)
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
    with pytest.raises(say.Problem) as raised:
        host.host()
    assert (raised.value.why, raised.value.remedy, raised.value.status) == (why, "make demo", 1)
    assert docker.calls() == [INSPECT]


def test_no_engine_names_make_setup(docker):
    (docker.place / "docker").unlink()
    with pytest.raises(say.Problem, match="there is no Docker engine here") as raised:
        host.host()
    assert raised.value.remedy == "make setup"


def test_host_and_demo_are_demanded_and_another_place_is_a_wrong_call(docker, monkeypatch):
    monkeypatch.setenv("HOST", "moon")
    with pytest.raises(say.WrongCall, match="HOST=moon is no place") as raised:
        host.host()
    assert "local" in raised.value.why
    for name in ("DEMO", "HOST"):
        monkeypatch.setenv("HOST", "local")
        monkeypatch.delenv(name)
        with pytest.raises(say.Problem, match=f"{name} is not set"):
            host.host()
        monkeypatch.setenv(name, "test")
    assert docker.calls() == []


def test_run_passes_the_verb_its_output_and_its_exit_status_through(docker, capfd):
    docker.answers("exec", "the answer\n", "==> a step\n", 7)
    assert host.LocalHost().run("deploy-dev", IMAGE) == 7
    assert docker.calls() == [["exec", "--env", "ACTOR=tester", "test-host", "/opt/book-shop/bin/deploy-dev", IMAGE]]
    assert capfd.readouterr() == ("", "the answer\n==> a step\n")  # stdout is the caller's own


def test_ask_gives_the_answer_and_leaves_the_rest_on_stderr(docker, capfd):
    docker.answers("exec", "the answer: é\n", "==> a step\n", 3)
    assert host.LocalHost().ask("logs", "dev", "5") == (3, "the answer: é\n")
    assert docker.calls() == [["exec", "--env", "ACTOR=tester", "test-host", "/opt/book-shop/bin/logs", "dev", "5"]]
    assert capfd.readouterr() == ("", "==> a step\n")


def test_ask_bears_output_that_is_no_utf_8(docker):
    docker.answers("exec", b"caf\xe9\n")
    assert host.LocalHost().ask("logs", "dev") == (0, "caf\ufffd\n")


@pytest.mark.parametrize("argument", ["$(touch x)", "a b", "; reboot", "'", "--privileged", "a\nb"])
def test_an_argument_stays_one_argument_behind_the_verb(docker, argument):
    host.LocalHost().run("deploy-dev", argument)
    assert docker.calls()[0][-3:] == ["test-host", "/opt/book-shop/bin/deploy-dev", argument]


@pytest.mark.parametrize("name", ["octocat", "dependabot[bot]", "first.last@example.com", "a" * 64])
def test_actor_is_githubs_in_ci(monkeypatch, name):
    monkeypatch.setenv("LOGNAME", "runner")
    monkeypatch.setenv("GITHUB_ACTOR", name)
    assert host.actor() == name


@pytest.mark.parametrize("name", ["a b", "-x", "$(id)", "a\n", "é", "DOMAIN\\user", "a" * 65])
def test_actor_that_is_no_plain_name_is_unknown(monkeypatch, name):
    monkeypatch.delenv("GITHUB_ACTOR", raising=False)
    monkeypatch.setenv("LOGNAME", name)
    assert host.actor() == "unknown"


def test_actor_is_the_user_and_unknown_where_the_user_has_no_name(monkeypatch):
    for name in ("GITHUB_ACTOR", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITHUB_ACTOR", "")
    monkeypatch.setenv("USER", "somebody")
    assert host.actor() == "somebody"
    monkeypatch.delenv("USER")
    monkeypatch.setattr(os, "getuid", lambda: 4294967000)  # a container that runs as any number
    assert host.actor() == "unknown"


def test_url(docker, monkeypatch):
    monkeypatch.setenv("HTTP_PORT", "81")
    monkeypatch.setenv("DEV_PORT", "8081")
    place = host.LocalHost()
    assert (place.url("dev"), place.url("prod")) == ("http://localhost:8081", "http://localhost:81")


def test_environment():
    assert [host.environment(name) for name in ("dev", "prod")] == ["dev", "prod"]
    for name in ("", "stage", "dev ", "DEV", "dev\n"):
        with pytest.raises(say.WrongCall, match="is no environment"):
            host.environment(name)
