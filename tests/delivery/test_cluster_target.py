import json
import sys

import pytest
from delivery import cluster_verbs, operations, registry, remote, targets
from delivery.cli import CommandError, UsageError
from delivery.targets.cluster import Cluster

KUBECTL = """\
import json, os, pathlib, sys
place = pathlib.Path({place!r})
with (place / "log").open("a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
answers = json.loads((place / "answers").read_text())
for words, (stdout, stderr, status) in answers.items():
    if words in " ".join(sys.argv[1:]):
        print(stdout, end="")
        print(stderr, end="", file=sys.stderr)
        sys.exit(status)
"""
IMAGE = "localhost:5000/book-shop@sha256:" + "a" * 64


class Kubectl:
    """A kubectl on the PATH that gives the answers it was given, by words of the call, and logs its calls."""

    def __init__(self, place):
        self.place, self.given = place, {}
        (place / "kubectl").write_text(f"#!{sys.executable}\n" + KUBECTL.format(place=str(place)))
        (place / "kubectl").chmod(0o755)
        self.answers("current-context", "shop\n")
        self.answers("config view", "https://10.0.0.1:6443")

    def answers(self, words, stdout="", stderr="", status=0):
        self.given[words] = (stdout, stderr, status)
        (self.place / "answers").write_text(json.dumps(self.given))

    def calls(self):
        log = self.place / "log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def kubectl(tmp_path, monkeypatch):
    for name in ("GITHUB_ACTOR", "DELIVERY_CLUSTER"):
        monkeypatch.delenv(name, raising=False)
    own = {"PATH": str(tmp_path), "DELIVERY_HOST": "moon", "DELIVERY_PROD": "cluster", "LOGNAME": "tester"}
    for name, value in (own | {"DELIVERY_REPOSITORY": "localhost:5000/book-shop"}).items():
        monkeypatch.setenv(name, value)
    return Kubectl(tmp_path)


@pytest.fixture
def verbs(monkeypatch):
    """The operations on prod log what they were given; returns the log: (operation, composition, arguments)."""
    calls = []
    monkeypatch.setattr(cluster_verbs, "cluster_environments", lambda *parts: {"prod": parts})
    for name, answer in {
        "deploy": None,
        "rollback": None,
        "plan": "a plan",
        "history": "a line",
        "logs": "",
        "status": {},
    }.items():

        def operation(composition, *arguments, name=name, answer=answer):
            calls.append((name, composition, arguments))
            print(f"==> {name}", file=sys.stderr)
            return answer

        monkeypatch.setattr(operations, name, operation)
    return calls


def test_prod_on_a_cluster_is_named_with_its_server_before_anything_else(kubectl, capsys):
    place = targets.for_environment("prod")
    assert isinstance(place, Cluster)
    assert capsys.readouterr().err == "==> cluster shop, https://10.0.0.1:6443\n"
    assert [call[-1] for call in kubectl.calls()] == [
        "current-context",
        "jsonpath={.clusters[0].cluster.server}",
        "/readyz",
    ]


def test_dev_stays_on_the_host(kubectl):
    with pytest.raises(UsageError, match="invalid DELIVERY_HOST 'moon'"):
        targets.for_environment("dev")
    assert kubectl.calls() == []


def test_prod_is_on_the_host_unless_said_otherwise(kubectl, monkeypatch):
    for prod in ("host", ""):
        monkeypatch.setenv("DELIVERY_PROD", prod)
        with pytest.raises(UsageError, match="invalid DELIVERY_HOST 'moon'"):
            targets.for_environment("prod")
    monkeypatch.setenv("DELIVERY_PROD", "moon")
    with pytest.raises(UsageError, match="invalid DELIVERY_PROD 'moon'"):
        targets.for_environment("prod")


def test_another_cluster_than_the_expected_one_is_asked_nothing(kubectl, monkeypatch):
    monkeypatch.setenv("DELIVERY_CLUSTER", "production")
    with pytest.raises(CommandError, match="wrong cluster") as raised:
        targets.for_environment("prod")
    assert raised.value.why == "kubectl's current context is shop, DELIVERY_CLUSTER is production"
    assert raised.value.remedy == "kubectl config use-context production"
    assert kubectl.calls() == [["config", "current-context"]]
    monkeypatch.setenv("DELIVERY_CLUSTER", "shop")
    assert targets.for_environment("prod").context == "shop"


