import json
import os
import sys

import pytest
from delivery import cluster_verbs, registry, targets
from delivery.cli import AlreadyReported, CommandError, UsageError
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
VERB = """\
import json, os, pathlib, sys
state = pathlib.Path(os.environ["CLUSTER_STATE"])
assert state.is_dir() and not list(state.iterdir())
names = ("CLUSTER_CONTEXT", "ACTOR", "REPOSITORY")
told = {name: os.environ.get(name) for name in names}
call = [os.path.basename(sys.argv[0]), sys.argv[1:], told, str(state)]
(pathlib.Path(__file__).parent / "log").write_text(json.dumps(call))
print("the answer")
print("==> a step", file=sys.stderr)
sys.exit(int(os.environ.get("FAILS", "0")))
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
    for name in ("GITHUB_ACTOR", "CLUSTER"):
        monkeypatch.delenv(name, raising=False)
    own = {"PATH": str(tmp_path), "HOST": "moon", "PROD": "cluster", "LOGNAME": "tester"}
    for name, value in (own | {"REPOSITORY": "localhost:5000/book-shop"}).items():
        monkeypatch.setenv(name, value)
    return Kubectl(tmp_path)


@pytest.fixture
def verbs(tmp_path, monkeypatch):
    """Verbs that log what they were given and fail with FAILS, where the cluster's are; returns the log's reader."""
    (tmp_path / cluster_verbs.BIN).mkdir(parents=True)
    for name in ("deploy-prod", "rollback-prod", "plan", "status", "history", "logs"):
        (tmp_path / cluster_verbs.BIN / name).write_text(f"#!{sys.executable}\n{VERB}")
        (tmp_path / cluster_verbs.BIN / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    return lambda: json.loads((tmp_path / cluster_verbs.BIN / "log").read_text())


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
    with pytest.raises(UsageError, match="invalid HOST 'moon'"):
        targets.for_environment("dev")
    assert kubectl.calls() == []


def test_prod_is_on_the_host_unless_said_otherwise(kubectl, monkeypatch):
    for prod in ("host", ""):
        monkeypatch.setenv("PROD", prod)
        with pytest.raises(UsageError, match="invalid HOST 'moon'"):
            targets.for_environment("prod")
    monkeypatch.setenv("PROD", "moon")
    with pytest.raises(UsageError, match="invalid PROD 'moon'"):
        targets.for_environment("prod")


def test_another_cluster_than_the_expected_one_is_asked_nothing(kubectl, monkeypatch):
    monkeypatch.setenv("CLUSTER", "production")
    with pytest.raises(CommandError, match="wrong cluster") as raised:
        targets.for_environment("prod")
    assert raised.value.why == "kubectl's current context is shop, CLUSTER is production"
    assert raised.value.remedy == "kubectl config use-context production"
    assert kubectl.calls() == [["config", "current-context"]]
    monkeypatch.setenv("CLUSTER", "shop")
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


def test_a_verb_gets_the_context_that_was_named_whatever_is_current_meanwhile(kubectl, verbs, capfd):
    target = targets.for_environment("prod")
    kubectl.answers("current-context", "another\n")
    capfd.readouterr()
    target.run("deploy", "prod", IMAGE)
    name, arguments, variables, state = verbs()
    assert (name, arguments) == ("deploy-prod", [IMAGE])
    assert variables == {"CLUSTER_CONTEXT": "shop", "ACTOR": "tester", "REPOSITORY": "localhost:5000/book-shop"}
    assert not os.path.exists(state)
    out, err = capfd.readouterr()
    assert (out, sorted(err.splitlines())) == ("", ["==> a step", "the answer"])


def test_ask_returns_the_answer_and_raises_when_the_verb_failed(kubectl, verbs, monkeypatch, capfd):
    target = targets.for_environment("prod")
    assert target.ask("history", "prod", "20") == "the answer\n"
    assert verbs()[:2] == ["history", ["prod", "20"]]
    assert capfd.readouterr().out == ""
    monkeypatch.setenv("FAILS", "7")
    for way in (target.run, target.ask):
        with pytest.raises(AlreadyReported) as raised:
            way("status")
        assert raised.value.status == 7


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
    monkeypatch.delenv("REPOSITORY")
    monkeypatch.setattr(registry, "shop", lambda: asked.append(1) or registry.Registry("public.ecr.aws/a1/book-shop"))
    targets.for_environment("prod").ask(verb, *arguments)
    takes_image = verb in ("deploy", "rollback", "plan")
    assert verbs()[2]["REPOSITORY"] == ("public.ecr.aws/a1/book-shop" if takes_image else None)
    assert bool(asked) == takes_image
