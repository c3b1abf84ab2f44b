"""prod on a cluster: the choice of the cluster, and the verbs that run there."""

from unittest.mock import ANY, Mock, call

import pytest
from delivery import cluster_verbs, registry, remote, targets
from delivery.cli import CommandError, UsageError
from delivery.targets.cluster import Cluster
from program import Program

IMAGE = "localhost:5000/book-shop@sha256:" + "a" * 64
NAMED = "==> cluster shop, https://10.0.0.1:6443\n"


@pytest.fixture(autouse=True)
def kubectl(tmp_path, monkeypatch):
    """A kubectl on the PATH; prod runs on the cluster of its current context, shop."""
    for name in ("GITHUB_ACTOR", "DELIVERY_CLUSTER"):
        monkeypatch.delenv(name, raising=False)
    settings = {"PATH": str(tmp_path), "LOGNAME": "tester", "DELIVERY_HOST": "moon", "DELIVERY_PROD": "cluster"}
    for name, value in (settings | {"DELIVERY_REPOSITORY": "localhost:5000/book-shop"}).items():
        monkeypatch.setenv(name, value)
    program = Program(tmp_path, "kubectl")
    program.answers("current-context", "shop\n")
    program.answers("config view", "https://10.0.0.1:6443")
    return program


@pytest.fixture
def verbs(monkeypatch):
    """The operations on prod. Their first argument, prod, is what it is composed from."""
    answers = {"deploy": None, "rollback": None, "plan": "a plan", "history": "a line", "logs": "", "status": {}}
    operations = Mock(**{f"{name}.return_value": answer for name, answer in answers.items()})
    monkeypatch.setattr(cluster_verbs, "operations", operations)
    monkeypatch.setattr(
        cluster_verbs.logs, "show", lambda prod, selection, previous: operations.logs(prod, selection.lines)
    )
    monkeypatch.setattr(cluster_verbs, "cluster_environments", lambda *parts: {"prod": parts})
    return operations


def composition(verbs):
    """What prod was composed from in the only call: context, repository, actor and address."""
    ((_, (parts, *_), _),) = verbs.mock_calls
    return parts


def test_the_cluster_and_its_server_are_named_before_anything_else(kubectl, capsys):
    place = targets.for_environment("prod")
    assert isinstance(place, Cluster)
    assert capsys.readouterr().err == NAMED
    server = "jsonpath={.clusters[0].cluster.server}"
    assert [call[-1] for call in kubectl.calls()] == ["current-context", server, "/readyz"]


@pytest.mark.parametrize(
    ("environment", "prod", "message"),
    [
        ("dev", "cluster", "invalid DELIVERY_HOST 'moon'"),
        ("prod", "host", "invalid DELIVERY_HOST 'moon'"),
        ("prod", "", "invalid DELIVERY_HOST 'moon'"),
        ("prod", "moon", "invalid DELIVERY_PROD 'moon'"),
    ],
)
def test_dev_is_always_on_the_host_and_prod_by_default(kubectl, monkeypatch, environment, prod, message):
    monkeypatch.setenv("DELIVERY_PROD", prod)
    with pytest.raises(UsageError, match=message):
        targets.for_environment(environment)
    assert kubectl.calls() == []


def test_refuses_another_cluster_than_the_expected_one(kubectl, monkeypatch):
    monkeypatch.setenv("DELIVERY_CLUSTER", "production")
    with pytest.raises(CommandError, match="wrong cluster") as raised:
        targets.for_environment("prod")
    assert raised.value.why == "kubectl's current context is shop, DELIVERY_CLUSTER is production"
    assert raised.value.remedy == "kubectl config use-context production"
    assert kubectl.calls() == [["config", "current-context"]]
    monkeypatch.setenv("DELIVERY_CLUSTER", "shop")
    assert targets.for_environment("prod").context == "shop"


@pytest.mark.parametrize("words", ["current-context", "/readyz"])
def test_a_cluster_that_cannot_be_reached_is_an_error_with_kubectls_message(kubectl, words):
    kubectl.answers(words, stderr="current-context is not set\n", status=1)
    with pytest.raises(CommandError, match="current-context is not set"):
        targets.for_environment("prod")


def test_a_missing_kubectl_is_an_error(kubectl):
    kubectl.file.unlink()
    with pytest.raises(CommandError, match="kubectl is not installed"):
        targets.for_environment("prod")


