"""make cluster-setup and cluster-data-create, as programs, with a kubectl whose cluster is a directory."""

import base64
import hashlib
import json
import subprocess
import sys

import fake_aws
import pytest
from fakes import install_kubectl, settings_in
from laptop import SCRIPTS

ADMIN = "postgresql://postgres:the-admin@db.example.org:5432/postgres?sslmode=require"
URL = "postgresql://shop:the-password@db.example.org/shop"
ACM = "arn:aws:acm:eu-central-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
MANIFESTS = ["scripts/host/k8s/namespace.yaml", "scripts/cluster/k8s/deploys.yaml"]


class Cluster:
    """The directory of the fake kubectl, and the verbs."""

    def __init__(self, directory):
        self.directory = directory
        install_kubectl(directory)
        self.settings = {"PATH": f"{directory}:/usr/bin:/bin", "DELIVERY_ADMIN_URL": ADMIN, "DATABASE_URL": URL}
        self.settings |= {"AWS_EC2_METADATA_DISABLED": "true"} | fake_aws.NO_FILES  # no AWS credentials
        self.settings["DELIVERY_POSTGRES_IMAGE"] = "postgres.example.org/postgres:16"

    def run(self, verb, *arguments, stdin=b"", **settings):
        command = [sys.executable, SCRIPTS / verb, *arguments]
        return subprocess.run(command, input=stdin, env=self.settings | settings, capture_output=True)

    def text(self, name):
        """The content of a file; empty for one that is not there."""
        path = self.directory / name
        return path.read_text() if path.exists() else ""

    @property
    def objects(self):
        """{kind/name: object}."""
        return json.loads(self.text("objects.json") or "{}")

    def has(self, kind, name, **content):
        """The cluster has an object from the start."""
        made = {"kind": kind, "metadata": {"name": name}} | content
        (self.directory / "objects.json").write_text(json.dumps(self.objects | {f"{kind.lower()}/{name}": made}))

    def knows(self, *groups):
        """Its API server knows these groups in addition."""
        (self.directory / "api-resources").write_text("\n".join(groups))

    def stored(self):
        """The stored settings."""
        name = self.objects["configmap/book-shop-settings"]["data"]["secret"]
        return settings_in(self.objects[f"secret/{name}"])

    def had(self, **settings):
        """It was set up before its settings had versions."""
        data = {name: base64.b64encode(value.encode()).decode() for name, value in settings.items()}
        self.has("Secret", "book-shop-env", data=data)


@pytest.fixture
def cluster(tmp_path):
    return Cluster(tmp_path)


def test_setup_names_the_cluster_asks_and_creates_manifests_and_settings(cluster):
    done = cluster.run("cluster-setup", stdin=b"yes\n")
    assert (done.returncode, done.stdout) == (0, b"the-cluster: book-shop\n"), done.stderr
    messages = done.stderr.decode()
    assert messages.startswith("==> cluster the-cluster, https://10.0.0.1:6443\n")
    assert "settings that it creates: DATABASE_URL, COOKIE_SUFFIX, SECRET_KEY, ALLOWED_HOSTS\n" in messages
    assert messages.endswith("Set this cluster up? Type yes to continue: ")
    assert (cluster.text("manifests").split(), cluster.text("labels")) == (MANIFESTS, "")
    stored = cluster.stored()
    key = stored.pop("SECRET_KEY")
    assert len(key) >= 60
    assert stored == {"DATABASE_URL": URL, "ALLOWED_HOSTS": "*", "COOKIE_SUFFIX": "prod"}
    for secret in ("the-password", key):
        assert secret not in done.stdout.decode() + messages + cluster.text("calls")


def test_setup_takes_the_first_host_names_from_the_environment(cluster):
    assert cluster.run("cluster-setup", "-y", ALLOWED_HOSTS="shop.example").returncode == 0
    assert cluster.stored()["ALLOWED_HOSTS"] == "shop.example"


def test_setup_again_keeps_the_settings_and_what_deploys_have_written(cluster):
    assert cluster.run("cluster-setup", "-y").returncode == 0
    cluster.has("ConfigMap", "book-shop-deploys", data={"current": "an image"})
    cluster.has("Lease", "book-shop-deploys", spec={"holderIdentity": "a deploy"})
    before = cluster.objects
    done = cluster.run("cluster-setup", "-y", DATABASE_URL="")
    assert (done.returncode, cluster.objects) == (0, before)
    assert b"settings that it creates: none\n" in done.stderr
    assert cluster.run("cluster-setup", "-y", DATABASE_URL=URL).returncode == 0


