"""AWS, through boto3. Only Client imports boto3, because the import takes half a second.

boto3 finds the credentials and endpoints. The region is AWS_REGION, except for ECR Public, which has
its own. Every error raised is a CommandError: NoCredentials, NoAnswer or Refused.
"""

import time

from delivery.cli import CommandError, UsageError, required_variable

PAUSES = (0.5, 1, 2, 4, 8)  # seconds before each retry
THROTTLED = {
    "EC2ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TooManyUpdates",
}
DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
REMEDIES = {  # where the credentials are not the cause
    "InvalidDocument": "make infra",
    "InvalidParameters": "make infra",
    "NoSuchBucket": "make infra",
    "RepositoryNotFoundException": "make infra",
}
LOGIN = "aws configure sso, or set AWS_PROFILE"
NETWORK = "check AWS_REGION and the network"


class NoCredentials(CommandError):
    """boto3 finds no credentials, or the login has expired."""


class NoAnswer(CommandError):
    """No answer, or a failure of AWS itself (5xx). The request may have been carried out or not."""


class Refused(CommandError):
    """AWS refused the request; `code` is the error code of the API."""

    def __init__(self, code, what, why, remedy):
        super().__init__(what, why, remedy)
        self.code = code


class Client:
    """One service in one region.

    `boto` is boto3's client. Its own retries are off: they also repeat requests that are not idempotent,
    and give up earlier than a deploy may. For a transfer of many parts, `tries` allows retries of each part.
    """

    installs, logs_in = "make setup-deploy", LOGIN  # remedies
    identifies = "aws sts get-caller-identity shows the identity of the credentials"

    def __init__(self, service, region=None, sleep=time.sleep, tries=1):
        try:
            import boto3
            import botocore.config
            import botocore.exceptions
            import s3transfer.exceptions
        except ModuleNotFoundError as error:
            raise CommandError("boto3 is not installed", error, self.installs) from None
        self.region = region or required_variable("AWS_REGION")
        self._sleep, self._exceptions = sleep, botocore.exceptions
        self._broken_off = s3transfer.exceptions.RetriesExceededError
        config = botocore.config.Config(retries={"total_max_attempts": tries}, connect_timeout=10, read_timeout=30)
        try:
            self.boto = boto3.client(service, region_name=self.region, config=config)
        except botocore.exceptions.BotoCoreError as error:
            raise self._problem(error) from None

    def ask(self, operation, once=False, **parameters):
        """The answer to a request, which is retried a few times.

        Throttling and connections that cannot be opened are always retried: AWS has not carried out that
        request. Broken connections and 5xx are retried unless the request must be carried out only `once`.
        """
        for pause in (*PAUSES, None):
            try:
                return getattr(self.boto, operation)(**parameters)
            except self._exceptions.ClientError as error:
                throttled = error.response["Error"]["Code"] in THROTTLED or status(error) == 429
                if pause is None or not (throttled or (status(error) >= 500 and not once)):
                    raise self._problem(error) from None
            except self._exceptions.BotoCoreError as error:
                unsent = isinstance(error, self._exceptions.ConnectionError)
                broken = isinstance(error, self._exceptions.HTTPClientError)
                if pause is None or not (unsent or (broken and not once)):
                    raise self._problem(error) from None
            self._sleep(pause)

    def pages(self, operation, key, paging="NextToken", send=None, **parameters):
        """The lists under `key` in all pages of an answer, joined.

        `paging` is the name of the service's page token, `send` that of the parameter, if it has another one.
        """
        answer = self.ask(operation, **parameters)
        items = list(answer[key])
        while answer.get(paging):
            answer = self.ask(operation, **parameters, **{send or paging: answer[paging]})
            items += answer[key]
        return items

    def move(self, operation, file, **parameters):
        """Moves a file to or from S3, in parts that boto3 repeats (`tries`). The file itself is read only once."""
        try:
            getattr(self.boto, operation)(Fileobj=file, **parameters)
        except (self._exceptions.ClientError, self._exceptions.BotoCoreError) as error:
            raise self._problem(error) from None
        except self._broken_off as error:
            raise NoAnswer(f"AWS doesn't answer in {self.region}", error, NETWORK) from None

    def presigned(self, operation, seconds):
        """The URL of a GET request without parameters, signed for so many seconds. Sends nothing."""
        try:
            return self.boto.generate_presigned_url(operation, ExpiresIn=seconds, HttpMethod="GET")
        except self._exceptions.BotoCoreError as error:
            raise self._problem(error) from None

    def _problem(self, error):
        """The CommandError for an error of botocore."""
        if isinstance(error, self._exceptions.ClientError):
            code = error.response["Error"]["Code"]
            if status(error) >= 500:
                return NoAnswer(f"AWS failed in {self.region}", error, "run the command again in a minute")
            remedy = REMEDIES.get(code, self.identifies)
            return Refused(code, "AWS rejected the request", error, remedy)
        kinds = (
            (
                NoCredentials,
                "NoCredentialsError CredentialRetrievalError",
                "there are no AWS credentials",
                self.logs_in,
            ),
            (NoCredentials, "PartialCredentialsError", "the AWS credentials are incomplete", self.logs_in),
            (NoCredentials, "ProfileNotFound", "AWS_PROFILE names an unknown profile", LOGIN),
            (NoCredentials, "SSOError TokenRetrievalError LoginError", "the AWS login has expired", "aws sso login"),
            (UsageError, "InvalidRegionError", f"invalid AWS_REGION '{self.region}'", "set AWS_REGION"),
            (NoAnswer, "ConnectionError HTTPClientError", f"AWS doesn't answer in {self.region}", NETWORK),
        )
        for kind, names, what, remedy in kinds:
            if isinstance(error, tuple(getattr(self._exceptions, name) for name in names.split())):
                return kind(what, error, remedy)
        return CommandError("cannot send the request to AWS", error, "make doctor")


class HostClient(Client):
    """A client on the host, with the role of the EC2 instance."""

    installs, logs_in, identifies = "make infra", "make infra", "make infra"


def status(error):
    """The HTTP status of a ClientError."""
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