def test_a_verb_gets_the_context_that_was_named_even_if_another_becomes_current(kubectl, verbs, monkeypatch):
    monkeypatch.setenv("DELIVERY_CLUSTER_URL", "http://shop.example")
    target = targets.for_environment("prod")
    kubectl.answers("current-context", "another\n")
    target.run("deploy", "prod", IMAGE)
    prod = ("shop", "localhost:5000/book-shop", "tester", "http://shop.example")
    assert verbs.mock_calls == [call.deploy(prod, IMAGE, "tester")]


@pytest.mark.parametrize(
    ("verb", "argument", "answer"), [("plan", IMAGE, "a plan\n"), ("history", 20, "a line\n"), ("logs", 20, "")]
)
def test_ask_returns_the_answer_and_run_prints_it_on_stderr(verbs, capfd, verb, argument, answer):
    target = targets.for_environment("prod")
    capfd.readouterr()
    assert target.ask(verb, "prod", str(argument)) == answer
    assert capfd.readouterr() == ("", "")
    target.run(verb, "prod", str(argument))
    assert capfd.readouterr() == ("", answer)
    assert verbs.mock_calls == [getattr(call, verb)(ANY, argument)] * 2


@pytest.mark.parametrize("way", ["run", "ask"])
def test_a_verb_that_fails_raises_its_error(verbs, way):
    verbs.deploy.side_effect = CommandError("it failed", "on purpose", "make status")
    with pytest.raises(CommandError, match="it failed"):
        getattr(targets.for_environment("prod"), way)("deploy", "prod", IMAGE)


@pytest.mark.parametrize("arguments", ["deploy prod IMAGE", "rollback prod", "rollback prod IMAGE", "plan prod IMAGE"])
def test_a_verb_that_takes_an_image_gets_the_repository_of_the_account(verbs, monkeypatch, arguments):
    """With HOST=aws only the account knows it."""
    monkeypatch.delenv("DELIVERY_REPOSITORY")
    monkeypatch.setattr(registry, "shop", lambda: registry.Registry("public.ecr.aws/a1/book-shop"))
    targets.for_environment("prod").ask(*arguments.replace("IMAGE", IMAGE).split())
    assert composition(verbs)[1] == "public.ecr.aws/a1/book-shop"


@pytest.mark.parametrize("arguments", ["status", "history prod 20", "logs prod 20"])
def test_a_verb_without_an_image_does_not_ask_the_account(verbs, monkeypatch, arguments):
    monkeypatch.delenv("DELIVERY_REPOSITORY")
    monkeypatch.setattr(registry, "shop", lambda: pytest.fail("the account was asked"))
    targets.for_environment("prod").ask(*arguments.split())
    assert composition(verbs)[1] == ""


@pytest.fixture
def shop(monkeypatch):
    """The shop's registry, which has the release 1.0.0."""
    found = registry.Registry("localhost:5000/book-shop")
    monkeypatch.setattr(found, "awaited_digest", {"1.0.0": "sha256:" + "a" * 64}.get)
    monkeypatch.setattr(found, "labels", lambda digest: {"org.opencontainers.image.version": "1.0.0"})
    monkeypatch.setattr(registry, "shop", lambda: found)


def test_deploy_and_its_plan_name_the_cluster_and_get_the_digest(verbs, shop, monkeypatch, capsys):
    assert remote.deploy("prod", "1.0.0") == IMAGE
    assert capsys.readouterr().err == NAMED
    monkeypatch.setenv("DELIVERY_PLAN", "1")
    assert remote.deploy("prod", "1.0.0") == "a plan"
    assert verbs.mock_calls == [call.deploy(ANY, IMAGE, "tester"), call.plan(ANY, IMAGE)]


def test_the_plan_of_a_rollback_is_that_of_the_previous_image(verbs, shop, monkeypatch):
    verbs.status.return_value = {"environment": "prod", "previous": "sha256:" + "a" * 64, "current": None}
    assert remote.rollback("prod", None) is None
    monkeypatch.setenv("DELIVERY_PLAN", "1")
    assert remote.rollback("prod", None) == "a plan"
    assert verbs.mock_calls == [
        call.rollback(ANY, None, "tester"),
        *[call.status(ANY)] * 2,
        call.plan(ANY, IMAGE, "unordered"),
    ]