def test_setup_moves_the_settings_of_an_older_cluster_and_signs_no_one_out(cluster):
    former = {"SECRET_KEY": "old-key", "ALLOWED_HOSTS": ".example.org", "DATABASE_URL": "postgresql://a:b@c/d"}
    cluster.had(**former)
    cluster.has("NetworkPolicy", "database")
    done = cluster.run("cluster-setup", "-y", DATABASE_URL="")
    assert b"running pods keep their settings" in done.stderr
    suffix = hashlib.sha256(b"cookie names:old-key").hexdigest()[:8]
    assert cluster.stored() == former | {"COOKIE_SUFFIX": suffix}
    assert "secret/book-shop-env" in cluster.objects  # running pods use it
    assert "networkpolicy/database" not in cluster.objects


@pytest.mark.parametrize("is_older", [True, False])
@pytest.mark.parametrize(("name", "value"), [("DATABASE_URL", "postgresql://x:the-other@y/z"), ("ALLOWED_HOSTS", "x")])
def test_a_variable_that_would_change_a_setting_is_refused_with_the_verb_that_changes_it(
    cluster, name, value, is_older
):
    if is_older:
        cluster.had(SECRET_KEY="key", DATABASE_URL=URL, ALLOWED_HOSTS="*")
    else:
        assert cluster.run("cluster-setup", "-y").returncode == 0
    before = cluster.objects
    done = cluster.run("cluster-setup", "-y", **{name: value})
    assert (done.returncode, cluster.objects) == (2, before)
    assert f"make set-prod SETTING={name} PROD=cluster".encode() in done.stderr
    assert b"the-other" not in done.stderr


def test_setup_prepares_the_load_balancers_of_eks_there(cluster):
    cluster.knows("eks.amazonaws.com")
    assert cluster.run("cluster-setup", "-y").returncode == 0
    assert cluster.text("manifests").split() == [*MANIFESTS, "scripts/cluster/k8s/eks.yaml"]
    assert cluster.text("labels") == "eks.amazonaws.com/pod-readiness-gate-inject=enabled"


# The certificate of the load balancer.


def pointer(cluster):
    """The data of the ConfigMap that deployers may read."""
    return cluster.objects["configmap/book-shop-settings"]["data"]


def test_setup_stores_a_certificate_of_acm_and_the_public_url_where_deployers_can_read_them(cluster):
    cluster.knows("eks.amazonaws.com")
    done = cluster.run("cluster-setup", "-y", DELIVERY_CERTIFICATE_ARN=ACM, PUBLIC_URL="https://shop.example")
    assert done.returncode == 0, done.stderr
    assert f"certificate of the load balancer: DELIVERY_CERTIFICATE_ARN={ACM}\n".encode() in done.stderr
    assert b"the next deploy gives the load balancer the certificate" in done.stderr
    assert (pointer(cluster)["certificate_arn"], pointer(cluster)["public_url"]) == (ACM, "https://shop.example")
    assert cluster.stored()["PUBLIC_URL"] == "https://shop.example"


def test_setup_lets_cert_manager_answer_challenges_and_names_what_turns_https_on(cluster):
    cluster.knows("cert-manager.io")
    cluster.has("clusterissuers", "letsencrypt")
    done = cluster.run("cluster-setup", "-y", DELIVERY_CERT_ISSUER="letsencrypt")
    assert done.returncode == 0, done.stderr
    assert cluster.text("manifests").split() == [*MANIFESTS, "scripts/cluster/k8s/cert-manager.yaml"]
    assert b"HTTPS is off until PUBLIC_URL is https://...: make set-prod SETTING=PUBLIC_URL" in done.stderr
    assert pointer(cluster)["certificate_issuer"] == "letsencrypt"


def test_setup_again_keeps_the_certificate_and_another_one_replaces_it(cluster):
    cluster.knows("cert-manager.io", "elbv2.k8s.aws")
    cluster.has("clusterissuers", "letsencrypt")
    assert cluster.run("cluster-setup", "-y", DELIVERY_CERT_ISSUER="letsencrypt").returncode == 0
    before = cluster.objects
    assert cluster.run("cluster-setup", "-y").returncode == 0
    assert cluster.objects == before
    assert cluster.run("cluster-setup", "-y", DELIVERY_CERTIFICATE_ARN=ACM).returncode == 0
    assert [key for key in pointer(cluster) if key.startswith("certificate")] == ["certificate_arn"]
    assert cluster.run("cluster-setup", "-y", DELIVERY_CERTIFICATE_ARN="none").returncode == 0
    assert [key for key in pointer(cluster) if key.startswith("certificate")] == []


