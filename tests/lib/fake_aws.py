"""AWS on loopback: moto's server, with the parts that it lacks, and the fake of ECR Public.

moto knows no Systems Manager associations (fake_associations.py adds them) and takes no parameters under /aws/ (added
here, in this process). The variables in `environment` point the AWS provider, Terraform's S3 backend and boto3 at it.
"""

import datetime
import functools
import json
import logging
import os
import urllib.request

import fake_associations
import fake_ecr_public
from botocore.loaders import JSONFileLoader
from delivery.assumptions import UBUNTU

REGION, ACCOUNT = "eu-central-1", fake_ecr_public.ACCOUNT
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
NO_FILES = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}

# botocore reads its descriptions of the services again for each session, and each test has a session of its own.
read_file = functools.cache(JSONFileLoader().load_file)
JSONFileLoader.load_file = lambda loader, path: read_file(path)


def use_test_credentials(monkeypatch, **settings):
    """Gives boto3 the test's credentials and these settings, and none of the user's."""
    import boto3

    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the credentials of its first use
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in (KEYS | NO_FILES | settings).items():
        monkeypatch.setenv(name, value)


def load_attached_policies():
    """Lets moto load the managed policies that terraform/ attaches. Loading all of them would slow each test that uses
    IAM."""
    from moto.iam import models

    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    wanted = ("AmazonSSMManagedInstanceCore", "AmazonEKS", "AmazonEC2ContainerRegistryPullOnly")
    policies = json.loads(models.aws_managed_policies_data)
    kept = {name: policy for name, policy in policies.items() if name.startswith(wanted)}
    models.aws_managed_policies_data = json.dumps(kept)


def add_blocked_encryption_types():
    """Gives moto's answer about a bucket's encryption the field that S3 has added in 2026."""
    from moto.s3.responses import S3Response

    if hasattr(S3Response, "without_blocked_types"):
        return
    S3Response.without_blocked_types = S3Response.get_bucket_encryption
    field = "<BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes></Rule>"

    def get_bucket_encryption(response):
        status, headers, text = response.without_blocked_types()
        return status, headers, text.replace("</Rule>", field)

    S3Response.get_bucket_encryption = get_bucket_encryption


def answer_like_cloudfront():
    """Removes the fields from moto's answers about a distribution that CloudFront does not send: those of cache
    policies' predecessor, and those of a certificate that the distribution does not use."""
    from moto.cloudfront import models

    class DefaultCacheBehaviour(models.DefaultCacheBehaviour):
        def __init__(self, config):
            super().__init__(config)
            if self.cache_policy_id:
                self.forwarded_values = None

    class CacheBehaviour(models.CacheBehaviour):
        def __init__(self, config):
            super().__init__(config)
            if self.cache_policy_id:
                self.forwarded_values = None

    class ViewerCertificate(models.ViewerCertificate):
        def __init__(self, config):
            super().__init__(config)
            self.cloud_front_default_certificate = not self.acm_certificate_arn
            if not self.acm_certificate_arn:
                self.acm_certificate_arn = self.iam_certificate_id = None

    models.DefaultCacheBehaviour, models.CacheBehaviour = DefaultCacheBehaviour, CacheBehaviour
    models.ViewerCertificate = ViewerCertificate


class Aws:
    def __init__(self):
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # one line for each request
        self.associations = fake_associations.Associations()
        self.associations.add_to_moto()
        load_attached_policies()
        add_blocked_encryption_types()
        answer_like_cloudfront()
        self.ecr_public = fake_ecr_public.EcrPublic()
        self.moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.moto.start()
        host, port = self.moto.get_host_and_port()
        self.environment = KEYS | {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ENDPOINT_URL_ECR_PUBLIC": self.ecr_public.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_MAX_ATTEMPTS": "2",
            "TF_CLI_ARGS_init": "-backend-config=use_path_style=true",  # bucket.127.0.0.1 does not resolve
        }
        self.set_image("ami-785db401")  # one that moto knows

    def client(self, service):
        import boto3

        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, endpoint_url=self.environment["AWS_ENDPOINT_URL"], region_name=REGION, **keys)

    def set_image(self, image):
        """Canonical publishes a machine image."""
        from moto.ssm.models import Parameter, ssm_backends

        versions = ssm_backends[ACCOUNT][REGION]._parameters[UBUNTU]
        names = {"account_id": ACCOUNT, "name": UBUNTU, "value": image, "version": len(versions) + 1}
        kind = {"parameter_type": "String", "data_type": "aws:ec2:image"}
        now = datetime.datetime.now(datetime.timezone.utc)
        rest = dict.fromkeys(("description", "allowed_pattern", "keyid"))
        versions.append(Parameter(last_modified_date=now, **names, **kind, **rest))

    def close(self):
        """Stops AWS and forgets everything: moto keeps its state in this process."""
        reset = urllib.request.Request(self.environment["AWS_ENDPOINT_URL"] + "/moto-api/reset", method="POST")
        urllib.request.urlopen(reset).close()
        self.moto.stop()
        self.ecr_public.close()
