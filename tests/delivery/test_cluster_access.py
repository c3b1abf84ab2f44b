"""Access to a cluster without a kubeconfig file of the user: an EKS cluster by its ARN, and one elsewhere."""

import datetime
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import boto3
import fake_eks
import pytest
import yaml
from delivery import cluster_access, targets
from delivery.cli import CommandError
from program import Program

ARN = "arn:aws:eks:eu-central-1:123456789012:cluster/book-shop"
SERVER = {
    "endpoint": "https://10.0.0.1",
    "certificateAuthority": {"data": "Y2VydGlmaWNhdGU="},
    "status": "ACTIVE",
}
ELSEWHERE = "apiVersion: v1\nkind: Config\ncurrent-context: elsewhere\nusers: [{name: u, user: {token: the-secret}}]\n"


@pytest.fixture
def eks(tmp_path, monkeypatch):
    """EKS with the cluster, a kubectl on the PATH, and the credentials of the role that deploys."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "DELIVERY_", "GITHUB_", "RUNNER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it has the credentials of the previous test
    made = fake_eks.Eks("book-shop", SERVER)
    settings = {
        "AWS_ENDPOINT_URL_EKS": made.url,
        "AWS_ACCESS_KEY_ID": fake_eks.KEY,
        "AWS_SECRET_ACCESS_KEY": fake_eks.SECRET,
        "AWS_EC2_METADATA_DISABLED": "true",
        "DELIVERY_PROD": "cluster",
        "DELIVERY_CLUSTER": ARN,
        "KUBECONFIG": "/the/users/own",
        "RUNNER_TEMP": str(tmp_path),
        "PATH": str(tmp_path),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    made.kubectl = Program(tmp_path, "kubectl")
    made.kubectl.answers("current-context", ARN)
    yield made
    made.server.shutdown()


def kubeconfig():
    """The kubeconfig that kubectl finds."""
    return yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())


def credential(config):
    """The ExecCredential that kubectl gets, as kubectl calls the program."""
    plugin = config["users"][0]["user"]["exec"]
    variables = {entry["name"]: entry["value"] for entry in plugin["env"]}
    command = [plugin["command"], *plugin["args"]]
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_eks_cluster_is_reached_by_its_arn_whatever_the_current_context_is(eks):
    target = targets.for_environment("prod")
    assert target.context == ARN
    config = kubeconfig()
    assert config["current-context"] == ARN
    assert config["clusters"][0]["cluster"] == {
        "server": "https://10.0.0.1",
        "certificate-authority-data": SERVER["certificateAuthority"]["data"],
    }


def test_kubectl_gets_a_token_of_the_role_for_this_cluster_only(eks):
    cluster_access.prepare()
    answer = credential(kubeconfig())
    assert answer["apiVersion"] == "client.authentication.k8s.io/v1"
    token = answer["status"]["token"]
    assert fake_eks.signed_by(token, "book-shop") == fake_eks.KEY
    with pytest.raises(ValueError, match="signed for another cluster"):
        fake_eks.signed_by(token, "another")
    expires = datetime.datetime.strptime(answer["status"]["expirationTimestamp"], "%Y-%m-%dT%H:%M:%S%z")
    left = expires - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(minutes=13) < left < datetime.timedelta(minutes=15)


def test_a_token_is_used_again_until_it_expires(eks, monkeypatch):
    cluster_access.prepare()
    config = kubeconfig()
    first = credential(config)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")  # boto3 could not sign another one
    assert credential(config) == first
    cache = Path(config["users"][0]["user"]["exec"]["args"][-1])
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=59)
    first["status"]["expirationTimestamp"] = soon.strftime("%Y-%m-%dT%H:%M:%SZ")
    cache.write_text(json.dumps(first))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    assert fake_eks.signed_by(credential(config)["status"]["token"], "book-shop", "another")


@pytest.mark.parametrize("content", ["", ELSEWHERE])
def test_the_files_are_private_and_deleted_when_the_process_ends(eks, tmp_path, monkeypatch, content):
    monkeypatch.setenv("DELIVERY_CLUSTER_KUBECONFIG", content)
    monkeypatch.setenv("DELIVERY_CLUSTER", "elsewhere" if content else ARN)
    program = """\
