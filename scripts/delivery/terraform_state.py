"""The S3 bucket of Terraform's state.

Settings: AWS_REGION; DELIVERY_AWS_ACCOUNT, the only account allowed, if it is set; TF_VAR_name, which the name of the
bucket begins with. Credentials and endpoints as boto3 finds them. An account has one shop of a name, so the region of
the bucket is the region of the shop.
"""

import contextlib
import json
import os
import shutil
from pathlib import Path

from delivery.cli import CommandError, log, required_variable

KEPT_DAYS = 90  # how long previous versions of the state stay
ENCRYPTIONS = {"AES256", "aws:kms", "aws:kms:dsse"}
BACKEND = ".terraform/terraform.tfstate"  # in a Terraform root: the settings of its backend, after terraform init


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
    """The settings of the bucket as [(setting, argument, value, is_met)].

    boto3's S3 client has a get_ and a put_ for each. `is_met` decides by what the state needs whether an answer of S3
    is right: S3 adds fields (BlockedEncryptionTypes in 2026), and an owner may add rules or choose another encryption.
    """
    blocked = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    closed, versioned = dict.fromkeys(blocked, True), {"Status": "Enabled"}
    encryption = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    old = {
        "ID": "old-states",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": KEPT_DAYS},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }
    return [
        ("public_access_block", "PublicAccessBlockConfiguration", closed, has(closed)),
        ("bucket_versioning", "VersioningConfiguration", versioned, has(versioned)),
        ("bucket_encryption", "ServerSideEncryptionConfiguration", encryption, is_encrypted),
        ("bucket_lifecycle_configuration", "LifecycleConfiguration", {"Rules": [old]}, keeps_old_states),
    ]


def has(required):
    """Whether an answer has these values; it may have others as well."""
    return lambda answer: all(answer.get(key) == value for key, value in required.items())


def is_encrypted(answer):
    """Whether S3 encrypts every object by default, with its own key or another one."""
    defaults = [rule.get("ApplyServerSideEncryptionByDefault", {}) for rule in answer.get("Rules", [])]
    return any(default.get("SSEAlgorithm") in ENCRYPTIONS for default in defaults)


def keeps_old_states(answer):
    """Whether the rules for all objects delete previous versions after KEPT_DAYS, and no current version."""
    rules = [rule for rule in answer.get("Rules", []) if rule.get("Status") == "Enabled" and is_for_all(rule)]
    old = [rule["NoncurrentVersionExpiration"] for rule in rules if "NoncurrentVersionExpiration" in rule]
    days = [expiration.get("NoncurrentDays", 0) for expiration in old]
    expirations = [rule.get("Expiration", {}) for rule in rules]
    return days != [] and min(days) == KEPT_DAYS and not any({"Days", "Date"} & set(found) for found in expirations)


def is_for_all(rule):
    """Whether a lifecycle rule has no condition. S3 may leave out an empty filter or prefix."""
    return not any((rule.get("Filter") or {}).values()) and not rule.get("Prefix")


def make(s3, bucket, region, owner):
    """Creates the bucket if it does not exist, and corrects settings that differ, public access first."""
    if region_of(s3, bucket, owner) is None:
        log(f"create the state bucket {bucket}")
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **where)
    for setting, argument, value in wrong(s3, bucket, owner):
        log(f"set its {setting.replace('_', ' ')}")
        getattr(s3, f"put_{setting}")(Bucket=bucket, ExpectedBucketOwner=owner, **{argument: value})


def wrong(s3, bucket, owner):
    """The settings of the bucket that are not what the state needs, as [(setting, argument, value)]."""
    for setting, argument, value, is_met in settings():
        if not is_met(current(s3, bucket, owner, setting, argument)):
            yield setting, argument, value


def current(s3, bucket, owner, setting, argument):
    """A setting of the bucket as S3 gives it, {} if it has none."""
    from botocore.exceptions import ClientError

    try:
        answer = getattr(s3, f"get_{setting}")(Bucket=bucket, ExpectedBucketOwner=owner)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return {}
        raise
    return answer.get(argument, answer)  # some answers are nested under the argument's name


def bucket(make_it=False):
    """The name of the bucket in this region and account. With `make_it` it is created if it does not exist.

    Raises CommandError, also when it does not exist.
    """
    region = required_variable("AWS_REGION")
    with client("s3") as s3, client("sts") as sts:
        owner = account(sts, os.environ.get("DELIVERY_AWS_ACCOUNT"))
        name = f"{required_variable('TF_VAR_name')}-terraform-state-{owner}"
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


def wrong_settings(name):
    """The names of the settings of the bucket that are not what the state needs. Raises CommandError."""
    with client("s3") as s3:
        return [setting for setting, *_ in wrong(s3, name, owner=name.rpartition("-")[2])]


@contextlib.contextmanager
def client(service):
    """boto3's client of a service. Its errors inside become a CommandError."""
    try:
        import boto3
        import botocore.exceptions
    except ModuleNotFoundError as error:
        raise CommandError("boto3 is not installed", error, "make setup-deploy") from None
    try:
        yield boto3.client(service, region_name=required_variable("AWS_REGION"))
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise failure(botocore.exceptions, error) from None


def check_lock(root, result=""):
    """Raises CommandError if the state of an initialized Terraform root is locked. Names the owner of the lock.

    `result` ends the first line of the error, for example ": nothing was changed".
    The lock is an object next to the state (use_lockfile). Terraform leaves it behind if it is killed.
    """
    backend = json.loads(Path(root, BACKEND).read_text(encoding="utf-8"))["backend"]["config"]
    name, key = backend["bucket"], f"{backend['key']}.tflock"
    with client("s3") as s3:
        try:
            text = s3.get_object(Bucket=name, Key=key)["Body"].read().decode(errors="replace")
        except s3.exceptions.NoSuchKey:
            return
    raise CommandError(f"the state of {root} is locked{result}", *owner_of(text, root, f"{name}/{key}"))


def owner_of(text, root, path):
    """(why, remedy) for the text of a lock object, which Terraform writes as JSON."""
    if_ended = "wait for that run; if it has ended without removing the lock:"
    try:
        lock = json.loads(text)
        why = f"{lock['Who']} holds the lock {lock['ID']} since {lock['Created']}, for {lock['Operation']}"
        remedy = f"{if_ended} {terraform()} -chdir={root} force-unlock {lock['ID']}"
    except (ValueError, KeyError, TypeError):
        why = f"s3://{path} is not a lock that Terraform can read: {text[:100]!r}"
        remedy = f"{if_ended} aws s3 rm s3://{path}"
    return why, remedy


def terraform():
    """The program terraform for a printed command. make setup-infra installs it where only the Makefile finds it."""
    own = ".venv/bin/terraform"
    return own if shutil.which("terraform") == os.path.abspath(own) else "terraform"


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
