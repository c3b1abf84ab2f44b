"""The verbs of the local host by `docker exec`, in the cases that no verb of tests/scripts shows, and their actor."""

import os

import pytest
from delivery import actor, targets
from delivery.cli import CommandError
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
    program.answers("exec")
    return program


@pytest.mark.parametrize("name", ["DELIVERY_HOST", "DELIVERY_DEMO"])
def test_requires_its_settings(docker, monkeypatch, name):
    monkeypatch.delenv(name)
    with pytest.raises(CommandError, match=f"{name} is not set"):
        targets.for_environment("dev")
    assert docker.calls() == []


def test_ask_replaces_bytes_that_are_not_utf_8(docker):
    docker.answers("exec", "é caf\udce9\n")
    assert LocalHost().ask("logs", "dev") == "é caf\ufffd\n"


@pytest.mark.parametrize("argument", ["$(touch x)", "a b", "; reboot", "'", "--privileged", "a\nb"])
def test_an_argument_stays_one_argument_after_the_verb(docker, argument):
    LocalHost().run("deploy", "dev", argument)
    assert docker.calls()[0][-4:] == ["test-host", "/opt/book-shop/bin/deploy", "dev", argument]


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