import os, subprocess, sys
from delivery import cluster_access
os.umask(0)
cluster_access.prepare()
directory = os.path.dirname(os.environ["KUBECONFIG"])
print(*(oct(os.stat(path).st_mode & 0o777) for path in (directory, os.environ["KUBECONFIG"])))
"""
    scripts = Path(cluster_access.__file__).parents[1]
    variables = os.environ | {"PYTHONPATH": str(scripts)}
    done = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("0o700 0o600\n", "")
    assert not list(tmp_path.glob("cluster-*"))


def test_the_cached_token_is_private(eks):
    cluster_access.prepare()
    config = kubeconfig()
    credential(config)
    cache = Path(config["users"][0]["user"]["exec"]["args"][-1])
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600
    assert cache.parent == Path(os.environ["KUBECONFIG"]).parent


def test_a_cluster_elsewhere_is_reached_with_the_kubeconfig_that_is_given(eks, monkeypatch, capfd):
    monkeypatch.setenv("DELIVERY_CLUSTER_KUBECONFIG", ELSEWHERE)
    monkeypatch.setenv("DELIVERY_CLUSTER", "elsewhere")
    eks.kubectl.answers("current-context", "elsewhere")
    assert targets.for_environment("prod").context == "elsewhere"
    assert Path(os.environ["KUBECONFIG"]).read_text() == ELSEWHERE
    assert "the-secret" not in "".join(capfd.readouterr())


def test_the_kubeconfig_that_is_given_must_be_of_the_expected_cluster(eks, monkeypatch):
    monkeypatch.setenv("DELIVERY_CLUSTER_KUBECONFIG", ELSEWHERE)
    monkeypatch.setenv("DELIVERY_CLUSTER", "production")
    eks.kubectl.answers("current-context", "elsewhere")
    with pytest.raises(CommandError, match="wrong cluster"):
        targets.for_environment("prod")


def test_an_eks_cluster_does_not_use_a_kubeconfig_that_is_left_from_another_one(eks, monkeypatch):
    monkeypatch.setenv("DELIVERY_CLUSTER_KUBECONFIG", ELSEWHERE)
    targets.for_environment("prod")
    assert kubeconfig()["current-context"] == ARN


@pytest.mark.parametrize("cluster", ["", "production", "arn:aws:iam::123456789012:role/x", f"{ARN}/more", f"{ARN}\n"])
def test_any_other_cluster_is_a_context_of_the_users_kubeconfig(eks, monkeypatch, cluster):
    monkeypatch.setenv("DELIVERY_CLUSTER", cluster)
    cluster_access.prepare()
    assert os.environ["KUBECONFIG"] == "/the/users/own"


@pytest.mark.parametrize(
    ("arn", "region", "name"),
    [
        ("arn:aws-cn:eks:cn-north-1:123456789012:cluster/a", "cn-north-1", "a"),
        ("arn:aws-us-gov:eks:us-gov-west-1:123456789012:cluster/A_b-9", "us-gov-west-1", "A_b-9"),
    ],
)
def test_arns_of_all_partitions_are_known(arn, region, name):
    assert cluster_access.ARN.fullmatch(arn).group("region", "name") == (region, name)


def test_credentials_without_the_right_say_which_variable_of_terraform_gives_it(eks):
    eks.denied = True
    with pytest.raises(CommandError, match="these AWS credentials may not use the EKS cluster 'book-shop'") as raised:
        targets.for_environment("prod")
    assert "TF_VAR_deployer_role_arns" in raised.value.remedy
    assert eks.kubectl.calls() == []


@pytest.mark.parametrize(
    ("cluster", "message"),
    [
        (None, "no EKS cluster 'book-shop' in eu-central-1"),
        ({"status": "CREATING"}, "the EKS cluster 'book-shop' has no API server yet"),
    ],
)
def test_a_missing_or_unfinished_cluster_is_an_error(eks, cluster, message):
    eks.cluster = cluster
    with pytest.raises(CommandError, match=message):
        targets.for_environment("prod")


def test_missing_credentials_are_an_error(eks, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    with pytest.raises(CommandError, match="there are no AWS credentials"):
        targets.for_environment("prod")


def test_a_role_without_an_access_entry_says_how_it_gets_one(eks):
    message = "error: You must be logged in to the server (Unauthorized)\n"
    eks.kubectl.answers("/readyz", stderr=message, status=1)
    with pytest.raises(CommandError) as raised:
        targets.for_environment("prod")
    assert "TF_VAR_deployer_role_arns" in raised.value.remedy
