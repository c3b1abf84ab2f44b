"""scripts/host/install.py as a program: what it fetches, by whose right, and that it unpacks the pinned archive."""

import hashlib
import io
import json
import os
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
OPT = "opt/book-shop-releases"
# Real curl without its long retries; the log shows what every user of a host can see.
CURL = """#!/bin/sh
echo "$@" >>"{log}"
exec {curl} "$@" --retry {retries} --retry-delay 1
"""
INSTALL = """#!/bin/sh
cp "$0" "${0%/opt/*}/installed"
cat "${0%/*}/../version" >>"${0%/opt/*}/installed"
echo "$@" >>"${0%/opt/*}/installed"
"""


def pack(**files):
    """An archive of these files of bin/."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"./bin/{name}")
            entry.size, entry.mode = len(text), 0o755
            archive.addfile(entry, io.BytesIO(text.encode()))
    return content.getvalue()


ARCHIVE = pack(install=INSTALL)
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()
INSTALLED = f"{INSTALL}{SHA256[:12]}\n{REPOSITORY} *\n"


class Machine:
    """A directory that stands for the host's /."""

    def __init__(self, place, metadata):
        self.place, self.root, self.log, self.metadata = place, place / "root", place / "log", metadata
        self.root.mkdir()
        (place / "bin").mkdir()

    def install(self, url, sha256=SHA256, status=0, retries=0):
        """Runs the install script and returns what it printed on stderr."""
        curl = self.place / "bin/curl"
        curl.write_text(CURL.format(log=self.log, curl=shutil.which("curl"), retries=retries))
        curl.chmod(0o755)
        command = [infra.ROOT / "scripts/user-data", url, sha256, REPOSITORY, "*"]
        script = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        environment = {
            "PATH": f"{self.place}/bin:{os.environ['PATH']}",
            "TMPDIR": str(self.place),
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://{self.metadata}",
        }
        more = {"input": script, "env": environment, "capture_output": True, "text": True}
        done = subprocess.run([sys.executable, "-", self.root], **more)
        assert done.returncode == status, done.stderr
        assert done.stdout == ""
        return done.stderr

    def assert_untouched(self):
        assert list(self.root.rglob("*")) == []
        assert sorted(path.name for path in self.place.iterdir()) == ["bin", "log", "root"]


@pytest.fixture
def machine(tmp_path, scripted):
    return Machine(tmp_path, scripted.address)


def has_role(scripted, keys):
    """The next install finds these credentials of its instance's role."""
    answers = [b"the-token", ROLE.encode(), json.dumps(keys).encode(), REGION.encode()]
    scripted.answers += [(200, {}, answer) for answer in answers]


KEYS = {"AccessKeyId": "ASIA0123456789ABCDEF", "SecretAccessKey": "the/secret+key", "Token": "the//session+token=="}


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
    """allow(actions) gives the host's role these rights and returns its credentials, as the instance gets them."""
    import requests

    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION, "endpoint_url": s3}
    requests.post(f"{s3}/moto-api/reset", timeout=10)
    bucket = boto3.client("s3", **keys)
    bucket.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    bucket.put_object(Bucket=BUCKET, Key=f"{SHA256}.tar.gz", Body=ARCHIVE)

    def allow(action):
        iam = boto3.client("iam", **keys)
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
        document = {"Version": "2012-10-17", "Statement": [trust]}
        arn = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
        right = {"Effect": "Allow", "Action": action, "Resource": f"arn:aws:s3:::{BUCKET}/*"}
        document = {"Version": "2012-10-17", "Statement": [right]}
        iam.put_role_policy(RoleName=ROLE, PolicyName="install", PolicyDocument=json.dumps(document))
        given = boto3.client("sts", **keys).assume_role(RoleArn=arn, RoleSessionName=SESSION)["Credentials"]
        requests.post(f"{s3}/moto-api/reset-auth", data="0", timeout=10)
        return {name: given[name] for name in ("AccessKeyId", "SecretAccessKey")} | {"Token": given["SessionToken"]}

    yield allow
    requests.post(f"{s3}/moto-api/reset-auth", data="inf", timeout=10)


