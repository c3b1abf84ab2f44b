"""The bucket of Terraform's state: the account, the region and the bucket, by the AWS on loopback."""

import json
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

BLOCKED = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
BUCKET = f"book-shop-terraform-state-{fake_aws.ACCOUNT}"


@pytest.fixture
def shell(cloud, monkeypatch):
    """A shell whose AWS is the one on loopback; at the end its buckets are deleted."""
    fake_aws.use_test_credentials(monkeypatch, **cloud.environment, TF_VAR_name="book-shop")
    monkeypatch.delenv("DELIVERY_AWS_ACCOUNT", raising=False)
    yield monkeypatch
    monkeypatch.undo()
    s3 = cloud.client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        kept = s3.list_object_versions(Bucket=bucket["Name"])
        for version in kept.get("Versions", []) + kept.get("DeleteMarkers", []):
            s3.delete_object(Bucket=bucket["Name"], Key=version["Key"], VersionId=version["VersionId"])
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


AES = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
KMS = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "k"}}
SSE_C = {"EncryptionType": ["SSE-C"]}  # blocked for new buckets since April 2026
OLD = {"Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 90}}
LOGS = {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 3}}
SOONER = {"Status": "Enabled", "Filter": {}, "NoncurrentVersionExpiration": {"NoncurrentDays": 3}}


@pytest.mark.parametrize(
    ("setting", "answer", "met"),
    [
        ("bucket_encryption", {"Rules": [AES]}, True),
        ("bucket_encryption", {"Rules": [AES | {"BucketKeyEnabled": False}]}, True),
        ("bucket_encryption", {"Rules": [AES | {"BucketKeyEnabled": True, "BlockedEncryptionTypes": SSE_C}]}, True),
        ("bucket_encryption", {"Rules": [KMS | {"BucketKeyEnabled": True, "Another": 1}], "More": {}}, True),
        ("bucket_encryption", {"Rules": [{"BlockedEncryptionTypes": SSE_C}]}, False),
        ("bucket_encryption", {"Rules": []}, False),
        ("bucket_encryption", {}, False),
        ("bucket_versioning", {"Status": "Enabled", "MFADelete": "Enabled"}, True),
        ("bucket_versioning", {"Status": "Suspended", "MFADelete": "Disabled"}, False),
        ("bucket_versioning", {}, False),
        ("bucket_lifecycle_configuration", {"Rules": [OLD | {"Filter": {"Prefix": ""}}]}, True),
        ("bucket_lifecycle_configuration", {"Rules": [OLD | {"ID": "theirs", "Filter": {}}]}, True),
        ("bucket_lifecycle_configuration", {"Rules": [LOGS, OLD | {"Prefix": ""}], "Transition": "x"}, True),
        ("bucket_lifecycle_configuration", {"Rules": [OLD, SOONER | {"Status": "Disabled"}]}, True),
        ("bucket_lifecycle_configuration", {"Rules": [OLD, SOONER]}, False),
        ("bucket_lifecycle_configuration", {"Rules": [OLD, LOGS | {"Filter": {"Prefix": ""}}]}, False),
        ("bucket_lifecycle_configuration", {"Rules": [OLD | {"Status": "Disabled"}]}, False),
        ("bucket_lifecycle_configuration", {"Rules": [OLD | {"Filter": {"Prefix": "logs/"}}]}, False),
        ("bucket_lifecycle_configuration", {"Rules": [OLD | {"Filter": {"And": {"Prefix": "", "Tags": [1]}}}]}, False),
        ("bucket_lifecycle_configuration", {}, False),
        ("public_access_block", dict.fromkeys(BLOCKED, True) | {"BlockMore": False}, True),
        ("public_access_block", dict.fromkeys(BLOCKED, True) | {"BlockPublicPolicy": False}, False),
        ("public_access_block", dict.fromkeys(BLOCKED[1:], True), False),
        ("public_access_block", {}, False),
    ],
)
def test_compares_a_setting_by_what_the_state_needs(setting, answer, met):
    (is_met,) = [found[3] for found in state.settings() if found[0] == setting]
    assert is_met(answer) is met


LOCK = {
    "ID": "2d6a6c5e-0c3f-9b6d-0d8c-8c2d5d5f0d1b",
    "Operation": "OperationTypeApply",
    "Info": "",
    "Who": "ada@laptop",
    "Version": "1.11.4",
    "Created": "2026-11-27T10:00:00.123456789Z",
    "Path": "x/terraform.tfstate",
}


@pytest.fixture
def root(tmp_path):
    """A Terraform root after terraform init."""
    (tmp_path / ".terraform").mkdir()
    backend = {"type": "s3", "config": {"bucket": BUCKET, "key": "cluster.tfstate", "region": "eu-central-1"}}
    (tmp_path / ".terraform/terraform.tfstate").write_text(json.dumps({"version": 3, "backend": backend}))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "why", "remedy"),
    [
        (
            json.dumps(LOCK),
            f"ada@laptop holds the lock {LOCK['ID']} since {LOCK['Created']}, for OperationTypeApply",
            "terraform -chdir={root} force-unlock " + LOCK["ID"],
        ),
        ("", "is not a lock that Terraform can read: ''", f"aws s3 rm s3://{BUCKET}/cluster.tfstate.tflock"),
        ("[]", "is not a lock that Terraform can read: '[]'", f"aws s3 rm s3://{BUCKET}/cluster.tfstate.tflock"),
        ('{"ID": "1"}', "is not a lock", f"aws s3 rm s3://{BUCKET}/cluster.tfstate.tflock"),
    ],
)
def test_names_the_owner_of_a_lock_and_the_command_that_removes_it(cloud, shell, root, text, why, remedy):
    state.bucket(make_it=True)
    state.check_lock(root)
    lock = {"Bucket": BUCKET, "Key": "cluster.tfstate.tflock"}
    cloud.client("s3").put_object(**lock, Body=text.encode())
    with pytest.raises(CommandError, match="is locked: nothing was changed\n") as raised:
        state.check_lock(root, ": nothing was changed")
    with pytest.raises(CommandError, match="is locked\n"):
        state.check_lock(root)
    cloud.client("s3").delete_object(**lock)
    assert why in raised.value.why
    assert raised.value.remedy.endswith(": " + remedy.format(root=root))


def test_names_the_terraform_of_this_project_by_its_path(tmp_path, monkeypatch):
    """Only the Makefile has .venv/bin on its PATH."""
    own = tmp_path / ".venv/bin/terraform"
    own.parent.mkdir(parents=True)
    own.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    text = json.dumps(LOCK)
    monkeypatch.setenv("PATH", f"{own.parent}:/nowhere")
    assert ": .venv/bin/terraform -chdir=terraform force-unlock " in state.owner_of(text, "terraform", "a/b")[1]
    own.unlink()
    assert ": terraform -chdir=terraform force-unlock " in state.owner_of(text, "terraform", "a/b")[1]


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
