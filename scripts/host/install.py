#!/usr/bin/env python3
"""Makes this machine the book shop's host: downloads the archive of the host's files, verifies and installs it.

scripts/user-data prints this script with the words between @ replaced. Safe to run again. Nothing is
changed unless the archive has the expected SHA-256.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

URL = "@URL@"
SHA256 = "@SHA256@"
REPOSITORY = "@REPOSITORY@"
ALLOWED_HOSTS = "@ALLOWED_HOSTS@"
AWS_REGION = "@AWS_REGION@"
PARAMETERS = "@PARAMETERS@"
TRANSFER = "@TRANSFER@"
PUBLIC_URL_PROD = "@PUBLIC_URL_PROD@"
PUBLIC_URL_DEV = "@PUBLIC_URL_DEV@"
PATH = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")
METADATA = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254") + "/latest"
# On the first boot, the network and the credentials of the host's role may not be ready yet.
RETRY = ("retry = 10", "retry-delay = 3", "retry-max-time = 60", "retry-all-errors")


def curl(url, *options):
    """The answer of `url`, as bytes. Credentials are on stdin, because every user can read an argument list."""
    lines = (f'url = "{url}"', "fail", "silent", "show-error", "max-time = 120", *RETRY, *options)
    command = ("curl", "--disable", "--config", "-")
    done = subprocess.run(command, input="\n".join(lines).encode(), stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(
            f"install: cannot download '{url}': curl failed with status {done.returncode}. Nothing was changed.\n"
            "Run the install script again with: make infra, or for the local host: make demo"
        )
    return done.stdout


def host_role():
    """curl's options for a request to S3 with the role of this EC2 instance (IMDSv2)."""
    lifetime = 'header = "X-aws-ec2-metadata-token-ttl-seconds: 300"'
    token = curl(f"{METADATA}/api/token", "request = PUT", lifetime).decode()

    def metadata(name):
        return curl(f"{METADATA}/meta-data/{name}", f'header = "X-aws-ec2-metadata-token: {token}"').decode()

    role = metadata("iam/security-credentials/").split()[0]
    keys = json.loads(metadata(f"iam/security-credentials/{role}"))
    return (
        f'aws-sigv4 = "aws:amz:{metadata("placement/region")}:s3"',
        f'user = "{keys["AccessKeyId"]}:{keys["SecretAccessKey"]}"',
        f'header = "X-Amz-Security-Token: {keys["Token"]}"',
        # The hash of an empty body. S3 requires it, and curl 7.88 does not send it by itself.
        f'header = "X-Amz-Content-Sha256: {hashlib.sha256().hexdigest()}"',
    )


def isolate(root):
    """Makes this process independent of its caller, as scripts/delivery/host_cli.py does."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("DELIVERY_") or name.upper().endswith("_PROXY") or name == "TMPDIR"
    }
    os.environ.clear()
    os.environ.update(kept, PATH=":".join(str(root / directory) for directory in PATH), HOME="/root", LC_ALL="C.UTF-8")
    os.umask(0o022)
    os.chdir(root)


def install(root):
    """Unpacks the archive next to /opt/book-shop under `root`, then replaces this process by its program `install`."""
    isolate(root)
    releases = root / "opt/book-shop-releases"
    with tempfile.TemporaryDirectory() as work:
        archive = Path(work) / "archive"
        curl(URL, f'output = "{archive}"', *(() if URL.startswith("file:") else host_role()))
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        if digest != SHA256:
            sys.exit(
                f"install: '{URL}' has the SHA-256 '{digest}', expected '{SHA256}'. Nothing was changed.\n"
                "Write the archive again with: make infra, or for the local host: make demo"
            )
        releases.mkdir(parents=True, exist_ok=True)
        release = Path(tempfile.mkdtemp(dir=releases))
        release.chmod(0o755)
        # With new file times: Python compares the time and size of a source file with its compiled module.
        command = ("tar", "--extract", "--gzip", "--touch", "--no-same-owner", "--directory", release)
        subprocess.run((*command, "--file", archive), check=True)
    (release / "version").write_text(SHA256[:12] + "\n")
    sys.stdout.flush()
    of_aws = (AWS_REGION, PARAMETERS, TRANSFER)
    arguments = (REPOSITORY, ALLOWED_HOSTS, *of_aws, PUBLIC_URL_PROD, PUBLIC_URL_DEV)
    os.execv(release / "bin/install", ["install", *arguments])  # noqa: S606


if __name__ == "__main__":
    install(Path(sys.argv[1] if len(sys.argv) > 1 else "/"))  # tests use another directory
