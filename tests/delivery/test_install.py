"""scripts/host/install.py as a program: what it fetches, by whose right, and that it unpacks the pinned archive."""

import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile

import boto3
import infra
import pytest

ROLE, SESSION, REGION = "book-shop-host", "i-0123456789abcdef0", "eu-central-1"
BUCKET = "book-shop-install-123456789012"
REPOSITORY = "public.ecr.aws/a1b2c3d4/book-shop"
OF_AWS = (REGION, "/book-shop", "book-shop-transfer-123456789012")
URLS = ("https://shop.example", "http://shop.example:8080")
# Real curl without its long retries; the log shows what every user of a host can see.
CURL = """#!/bin/sh
echo "$@" >>"{log}"
exec {curl} "$@" --retry "$DELIVERY_TEST_RETRIES" --retry-delay 1
"""
INSTALL = """#!/bin/sh
cp "$0" "${0%/opt/*}/installed"
cat "${0%/*}/../version" >>"${0%/opt/*}/installed"
echo "$@" >>"${0%/opt/*}/installed"
"""


def pack(program):
    """An archive whose only file is bin/install."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        entry = tarfile.TarInfo("./bin/install")
        entry.size, entry.mode = len(program), 0o755
        archive.addfile(entry, io.BytesIO(program.encode()))
    return content.getvalue()


ARCHIVE = pack(INSTALL)
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()


class Machine:
    """A directory that stands for the host's /."""

    def __init__(self, place, metadata):
        self.place, self.root, self.log, self.metadata = place, place / "root", place / "log", metadata
        self.programs = self.root / "usr/bin"
        self.programs.mkdir(parents=True)
        for program in ("cat", "cp", "gzip", "tar"):
            (self.programs / program).symlink_to(shutil.which(program))
        curl = self.programs / "curl"
        curl.write_text(CURL.format(log=self.log, curl=shutil.which("curl")))
        curl.chmod(0o755)

    def run(self, url, retries):
        """Runs the install script and returns (exit status, stderr)."""
        command = [infra.ROOT / "scripts/user-data", url, SHA256, REPOSITORY, "*", *OF_AWS, *URLS]
        script = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        environment = {
            "DELIVERY_TEST_RETRIES": str(retries),
            "TMPDIR": str(self.place),
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://{self.metadata}",
        }
        command = [sys.executable, "-", self.root]
        done = subprocess.run(command, input=script, env=environment, capture_output=True, text=True)
        assert done.stdout == ""
        return done.returncode, done.stderr

    def assert_installs(self, url, retries=0):
        status, stderr = self.run(url, retries)
        assert status == 0, stderr
        assert (
            self.root / "installed"
        ).read_text() == f"{INSTALL}{SHA256[:12]}\n{' '.join((REPOSITORY, '*', *OF_AWS, *URLS))}\n"

    def assert_refuses(self, url, *messages):
        """Fails with the messages (patterns) and changes nothing."""
        status, stderr = self.run(url, retries=0)
        assert status == 1
        for message in (*messages, "Nothing was changed"):
            assert re.search(message, stderr), stderr
        assert {path for path in self.root.rglob("*") if self.programs not in path.parents} == {
            self.programs,
            self.programs.parent,
        }
        assert sorted(path.name for path in self.place.iterdir()) == ["log", "root"]


@pytest.fixture
def machine(tmp_path, scripted):
    return Machine(tmp_path, scripted.address)


KEYS = {"AccessKeyId": "ASIA0123456789ABCDEF", "SecretAccessKey": "the/secret+key", "Token": "the//session+token=="}


def has_role(scripted, keys=KEYS):
    """The next install finds these credentials of its instance's role."""
    answers = [b"the-token", ROLE.encode(), json.dumps(keys).encode(), REGION.encode()]
    scripted.answers += [(200, {}, answer) for answer in answers]


