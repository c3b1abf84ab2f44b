"""Moves stdin and stdout of a verb between the laptop and a host on AWS, through a bucket (terraform/transfer.tf).

Run Command has no stdin and returns at most 24,000 characters. The laptop puts <id>/stdin, the host's program
`attached` gets it and puts <id>/stdout, the laptop gets that and deletes both. The bucket deletes what a laptop
without a network leaves behind.
"""

import re
import secrets

from delivery import aws
from delivery.cli import CommandError, UsageError
from delivery.grammar import GRAMMAR

STREAMS = ("stdin", "stdout")
MISSING = {"404", "NoSuchKey", "NotFound"}
TRIES = 5  # of each part of an object


def bucket_name(name, account):
    """The bucket of the installation `name`, as in terraform/transfer.tf."""
    return f"{name}-transfer-{account}"


def new_id():
    """A random id for the objects of one verb."""
    return secrets.token_hex(16)


class Transfer:
    """The objects of one verb. Every method raises CommandError."""

    def __init__(self, s3, bucket, id):
        if not re.fullmatch(GRAMMAR["transfer"], id):
            raise UsageError(f"invalid transfer '{id[:40]}'", "expected 32 hexadecimal digits", "git pull")
        self._s3, self._bucket, self._id = s3, bucket, id
        # Without this, the bucket of another account could have that name.
        self._owner = {"ExpectedBucketOwner": bucket.rpartition("-")[2]}

    def put(self, stream, file):
        """Stores the content of a file, from its current position, as "stdin" or "stdout"."""
        self._s3.move("upload_fileobj", file, **self._object(stream), ExtraArgs=self._owner)

    def get(self, stream, file):
        """Writes "stdin" or "stdout" to a file. Raises Missing if it is not there."""
        try:
            self._s3.move("download_fileobj", Sequential(file), **self._object(stream), ExtraArgs=self._owner)
        except aws.Refused as refused:
            if refused.code not in MISSING:
                raise
            raise Missing(f"there is no {stream} of the verb in '{self._bucket}'", refused, "run it again") from None

    def exists(self, stream):
        """Whether "stdin" or "stdout" is there, as far as the credentials may know."""
        try:
            self._s3.ask("head_object", **self._object(stream), **self._owner)
        except aws.Refused as refused:
            if refused.code not in MISSING | {"403"}:  # without the right to list the bucket, S3 returns 403
                raise
            return False
        return True

    def delete(self):
        """Deletes both objects."""
        for stream in STREAMS:
            self._s3.ask("delete_object", **self._object(stream), **self._owner)

    def _object(self, stream):
        return {"Bucket": self._bucket, "Key": f"{self._id}/{stream}"}


class Missing(CommandError):
    """The object does not exist."""


class Sequential:
    """A file that can only be written to: the transfer then writes its parts in order and never seeks, so that the
    file may be a pipe or have content already."""

    def __init__(self, file):
        self.write = file.write
