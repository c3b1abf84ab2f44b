"""The shop's repository in ECR Public, through the registry protocol and the API of ECR Public (boto3)."""

import base64
import contextlib
import json
import os
import subprocess
import tempfile
import time

from delivery import aws, references, registry
from delivery.cli import CommandError, log, required_variable

HOST = "public.ecr.aws"
REGION = "us-east-1"  # of the API, whatever AWS_REGION is
MOST = 100  # images per request to delete


class EcrPublic(registry.Registry):
    """A repository at public.ecr.aws (`public.ecr.aws/<alias>/<name>`).

    The registry reads tags from a cache that may be stale, so decisions to write are based on the API. The API covers
    only the caller's repositories: it raises CommandError if this one belongs to another account.
    """

    LAG = (1, 2, 4)

    def __init__(self, repository, sleep=time.sleep):
        super().__init__(repository, self._password, sleep)
        self.name = self.repository.name.partition("/")[2]
        if not self.name:
            why = "expected public.ecr.aws/<alias>/<name>"
            raise references.BadReference(
                f"invalid repository '{repository}' for ECR Public", why, "set DELIVERY_REPOSITORY"
            )
        self._api = None

    def recorded_digest(self, tag):
        """The digest from the API. Without credentials nothing can be written, so the cached digest is sufficient."""
        try:
            answer = self._request("describe_images", imageIds=[{"imageTag": references.tag(tag)}])
        except aws.NoCredentials:
            return self.digest(tag)
        except aws.Refused as refused:
            if refused.code != "ImageNotFoundException":
                raise
            return None
        return answer["imageDetails"][0]["imageDigest"]

    def images(self):
        """All images, including untagged ones."""
        client, name = self._checked()
        details = client.pages("describe_images", "imageDetails", paging="nextToken", repositoryName=name)
        return [
            registry.Image(image["imageDigest"], tuple(image.get("imageTags", ())), image["imagePushedAt"].timestamp())
            for image in details
        ]

    def delete(self, images):
        """Deletes the listed tags of images. An image is deleted with its last tag, so one with a newer tag stays."""
        tags = [{"imageTag": tag} for image in images for tag in image.tags]
        for first in range(0, len(tags), MOST):
            answer = self._request("batch_delete_image", imageIds=tags[first : first + MOST])
            failures = [failure for failure in answer["failures"] if failure["failureCode"] != "ImageNotFound"]
            if failures:
                why = "; ".join(f"{failure['imageId']}: {failure['failureReason']}" for failure in failures)
                raise CommandError(f"{self.repository}: some images were not deleted", why, "run the command again")

    @contextlib.contextmanager
    def engine(self):
        """Logs docker in with a temporary configuration, so that no password stays on disk."""
        credential = self._password()
        if not credential:
            raise CommandError(f"can't push to {HOST}", "there are no AWS credentials", aws.LOGIN)
        # The configuration also selects the engine, so DOCKER_HOST keeps the current one.
        endpoint = docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}").strip()
        with tempfile.TemporaryDirectory() as directory:
            # Without this entry, Docker would store the password in the desktop's keyring.
            with open(os.path.join(directory, "config.json"), "w", encoding="utf-8") as file:
                json.dump({"auths": {HOST: {}}}, file)
            environment = os.environ | {"DOCKER_CONFIG": directory, "DOCKER_HOST": endpoint}
            user, password = credential
            docker("login", "--username", user, "--password-stdin", HOST, input=password, env=environment)
            yield environment

    def _password(self):
        """The (user, password) for the registry's token service, valid for 12 hours; None without credentials."""
        try:
            answer = aws.Client("ecr-public", REGION, self._sleep).ask("get_authorization_token")
        except aws.NoCredentials as problem:
            log(f"reading {HOST} without a login, which is slower: {problem.what}")
            return None
        token = answer["authorizationData"]["authorizationToken"]
        return tuple(base64.b64decode(token).decode().split(":", 1))

    def _request(self, operation, **parameters):
        client, name = self._checked()
        return client.ask(operation, repositoryName=name, **parameters)

    def _checked(self):
        """(client, name) of the API, after a check that the repository belongs to this account."""
        if not self._api:
            client = aws.Client("ecr-public", REGION, self._sleep)
            address = uri(client, self.name)
            if address != str(self.repository):
                why = f"in the account of these credentials, that repository is {address}"
                raise CommandError(
                    f"{self.repository} belongs to another account", why, "set AWS_PROFILE or DELIVERY_REPOSITORY"
                )
            self._api = client, self.name
        return self._api


def docker(*arguments, **options):
    """Runs docker and returns its stdout. Raises CommandError with docker's message if it fails."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, **options)
    if done.returncode:
        raise CommandError(f"docker {arguments[0]} failed", done.stderr.strip(), "make doctor")
    return done.stdout


def uri(client, name):
    """The address of the account's repository of that name."""
    return client.ask("describe_repositories", repositoryNames=[name])["repositories"][0]["repositoryUri"]


def repository(sleep=time.sleep):
    """The address of the account's repository DELIVERY_NAME. Raises CommandError; aws.Refused if there is none."""
    return uri(aws.Client("ecr-public", REGION, sleep), required_variable("DELIVERY_NAME"))
