"""Runs the host's programs independently of their caller, as scripts/host/lib/environment.sh does.

cloud-init and systemd set no HOME, Systems Manager uses a directory of its own, sudo keeps variables of its caller,
and a user's settings can name another Docker engine or cluster.
"""

import os
import sys

from delivery import cli
from delivery.paths import BIN

ENVIRONMENT = {
    "HOME": "/root",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "DOCKER_CONTEXT": "default",  # this machine's engine, whatever /root/.docker has selected
    # AWS clients use the role of the EC2 instance, whatever is in /root/.aws.
    **dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "BOTO_CONFIG"), "/dev/null"),
}


def run(operation, parser=None):
    """Calls cli.run with the host's own environment variables and umask."""
    kept = {name: value for name, value in os.environ.items() if is_kept(name)}
    os.environ.clear()
    os.environ.update(kept | ENVIRONMENT)
    root = os.path.abspath(sys.argv[0]).rpartition(f"{BIN}/")[0]  # empty on a host; tests set another root
    os.environ["PATH"] = ":".join(f"{root}{directory}" for directory in ENVIRONMENT["PATH"].split(":"))
    os.umask(0o022)
    cli.run(operation, parser)


def is_kept(name):
    """Whether an environment variable of the caller may change what a program does."""
    return name.startswith("DELIVERY_") or name.upper().endswith("_PROXY") or name in ("TERM", "TMPDIR")
