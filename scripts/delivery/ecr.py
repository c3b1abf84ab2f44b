"""The shop's repository in ECR Public: what its API knows (boto3), in addition to what every registry does."""

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
REGION = "us-east-1"  # wherever the rest is
MOST = 100  # images that one request deletes


class EcrPublic(registry.Registry):
    """A repository at public.ecr.aws (`public.ecr.aws/<alias>/<name>`).

    Reads of tags come out of a cache there and may be old, so what must be true is asked of the API. That knows the
    caller's own repositories only: CommandError is raised when this belongs to another account.
    """

    LAG = (1, 2, 4)

    def __init__(self, repository, sleep=time.sleep):
        super().__init__(repository, self._password, sleep)
        self.name = self.repository.name.partition("/")[2]
        if not self.name:
            why = "it has to be public.ecr.aws/<alias>/<name>"
            raise references.BadReference(
                f"invalid repository '{repository}' for ECR Public", why, "set DELIVERY_REPOSITORY"
            )
        self._api = None

    def recorded_digest(self, tag):
        """As the API has it. Without credentials nothing can be written anyway: then as anybody reads it."""
        try:
            answer = self._ours("describe_images", imageIds=[{"imageTag": references.tag(tag)}])
        except aws.NoCredentials:
            return self.digest(tag)
        except aws.Refused as refused:
            if refused.code != "ImageNotFoundException":
                raise
            return None
        return answer["imageDetails"][0]["imageDigest"]

    def images(self):
        """All images, those without a tag included."""
        client, name = self._checked()
        details = client.pages("describe_images", "imageDetails", paging="nextToken", repositoryName=name)
        return [
            registry.Image(image["imageDigest"], tuple(image.get("imageTags", ())), image["imagePushedAt"].timestamp())
            for image in details
        ]

    def delete(self, images):
        """Deletes images tag by tag: one goes with its last tag, so one that has been given another since stays."""
        tags = [{"imageTag": tag} for image in images for tag in image.tags]
        for first in range(0, len(tags), MOST):
            answer = self._ours("batch_delete_image", imageIds=tags[first : first + MOST])
            left = [failure for failure in answer["failures"] if failure["failureCode"] != "ImageNotFound"]
            if left:
                why = "; ".join(f"{failure['imageId']}: {failure['failureReason']}" for failure in left)
                raise CommandError(f"{self.repository}: some images were not deleted", why, "the same again")

    @contextlib.contextmanager
    def engine(self):
        """Logs docker in, in a configuration of its own that goes with the context: no password is left on disk."""
        credential = self._password()
        if not credential:
            raise CommandError(f"can't push to {HOST}", "there are no AWS credentials", aws.LOGIN)
        # Which engine docker talks to is in the configuration too, and has to stay as it is.
        where = docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}").strip()
        with tempfile.TemporaryDirectory() as directory:
            # Docker would put a first password into the desktop's keyring, unless the configuration names a registry.
            with open(os.path.join(directory, "config.json"), "w", encoding="utf-8") as file:
                json.dump({"auths": {HOST: {}}}, file)
            environment = os.environ | {"DOCKER_CONFIG": directory, "DOCKER_HOST": where}
            user, password = credential
            docker("login", "--username", user, "--password-stdin", HOST, input=password, env=environment)
            yield environment

    def _password(self):
        """The (user, password) that the registry's token service takes, good for 12 hours; None without credentials."""
        try:
            answer = aws.Client("ecr-public", REGION, self._sleep).ask("get_authorization_token")
        except aws.NoCredentials as problem:
            log(f"reading {HOST} without a login, which is slower: {problem.what}")
            return None
        token = answer["authorizationData"]["authorizationToken"]
        return tuple(base64.b64decode(token).decode().split(":", 1))

    def _ours(self, operation, **parameters):
        client, name = self._checked()
        return client.ask(operation, repositoryName=name, **parameters)

    def _checked(self):
        """(client, name) of the API, once it is sure that it speaks of this repository."""
        if not self._api:
            client = aws.Client("ecr-public", REGION, self._sleep)
            found = uri(client, self.name)
            if found != str(self.repository):
                why = f"these credentials' own repository of that name is {found}"
                raise CommandError(
                    f"{self.repository} belongs to another account", why, "set AWS_PROFILE or DELIVERY_REPOSITORY"
                )
            self._api = client, self.name
        return self._api


def docker(*arguments, **more):
    """Runs docker and returns its stdout. Raises CommandError with docker's own words when it fails."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, **more)
    if done.returncode:
        raise CommandError(f"docker {arguments[0]} failed", done.stderr.strip(), "make doctor")
    return done.stdout


def uri(client, name):
    """The address of the account's repository of that name."""
    return client.ask("describe_repositories", repositoryNames=[name])["repositories"][0]["repositoryUri"]


def repository(sleep=time.sleep):
    """The address of the account's repository DELIVERY_NAME. Raises CommandError, aws.Refused when there is none."""
    return uri(aws.Client("ecr-public", REGION, sleep), required_variable("DELIVERY_NAME"))
