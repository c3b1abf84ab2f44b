"""Runs a verb on a host on AWS with the stdin that the laptop has put into the bucket for transfers."""

import subprocess
import tempfile

from delivery import aws
from delivery.cli import AlreadyReported, CommandError, UsageError, log
from delivery.paths import Paths
from delivery.targets.base import verbs
from delivery.transfer import TRIES, Transfer


def run(transfer, verb, arguments):
    """Runs the verb, whose stdin is the object <transfer>/stdin, and puts its stdout into <transfer>/stdout.

    Both are meanwhile in files without a name, which no other user can open. Raises AlreadyReported with the exit
    status of the verb, UsageError for a verb that is not attached, CommandError if the bucket cannot be used.
    """
    if not verbs().get(verb, {}).get("attached"):
        raise UsageError(f"invalid verb '{verb}'", "it has neither stdin nor data on stdout", "git pull")
    paths = Paths()
    values = paths.host()
    if "TRANSFER" not in values:
        raise CommandError("this host has no bucket for transfers", "host.env names none", "make infra")
    objects = Transfer(aws.HostClient("s3", values["AWS_REGION"], tries=TRIES), values["TRANSFER"], transfer)
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout:
        objects.get("stdin", stdin)
        stdin.seek(0)
        done = subprocess.run([paths.files / "bin" / verb, *arguments], stdin=stdin, stdout=stdout)
        stdout.seek(0)
        if objects.exists("stdin"):
            objects.put("stdout", stdout)
        else:
            log("the laptop no longer waits for the output")
    if done.returncode:
        raise AlreadyReported(done.returncode)
