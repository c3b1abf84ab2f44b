import json
import os
import sys

import host
import pytest
import say

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
print(json.dumps([os.path.basename(sys.argv[0]), sys.argv[1:], told, str(state)]))
print("==> a step", file=sys.stderr)
sys.exit(7)
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
    """Verbs that say what they were given and fail with 7, where the cluster's are."""
    (tmp_path / host.CLUSTER_BIN).mkdir(parents=True)
    for name in ("deploy-prod", "status"):
        (tmp_path / host.CLUSTER_BIN / name).write_text(f"#!{sys.executable}\n{VERB}")
        (tmp_path / host.CLUSTER_BIN / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)


def test_prod_on_a_cluster_is_named_with_its_server_before_anything_else(kubectl, capsys):
    place = host.host("prod")
    assert isinstance(place, host.Cluster)
    assert capsys.readouterr().err == "==> cluster shop, https://10.0.0.1:6443\n"
    assert [call[-1] for call in kubectl.calls()] == [
        "current-context",
        "jsonpath={.clusters[0].cluster.server}",
        "/readyz",
    ]


def test_dev_stays_on_the_host(kubectl):
    with pytest.raises(say.WrongCall, match="HOST=moon is no place"):
        host.host("dev")
    assert kubectl.calls() == []


def test_prod_is_on_the_host_unless_said_otherwise(kubectl, monkeypatch):
    for prod in ("host", ""):
        monkeypatch.setenv("PROD", prod)
        with pytest.raises(say.WrongCall, match="HOST=moon is no place"):
            host.host("prod")
    monkeypatch.setenv("PROD", "moon")
    with pytest.raises(say.WrongCall, match="PROD=moon is no place for prod"):
        host.host("prod")


def test_another_cluster_than_the_expected_one_is_asked_nothing(kubectl, monkeypatch):
    monkeypatch.setenv("CLUSTER", "production")
    with pytest.raises(say.Problem, match="wrong cluster") as raised:
        host.host("prod")
    assert raised.value.why == "kubectl's current context is shop, CLUSTER is production"
    assert raised.value.remedy == "kubectl config use-context production"
    assert kubectl.calls() == [["config", "current-context"]]
    monkeypatch.setenv("CLUSTER", "shop")
    assert host.host("prod").context == "shop"


@pytest.mark.parametrize("words", ["current-context", "/readyz"])
def test_no_cluster_to_reach_says_so_in_kubectls_words(kubectl, words):
    kubectl.answers(words, stderr="current-context is not set\n", status=1)
    with pytest.raises(say.Problem, match="current-context is not set"):
        host.host("prod")


def test_no_kubectl_says_so(kubectl):
    (kubectl.place / "kubectl").unlink()
    with pytest.raises(say.Problem, match="there is no kubectl here"):
        host.host("prod")


def test_a_verb_gets_the_context_that_was_named_whatever_is_current_meanwhile(kubectl, verbs, capfd):
    place = host.host("prod")
    kubectl.answers("current-context", "another\n")
    assert place.run("deploy-prod", IMAGE) == 7
    out, err = capfd.readouterr()
    answer, step = err.splitlines()[1:]
    name, arguments, told, state = json.loads(answer)
    assert (out, step, name, arguments) == ("", "==> a step", "deploy-prod", [IMAGE])
    assert told == {"CLUSTER_CONTEXT": "shop", "ACTOR": "tester", "REPOSITORY": "localhost:5000/book-shop"}
    assert not os.path.exists(state)


def test_ask_gives_the_answer_and_asks_no_registry(kubectl, verbs, monkeypatch, capfd):
    monkeypatch.delenv("REPOSITORY")
    status, answer = host.host("prod").ask("status", "--json")
    assert status == 7
    assert json.loads(answer)[:2] == ["status", ["--json"]]
    assert capfd.readouterr().out == ""