def test_the_archive_is_fetched_by_the_role_of_the_instance_and_installed(machine, scripted, s3, role):
    keys = role("s3:GetObject")
    has_role(scripted, keys)
    machine.install(f"{s3}/{BUCKET}/{SHA256}.tar.gz")
    assert (machine.root / "installed").read_text() == INSTALLED
    assert scripted.asked() == [
        "PUT /latest/api/token",
        "GET /latest/meta-data/iam/security-credentials/",
        f"GET /latest/meta-data/iam/security-credentials/{ROLE}",
        "GET /latest/meta-data/placement/region",
    ]
    assert [request.headers.get("X-aws-ec2-metadata-token") for request in scripted.requests[1:]] == ["the-token"] * 3
    for secret in (*keys.values(), "the-token"):
        assert secret not in machine.log.read_text()


@pytest.mark.parametrize("wrong", ["right", "key", "session"])
def test_without_the_right_or_with_other_credentials_nothing_is_fetched(machine, scripted, s3, role, wrong):
    keys = role("s3:PutObject" if wrong == "right" else "s3:GetObject")
    if wrong == "key":
        keys["SecretAccessKey"] = "another"
    if wrong == "session":
        keys["Token"] = "another"
    has_role(scripted, keys)
    url = f"{s3}/{BUCKET}/{SHA256}.tar.gz"
    said = machine.install(url, status=1)
    assert f"install: '{url}' cannot be fetched" in said
    assert re.search("error: 40[03]", said)
    machine.assert_untouched()


def test_an_instance_without_a_role_is_named(machine, scripted, other):
    scripted.answers += [(200, {}, b"the-token"), (404, {}, b"")]
    said = machine.install(f"http://{other.address}/x.tar.gz", status=1)
    assert f"install: 'http://{scripted.address}/latest/meta-data/iam/security-credentials/' cannot be fetched" in said
    assert other.requests == []
    machine.assert_untouched()


def test_a_file_on_the_host_needs_no_role(machine, scripted, tmp_path_factory):
    archive = tmp_path_factory.mktemp("seed") / "host-files.tar.gz"
    archive.write_bytes(ARCHIVE)
    machine.install(archive.as_uri())
    machine.install(archive.as_uri())
    assert (machine.root / "installed").read_text() == INSTALLED
    assert scripted.requests == []


def test_a_missing_file_is_named(machine):
    said = machine.install("file:///nonexistent/host-files.tar.gz", status=1)
    assert "install: 'file:///nonexistent/host-files.tar.gz' cannot be fetched" in said
    assert "Nothing was changed" in said
    machine.assert_untouched()


@pytest.mark.parametrize("content", [ARCHIVE[:-1], pack(install="#!/bin/sh\n"), b"<Error/>", b""])
def test_another_archive_than_the_pinned_one_is_not_unpacked(machine, scripted, other, content):
    has_role(scripted, KEYS)
    other.answers = [(200, {}, content)]
    said = machine.install(f"http://{other.address}/x.tar.gz", status=1)
    found = hashlib.sha256(content).hexdigest()
    assert f"has the SHA-256 '{found}', expected '{SHA256}'. Nothing was changed." in said
    machine.assert_untouched()


def test_a_download_that_breaks_off_is_not_unpacked(machine, scripted, other):
    has_role(scripted, KEYS)
    other.answers = [(200, {}, other.CUT)]
    said = machine.install(f"http://{other.address}/x.tar.gz", status=1)
    assert "cannot be fetched" in said
    machine.assert_untouched()


def test_a_download_that_breaks_off_is_tried_again(machine, scripted, other):
    has_role(scripted, KEYS)
    other.answers = [(200, {}, other.CUT), (503, {}, b""), (200, {}, ARCHIVE)]
    machine.install(f"http://{other.address}/x.tar.gz", retries=2)
    assert (machine.root / "installed").read_text() == INSTALLED
