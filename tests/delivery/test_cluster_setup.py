"""make cluster-setup: what the shop needs in a cluster."""

import base64
import json

import pytest
from delivery.targets import cluster

URL = "postgresql://shop:the-password@db.example.org/shop"
MANIFESTS = ["scripts/host/k8s/namespace.yaml", "scripts/cluster/k8s/deploys.yaml"]


class FakeKubectl:
    """A cluster behind cluster.kubectl: the manifests that were applied, the settings and the labels."""

    def __init__(self):
        self.manifests, self.settings, self.labels, self.is_eks, self.calls = [], {}, [], False, []

    def __call__(self, *arguments, input=None):
        self.calls.append(" ".join(arguments))
        match arguments:
            case ["config", "current-context"]:
                return "the-cluster"
            case ["config", "view", *_]:
                return "https://10.0.0.1:6443"
        assert arguments[:4] == ("--context", "the-cluster", "--namespace", "book-shop")
        match arguments[4:]:
            case ["get", "secret", "book-shop-env", *_]:
                data = {name: base64.b64encode(value.encode()).decode() for name, value in self.settings.items()}
                return json.dumps({"data": data}) if data else ""
            case ["api-resources", *_]:
                return "ingressclassparams.eks.amazonaws.com" if self.is_eks else ""
            case ["apply", "--filename", "-"]:
                self.settings = json.loads(input)["stringData"]
            case ["apply", "--filename", name]:
                self.manifests.append(name)
            case ["label", "namespace", "book-shop", label, "--overwrite"]:
                self.labels.append(label)
        return ""


@pytest.fixture
def kubectl(monkeypatch):
    made = FakeKubectl()
    monkeypatch.setattr(cluster, "kubectl", made)
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.delenv("ALLOWED_HOSTS", raising=False)
    return made


def test_names_the_cluster_asks_and_applies_manifests_and_settings(shop, kubectl):
    result = shop.verb("cluster-setup", stdin="yes\n")
    changes = "settings that change: SECRET_KEY, ALLOWED_HOSTS, DATABASE_URL"
    question = "Set this cluster up? Type yes to continue: "
    result.must_print("the-cluster: book-shop", "==> cluster the-cluster, https://10.0.0.1:6443", changes, question)
    assert (kubectl.manifests, kubectl.labels) == (MANIFESTS, [])
    key = kubectl.settings.pop("SECRET_KEY")
    assert len(key) >= 60
    assert kubectl.settings == {"DATABASE_URL": URL, "ALLOWED_HOSTS": "*"}
    for secret in ("the-password", key):
        assert secret not in result.out + result.err + "".join(kubectl.calls)


def test_replaces_the_settings_that_are_given_and_keeps_the_rest(shop, kubectl, monkeypatch):
    kubectl.settings = {"SECRET_KEY": "old-key", "ALLOWED_HOSTS": ".example.org", "DATABASE_URL": "old"}
    restart = "rollout restart deployment/book-shop"
    shop.verb("cluster-setup", "-y").must_print(
        "the-cluster: book-shop", "settings that change: DATABASE_URL\n", restart
    )
    expected = {"SECRET_KEY": "old-key", "ALLOWED_HOSTS": ".example.org", "DATABASE_URL": URL}
    assert kubectl.settings == expected
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("ALLOWED_HOSTS", "shop.example.org")
    shop.verb("cluster-setup", "-y")
    assert kubectl.settings == expected | {"ALLOWED_HOSTS": "shop.example.org"}


def test_applies_the_load_balancers_of_eks_there(shop, kubectl):
    kubectl.is_eks = True
    shop.verb("cluster-setup", "-y").must_print("the-cluster: book-shop")
    assert kubectl.manifests == [*MANIFESTS, "scripts/cluster/k8s/eks.yaml"]
    assert kubectl.labels == ["eks.amazonaws.com/pod-readiness-gate-inject=enabled"]


@pytest.mark.parametrize(
    ("name", "value", "messages"),
    [
        ("", "", ["not confirmed: nothing was changed"]),
        ("DATABASE_URL", "", ["DATABASE_URL is not set"]),
        ("DELIVERY_CLUSTER", "production", ["wrong cluster", "remedy: kubectl config use-context production"]),
    ],
)
def test_changes_nothing_without_confirmation_database_or_the_expected_cluster(
    shop, kubectl, monkeypatch, name, value, messages
):
    if name:
        monkeypatch.setenv(name, value)
    shop.verb("cluster-setup", stdin="no\n").must_fail(*messages)
    assert (kubectl.manifests, kubectl.settings, kubectl.labels) == ([], {}, [])