@pytest.fixture(scope="module")
def s3():
    """The address of moto's S3 with the archive; it checks signatures and rights."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    yield address
    server.stop()


@pytest.fixture
def role(s3):
    """allow(action) gives the host's role that right and returns its credentials, as the instance gets them."""
    import requests

    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION, "endpoint_url": s3}
    requests.post(f"{s3}/moto-api/reset", timeout=10)
    bucket = boto3.client("s3", **keys)
    bucket.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    bucket.put_object(Bucket=BUCKET, Key=f"{SHA256}.tar.gz", Body=ARCHIVE)

    def policy(**statement):
        return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow"} | statement]})

    def allow(action):
        iam = boto3.client("iam", **keys)
        trust = policy(Action="sts:AssumeRole", Principal={"Service": "ec2.amazonaws.com"})
        arn = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        right = policy(Action=action, Resource=f"arn:aws:s3:::{BUCKET}/*")
        iam.put_role_policy(RoleName=ROLE, PolicyName="install", PolicyDocument=right)
        given = boto3.client("sts", **keys).assume_role(RoleArn=arn, RoleSessionName=SESSION)["Credentials"]
        requests.post(f"{s3}/moto-api/reset-auth", data="0", timeout=10)
        return {name: given[name] for name in ("AccessKeyId", "SecretAccessKey")} | {"Token": given["SessionToken"]}

    yield allow
    for path, data in (("reset-auth", "inf"), ("reset", "")):  # other tests of this process use moto too
        requests.post(f"{s3}/moto-api/{path}", data=data, timeout=10)


def test_installs_the_archive_that_the_role_of_the_instance_may_read(machine, scripted, s3, role):
    keys = role("s3:GetObject")
    has_role(scripted, keys)
    machine.assert_installs(f"{s3}/{BUCKET}/{SHA256}.tar.gz")
    assert scripted.asked() == [
        "PUT /latest/api/token",
        "GET /latest/meta-data/iam/security-credentials/",
        f"GET /latest/meta-data/iam/security-credentials/{ROLE}",
        "GET /latest/meta-data/placement/region",
    ]
    assert [request.headers.get("X-aws-ec2-metadata-token") for request in scripted.requests[1:]] == ["the-token"] * 3
    for secret in (*keys.values(), "the-token"):
        assert secret not in machine.log.read_text()


@pytest.mark.parametrize(
    ("action", "wrong"),
    [("s3:PutObject", {}), ("s3:GetObject", {"SecretAccessKey": "another"}), ("s3:GetObject", {"Token": "another"})],
)
def test_fetches_nothing_without_the_right_or_with_wrong_credentials(machine, scripted, s3, role, action, wrong):
    has_role(scripted, role(action) | wrong)
    url = f"{s3}/{BUCKET}/{SHA256}.tar.gz"
    machine.assert_refuses(url, f"install: cannot download '{url}'", "error: 40[03]")


def test_an_instance_without_a_role_is_an_error(machine, scripted, other):
    scripted.answers += [(200, {}, b"the-token"), (404, {}, b"")]
    url = f"http://{scripted.address}/latest/meta-data/iam/security-credentials/"
    machine.assert_refuses(f"http://{other.address}/x.tar.gz", f"install: cannot download '{url}'")
    assert other.requests == []


def test_a_file_on_the_host_needs_no_role_and_can_be_installed_again(machine, scripted, tmp_path_factory):
    archive = tmp_path_factory.mktemp("seed") / "host-files.tar.gz"
    archive.write_bytes(ARCHIVE)
    for _ in range(2):
        machine.assert_installs(archive.as_uri())
    assert scripted.requests == []


def test_a_missing_file_is_an_error(machine):
    url = "file:///nonexistent/host-files.tar.gz"
    machine.assert_refuses(url, f"install: cannot download '{url}'")


@pytest.mark.parametrize("content", [ARCHIVE[:-1], pack("#!/bin/sh\n"), b"<Error/>", b""])
def test_refuses_an_archive_with_another_checksum(machine, scripted, other, content):
    has_role(scripted)
    other.answers = [(200, {}, content)]
    found = hashlib.sha256(content).hexdigest()
    machine.assert_refuses(f"http://{other.address}/x.tar.gz", f"has the SHA-256 '{found}', expected '{SHA256}'")


def test_refuses_a_download_that_breaks_off(machine, scripted, other):
    has_role(scripted)
    other.answers = [(200, {}, other.CUT)]
    machine.assert_refuses(f"http://{other.address}/x.tar.gz", "cannot download")


def test_repeats_a_download_that_breaks_off(machine, scripted, other):
    has_role(scripted)
    other.answers = [(200, {}, other.CUT), (503, {}, b""), (200, {}, ARCHIVE)]
    machine.assert_installs(f"http://{other.address}/x.tar.gz", retries=2)
