"""The bucket of Terraform's state: the account, the region and the bucket, asked of AWS on loopback."""

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
    """The settings of a shell that may ask the AWS on loopback; the bucket is gone afterwards."""
    for name, value in (cloud.environment | {"TF_VAR_name": "book-shop"}).items():
        monkeypatch.setenv(name, value)
    for name in ("DELIVERY_AWS_ACCOUNT", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the credentials of the test before
    yield monkeypatch
    monkeypatch.undo()
    s3 = cloud.client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        s3.delete_bucket(Bucket=bucket["Name"])


def test_without_a_bucket_check_says_how_to_make_one(shell):
    with pytest.raises(CommandError, match=f"bucket {BUCKET} doesn't exist") as raised:
        state.bucket()
    assert raised.value.remedy == "make infra-bootstrap"


def test_make_then_check_then_make_again(cloud, shell, capsys):
    assert state.bucket(make_it=True) == BUCKET
    assert capsys.readouterr().err.splitlines()[0] == f"==> create the state bucket {BUCKET}"
    assert state.bucket() == state.bucket(make_it=True) == BUCKET
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("undo", "said"),
    [
        (
            lambda s3: s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"}),
            "versioning",
        ),
        (lambda s3: s3.delete_public_access_block(Bucket=BUCKET), "public access block"),
        (lambda s3: s3.delete_bucket_encryption(Bucket=BUCKET), "encryption"),
        (lambda s3: s3.delete_bucket_lifecycle(Bucket=BUCKET), "lifecycle"),
    ],
    ids=["versioning", "public", "encryption", "lifecycle"],
)
def test_make_puts_right_what_somebody_changed_and_only_that(cloud, shell, capsys, undo, said):
    state.bucket(make_it=True)
    capsys.readouterr()
    undo(cloud.client("s3"))
    state.bucket(make_it=True)
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_another_account_is_refused(shell):
    shell.setenv("DELIVERY_AWS_ACCOUNT", "999999999999")
    with pytest.raises(CommandError, match="wrong AWS account") as raised:
        state.bucket(make_it=True)
    assert f"account {fake_aws.ACCOUNT}, DELIVERY_AWS_ACCOUNT is 999999999999" in raised.value.why
    shell.setenv("DELIVERY_AWS_ACCOUNT", fake_aws.ACCOUNT)
    assert state.bucket(make_it=True) == BUCKET


@pytest.mark.parametrize("make_it", [False, True])
def test_another_region_than_the_states_is_refused(shell, make_it):
    state.bucket(make_it=True)
    shell.setenv("AWS_REGION", "us-west-2")
    with pytest.raises(CommandError, match="the shop's state is in eu-central-1") as raised:
        state.bucket(make_it)
    assert raised.value.remedy == "export AWS_REGION=eu-central-1"


def test_us_east_1_is_made_without_a_location(cloud, shell):
    shell.setenv("AWS_REGION", "us-east-1")
    assert state.bucket(make_it=True) == BUCKET


def test_a_bucket_of_somebody_else_is_refused():
    class S3:
        def head_bucket(self, **_):
            raise exceptions.ClientError({"Error": {}, "ResponseMetadata": {"HTTPStatusCode": 403}}, "HeadBucket")

    with pytest.raises(CommandError, match=f"no access to the state bucket {BUCKET}"):
        state.region_of(S3(), BUCKET, fake_aws.ACCOUNT)


def test_without_credentials(shell, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        shell.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        shell.setenv(name, str(tmp_path / "none"))
    with pytest.raises(CommandError, match="there are no AWS credentials"):
        state.bucket()


def test_a_profile_that_does_not_exist(shell, tmp_path):
    shell.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    shell.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(CommandError, match="AWS_PROFILE names no profile"):
        state.bucket()


def test_aws_out_of_reach(shell):
    shell.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    shell.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(CommandError, match="AWS doesn't answer") as raised:
        state.bucket()
    assert raised.value.remedy == "check AWS_REGION=eu-central-1 and the network"


@pytest.mark.parametrize("region", ["eu central", "../x"])
def test_a_region_that_is_no_name(shell, region):
    shell.setenv("AWS_REGION", region)
    with pytest.raises(CommandError, match="AWS doesn't answer"):
        state.bucket()


def test_expired_credentials(shell):
    def client(*_, **__):
        raise exceptions.ClientError({"Error": {"Code": "ExpiredToken", "Message": "expired"}}, "GetCallerIdentity")

    shell.setattr(boto3, "client", client)
    with pytest.raises(CommandError, match=re.compile("AWS refuses.*ExpiredToken", re.DOTALL)):
        state.bucket()


def test_as_a_program_it_says_what_why_and_the_remedy(shell):
    shell.setenv("PYTHONPATH", str(infra.ROOT / "scripts"))
    command = [sys.executable, "-m", "delivery", "terraform-state", "check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "terraform-state: there is no place for Terraform's state yet",
        f"  why: bucket {BUCKET} doesn't exist",
        "  remedy: make infra-bootstrap",
    ]
