"""The S3 bucket of Terraform's state.

Settings: AWS_REGION; DELIVERY_AWS_ACCOUNT, the only account allowed, if it is set; TF_VAR_name, which the name of the
bucket begins with. Credentials and endpoints as boto3 finds them. An account has one shop of a name, so the region of
the bucket is the region of the shop.
"""

import os

from delivery.cli import CommandError, log, required_variable

KEPT_DAYS = 90  # how long previous versions of the state stay


def account(sts, expected=None):
    """The number of the account that the credentials belong to. Raises CommandError unless it is the expected one."""
    number = sts.get_caller_identity()["Account"]
    if expected and number != expected:
        why = f"the credentials belong to account {number}, DELIVERY_AWS_ACCOUNT is {expected}"
        raise CommandError("wrong AWS account", why, "set AWS_PROFILE to a profile of that account")
    return number


def region_of(s3, bucket, owner):
    """The region of a bucket, None when there is none. Raises CommandError when another account owns it."""
    from botocore.exceptions import ClientError

    try:
        return s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=owner)["BucketRegion"]
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 404:
            return None
        if status == 403:
            why = f"account {owner} doesn't own it, or these credentials have no access to it"
            raise CommandError(f"no access to the state bucket {bucket}", why, "set another TF_VAR_name") from None
        raise


def settings():
    """The settings of the bucket as [(setting, argument, value)]. boto3's S3 client has a get_ and a put_ for each."""
    encryption = {
        "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]
    }
    blocked = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    old = {
        "ID": "old-states",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": KEPT_DAYS},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }
    return [
        ("public_access_block", "PublicAccessBlockConfiguration", dict.fromkeys(blocked, True)),
        ("bucket_versioning", "VersioningConfiguration", {"Status": "Enabled"}),
        ("bucket_encryption", "ServerSideEncryptionConfiguration", encryption),
        ("bucket_lifecycle_configuration", "LifecycleConfiguration", {"Rules": [old]}),
    ]


def make(s3, bucket, region, owner):
    """Creates the bucket if it does not exist, and corrects settings that differ, public access first."""
    if region_of(s3, bucket, owner) is None:
        log(f"create the state bucket {bucket}")
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **where)
    for setting, argument, value in settings():
        if not is_set(s3, bucket, owner, setting, argument, value):
            log(f"set its {setting.replace('_', ' ')}")
            getattr(s3, f"put_{setting}")(Bucket=bucket, ExpectedBucketOwner=owner, **{argument: value})


def is_set(s3, bucket, owner, setting, argument, value):
    """Whether a setting of the bucket has that value."""
    from botocore.exceptions import ClientError

    try:
        answer = getattr(s3, f"get_{setting}")(Bucket=bucket, ExpectedBucketOwner=owner)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise
    current = answer.get(argument, answer)  # some answers are nested under the argument's name
    return all(current.get(key) == expected for key, expected in value.items())


def bucket(make_it=False):
    """The name of the bucket in this region and account. With `make_it` it is created if it does not exist.

    Raises CommandError, also when it does not exist.
    """
    try:
        import boto3
        import botocore.exceptions
    except ModuleNotFoundError as error:
        raise CommandError("boto3 is not installed", error, "make setup") from None
    region = required_variable("AWS_REGION")
    try:
        owner = account(boto3.client("sts", region_name=region), os.environ.get("DELIVERY_AWS_ACCOUNT"))
        name = f"{required_variable('TF_VAR_name')}-terraform-state-{owner}"
        s3 = boto3.client("s3", region_name=region)
        current = region_of(s3, name, owner)
        if current and current != region:
            why = f"the shop's state is in {current} ({name}), AWS_REGION is {region}"
            raise CommandError("wrong AWS region", why, f"export AWS_REGION={current}")
        if make_it:
            make(s3, name, region, owner)
        elif not current:
            why = f"it was not created yet in {region}"
            raise CommandError(f"state bucket '{name}' not found", why, "make infra-bootstrap")
        return name
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise failure(botocore.exceptions, error) from None


def failure(exceptions, error):
    """The CommandError for an error of boto3: the credentials, the region or the network."""
    login = "aws configure sso, or set AWS_PROFILE"
    region = f"check AWS_REGION={os.environ['AWS_REGION']} and the network"
    kinds = (
        ("NoCredentialsError PartialCredentialsError CredentialRetrievalError", "there are no AWS credentials", login),
        ("ProfileNotFound", "AWS_PROFILE names an unknown profile", login),
        ("TokenRetrievalError UnauthorizedSSOTokenError", "the AWS login has expired", "aws sso login"),
        ("EndpointConnectionError ConnectTimeoutError InvalidRegionError", "AWS doesn't answer", region),
    )
    for names, what, remedy in kinds:
        if isinstance(error, tuple(getattr(exceptions, name) for name in names.split())):
            return CommandError(what, error, remedy)
    return CommandError("AWS rejected the request", error, "aws sts get-caller-identity")