@pytest.mark.parametrize("words", ["current-context", "/readyz"])
def test_no_cluster_to_reach_says_so_in_kubectls_words(kubectl, words):
    kubectl.answers(words, stderr="current-context is not set\n", status=1)
    with pytest.raises(CommandError, match="current-context is not set"):
        targets.for_environment("prod")


def test_no_kubectl_says_so(kubectl):
    (kubectl.place / "kubectl").unlink()
    with pytest.raises(CommandError, match="there is no kubectl here"):
        targets.for_environment("prod")


def test_a_verb_gets_the_context_that_was_named_whatever_is_current_meanwhile(kubectl, verbs, monkeypatch, capfd):
    monkeypatch.setenv("DELIVERY_CLUSTER_URL", "http://shop.example")
    target = targets.for_environment("prod")
    kubectl.answers("current-context", "another\n")
    capfd.readouterr()
    target.run("deploy", "prod", IMAGE)
    composition = ("shop", "localhost:5000/book-shop", "tester", "http://shop.example")
    assert verbs == [("deploy", composition, (IMAGE, "tester"))]
    assert capfd.readouterr() == ("", "==> deploy\n")


def test_ask_returns_the_answer_and_raises_when_the_verb_failed(kubectl, verbs, monkeypatch, capfd):
    target = targets.for_environment("prod")
    assert target.ask("history", "prod", "20") == "a line\n"
    assert target.ask("logs", "prod", "20") == ""
    assert [(name, arguments) for name, _, arguments in verbs] == [("history", (20,)), ("logs", (20,))]
    assert capfd.readouterr().out == ""

    def fails(*_):
        raise CommandError("it failed", "on purpose", "make status")

    monkeypatch.setattr(operations, "deploy", fails)
    for way in (target.run, target.ask):
        with pytest.raises(CommandError, match="it failed"):
            way("deploy", "prod", IMAGE)


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("deploy", ["prod", IMAGE]),
        ("rollback", ["prod"]),
        ("rollback", ["prod", IMAGE]),
        ("plan", ["prod", IMAGE]),
        ("status", []),
        ("history", ["prod", "20"]),
        ("logs", ["prod", "20"]),
    ],
)
def test_a_verb_that_takes_an_image_gets_the_repository_wherever_it_is_known_from(
    kubectl, verbs, monkeypatch, verb, arguments
):
    """With HOST=aws nothing but the account knows it; a verb without an image does not ask the account."""
    asked = []
    monkeypatch.delenv("DELIVERY_REPOSITORY")
    monkeypatch.setattr(registry, "shop", lambda: asked.append(1) or registry.Registry("public.ecr.aws/a1/book-shop"))
    targets.for_environment("prod").ask(verb, *arguments)
    takes_image = verb in ("deploy", "rollback", "plan")
    ((name, composition, _),) = verbs
    assert (name, composition[1]) == (verb, "public.ecr.aws/a1/book-shop" if takes_image else "")
    assert bool(asked) == takes_image


@pytest.fixture
def shop(monkeypatch):
    """The shop's registry, which has the release 1.0.0."""
    found = registry.Registry("localhost:5000/book-shop")
    monkeypatch.setattr(found, "awaited_digest", {"1.0.0": "sha256:" + "a" * 64}.get)
    monkeypatch.setattr(registry, "shop", lambda: found)


def test_deploy_and_plan_name_the_cluster_and_give_it_the_digest(kubectl, verbs, shop, monkeypatch, capsys):
    assert remote.deploy("prod", "1.0.0") == IMAGE
    assert capsys.readouterr().err == "==> cluster shop, https://10.0.0.1:6443\n==> deploy\n"
    monkeypatch.setenv("DELIVERY_PLAN", "1")
    assert remote.deploy("prod", "1.0.0") == "a plan"
    assert [(name, arguments) for name, _, arguments in verbs] == [("deploy", (IMAGE, "tester")), ("plan", (IMAGE,))]


def test_rollback_and_its_plan_ask_the_cluster_what_was_live(kubectl, verbs, shop, monkeypatch):
    previous = {"environment": "prod", "previous": "sha256:" + "a" * 64}
    monkeypatch.setattr(operations, "status", lambda prod: previous)
    assert remote.rollback("prod", None) is None
    monkeypatch.setenv("DELIVERY_PLAN", "1")
    assert remote.rollback("prod", None) == "a plan"
    assert [(name, arguments) for name, _, arguments in verbs] == [("rollback", (None, "tester")), ("plan", (IMAGE,))]
