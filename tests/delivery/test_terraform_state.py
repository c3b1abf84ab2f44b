"""The bucket of Terraform's state: the account, the region and the bucket, by the AWS on loopback."""

import re
import subprocess
import sys

import boto3
import fake_aws
import infra
import pytest
from botocore import exceptions
from delivery import terraform_state as state
from delivery.cli import CommandError

BUCKET = f"book-shop-terraform-state-{fake_aws.ACCOUNT}"


@pytest.fixture(scope="module")
def cloud():
    made = fake_aws.Aws()
    yield made
    made.close()


@pytest.fixture
def shell(cloud, monkeypatch):
    """A shell whose AWS is the one on loopback; at the end its buckets are deleted."""
    fake_aws.use_test_credentials(monkeypatch, **cloud.environment, TF_VAR_name="book-shop")
    monkeypatch.delenv("DELIVERY_AWS_ACCOUNT", raising=False)
    yield monkeypatch
    monkeypatch.undo()
    s3 = cloud.client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        s3.delete_bucket(Bucket=bucket["Name"])


def test_check_fails_without_a_bucket_and_names_the_command_that_makes_it(shell):
    shell.setenv("PYTHONPATH", str(infra.ROOT / "scripts"))
    command = [sys.executable, "-m", "delivery", "terraform-state", "check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"terraform-state: state bucket '{BUCKET}' not found",
        "  why: it was not created yet in eu-central-1",
        "  remedy: make infra-bootstrap",
    ]


def test_makes_the_bucket_once(shell, capsys):
    assert state.bucket(make_it=True) == BUCKET
    assert capsys.readouterr().err.splitlines()[0] == f"==> create the state bucket {BUCKET}"
    assert state.bucket() == state.bucket(make_it=True) == BUCKET
    assert capsys.readouterr().err == ""


SUSPENDED = {"VersioningConfiguration": {"Status": "Suspended"}}


@pytest.mark.parametrize(
    ("undo", "parameters", "setting"),
    [
        ("put_bucket_versioning", SUSPENDED, "versioning"),
        ("delete_public_access_block", {}, "public access block"),
        ("delete_bucket_encryption", {}, "encryption"),
        ("delete_bucket_lifecycle", {}, "lifecycle"),
    ],
)
def test_corrects_a_changed_setting_and_only_that(cloud, shell, capsys, undo, parameters, setting):
    state.bucket(make_it=True)
    capsys.readouterr()
    getattr(cloud.client("s3"), undo)(Bucket=BUCKET, **parameters)
    state.bucket(make_it=True)
    (line,) = capsys.readouterr().err.splitlines()
    assert setting in line


def test_makes_a_bucket_in_us_east_1_without_a_location(shell):
    shell.setenv("AWS_REGION", "us-east-1")
    assert state.bucket(make_it=True) == BUCKET


def test_refuses_another_account(shell):
    shell.setenv("DELIVERY_AWS_ACCOUNT", "999999999999")
    with pytest.raises(CommandError, match="wrong AWS account") as raised:
        state.bucket(make_it=True)
    assert f"account {fake_aws.ACCOUNT}, DELIVERY_AWS_ACCOUNT is 999999999999" in raised.value.why
    shell.setenv("DELIVERY_AWS_ACCOUNT", fake_aws.ACCOUNT)
    assert state.bucket(make_it=True) == BUCKET


@pytest.mark.parametrize("make_it", [False, True])
def test_refuses_another_region_than_that_of_the_bucket(shell, make_it):
    state.bucket(make_it=True)
    shell.setenv("AWS_REGION", "us-west-2")
    with pytest.raises(CommandError, match="the shop's state is in eu-central-1") as raised:
        state.bucket(make_it)
    assert raised.value.remedy == "export AWS_REGION=eu-central-1"


def client_error(operation, status=400, **error):
    return exceptions.ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)


def test_refuses_a_bucket_of_another_account():
    class S3:
        def head_bucket(self, **_):
            raise client_error("HeadBucket", 403)

    with pytest.raises(CommandError, match=f"no access to the state bucket {BUCKET}"):
        state.region_of(S3(), BUCKET, fake_aws.ACCOUNT)


def test_fails_with_expired_credentials(shell):
    def client(*_, **__):
        raise client_error("GetCallerIdentity", Code="ExpiredToken", Message="expired")

    shell.setattr(boto3, "client", client)
    with pytest.raises(CommandError, match=re.compile("AWS rejected the request.*ExpiredToken", re.DOTALL)):
        state.bucket()


LOGIN = "aws configure sso, or set AWS_PROFILE"
NETWORK = "check AWS_REGION=eu-central-1 and the network"


@pytest.mark.parametrize(
    ("variables", "what", "remedy"),
    [
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "there are no AWS credentials", LOGIN),
        ({"AWS_PROFILE": "nobody"}, "AWS_PROFILE names an unknown profile", LOGIN),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1"}, "AWS doesn't answer", NETWORK),
        ({"AWS_REGION": "eu central"}, "AWS doesn't answer", "check AWS_REGION=eu central and the network"),
        ({"AWS_REGION": "../x"}, "AWS doesn't answer", "check AWS_REGION=../x and the network"),
    ],
)
def test_fails_with_a_wrong_setting(shell, variables, what, remedy):
    for name, value in variables.items():
        shell.setenv(name, value)
    with pytest.raises(CommandError, match=what) as raised:
        state.bucket()
    assert raised.value.remedy == remedy