@pytest.mark.parametrize(
    ("groups", "settings", "status", "message"),
    [
        ("", {"DELIVERY_CERTIFICATE_ARN": "x"}, 2, "invalid DELIVERY_CERTIFICATE_ARN 'x'"),
        ("", {"DELIVERY_CERT_ISSUER": "a b"}, 2, "invalid DELIVERY_CERT_ISSUER 'a b'"),
        ("", {"PUBLIC_URL": "shop.example"}, 2, "invalid public URL 'shop.example'"),
        ("", {"PUBLIC_URL": "https://shop.example/"}, 2, "invalid public URL 'https://shop.example/'"),
        ("eks.amazonaws.com", {"DELIVERY_CERT_ISSUER": "letsencrypt"}, 1, "of AWS Certificate Manager"),
        ("", {"DELIVERY_CERT_ISSUER": "letsencrypt"}, 1, "it has no cert-manager"),
        ("cert-manager.io", {"DELIVERY_CERT_ISSUER": "letsencrypt"}, 1, "no ClusterIssuer of this name"),
        ("cert-manager.io", {"DELIVERY_CERTIFICATE_ARN": "ACM"}, 1, "only load balancers of AWS"),
        (
            "eks.amazonaws.com", {"DELIVERY_CERTIFICATE_ARN": "ACM", "PUBLIC_URL": "https://shop.example:80"}, 1,
            "the load balancer cannot serve 'https://shop.example:80'",
        ),
        (
            "cert-manager.io", {"DELIVERY_CERT_ISSUER": "letsencrypt", "PUBLIC_URL": "https://192.0.2.1"}, 1,
            "cert-manager needs a host name, not an address",
        ),
        ("eks.amazonaws.com", {"DELIVERY_CERTIFICATE_ARN": "ACM", "DELIVERY_CERT_ISSUER": "a"}, 2, "are both set"),
    ],
)  # fmt: skip
def test_a_certificate_that_the_cluster_cannot_use_is_refused_before_any_change(
    cluster, groups, settings, status, message
):
    cluster.knows(groups)
    done = cluster.run("cluster-setup", "-y", **{name: value.replace("ACM", ACM) for name, value in settings.items()})
    assert (done.returncode, done.stdout) == (status, b"")
    assert message in done.stderr.decode()
    assert (cluster.objects, cluster.text("manifests")) == ({}, "")


def test_a_public_url_is_not_added_to_a_cluster_that_has_settings(cluster):
    assert cluster.run("cluster-setup", "-y").returncode == 0
    before = cluster.objects
    done = cluster.run("cluster-setup", "-y", PUBLIC_URL="https://shop.example")
    assert (done.returncode, cluster.objects) == (2, before)
    assert b"make set-prod SETTING=PUBLIC_URL PROD=cluster" in done.stderr


@pytest.mark.parametrize("port", ["", ":5432", ":6432", ":25060"])
def test_setup_lets_the_pods_reach_the_port_of_the_database(cluster, port):
    """PostgreSQL's own port is allowed by the manifests in the image."""
    assert cluster.run("cluster-setup", "-y", DATABASE_URL=URL.replace("org/", f"org{port}/")).returncode == 0
    policy = cluster.objects.get("networkpolicy/servers")
    if port in ("", ":5432"):
        assert policy is None
        return
    assert policy["spec"] == {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "book-shop"}},
        "policyTypes": ["Egress"],
        "egress": [{"ports": [{"protocol": "TCP", "port": int(port[1:])}]}],
    }
    assert "app.kubernetes.io/component" not in policy["metadata"]["labels"]  # a deploy would delete it


@pytest.mark.parametrize(
    ("command", "settings", "message"),
    [
        ("cluster-setup", {}, "not confirmed: nothing was changed"),
        ("cluster-setup -y", {"DATABASE_URL": ""}, "DATABASE_URL is not set"),
        ("cluster-setup -y", {"DATABASE_URL": URL.replace("org/", "org:x/")}, "invalid DATABASE_URL"),
        ("cluster-setup -y", {"DATABASE_URL": URL.replace("org/", "org:66000/")}, "invalid DATABASE_URL"),
        ("cluster-setup -y", {"DATABASE_URL": URL + "\n"}, "invalid DATABASE_URL"),
        ("cluster-setup -y", {"ALLOWED_HOSTS": "x" * 5000}, "invalid ALLOWED_HOSTS"),
        ("cluster-setup -y", {"DELIVERY_CLUSTER": "other"}, "remedy: kubectl config use-context other"),
        ("cluster-data-create", {"DELIVERY_CLUSTER": "other"}, "wrong cluster"),
        ("cluster-data-create", {"DELIVERY_POSTGRES_IMAGE": ""}, "POSTGRES_IMAGE is not set"),
        ("cluster-data-create", {"DELIVERY_ADMIN_URL": ""}, "ADMIN_URL is not set"),
    ],
)
def test_changes_nothing_without_confirmation_settings_or_the_expected_cluster(cluster, command, settings, message):
    done = cluster.run(*command.split(), stdin=b"no\n", **settings)
    assert (done.returncode, done.stdout) == (2 if "invalid" in message else 1, b"")
    assert message.encode() in done.stderr
    assert b"the-password" not in done.stderr
    assert (cluster.objects, cluster.text("manifests")) == ({}, "")
