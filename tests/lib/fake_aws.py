"""AWS on loopback: moto's server, with the parts that it lacks, and the fake of ECR Public.

moto knows no Systems Manager associations and takes no parameters under /aws/: both are added to it here, in this
process. The variables in `environment` point the AWS provider, Terraform's S3 backend and boto3 at it.
"""

import datetime
import logging
import os
import uuid

import fake_ecr_public

REGION, ACCOUNT = "eu-central-1", fake_ecr_public.ACCOUNT
UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
NO_FILES = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}


def use_test_credentials(monkeypatch, **settings):
    """Gives boto3 the test's credentials and these settings, and none of the user's."""
    import boto3

    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the credentials of its first use
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in (KEYS | NO_FILES | settings).items():
        monkeypatch.setenv(name, value)


class Aws:
    def __init__(self):
        os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"  # read when moto is imported
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # one line for each request
        self.associations = {}  # association id: its description, as the API gives it
        self.add_associations()
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

    def add_associations(self):
        """Adds the association calls that the AWS provider makes. Every association reports success."""
        from moto.core.responses import ActionResult
        from moto.ssm.responses import SimpleSystemManagerResponse as Response

        known = self.associations
        fields = ("Name", "AssociationName", "DocumentVersion", "Targets", "Parameters", "Tags")
        tags_of_others = Response.list_tags_for_resource

        def store(response, identity, version):
            given = {field: value for field in fields if (value := response._get_param(field)) is not None}
            fixed = {"AssociationId": identity, "Overview": {"Status": "Success"}, "AssociationVersion": str(version)}
            known.setdefault(identity, {}).update(given | fixed)
            return ActionResult({"AssociationDescription": known[identity]})

        def create_association(response):
            return store(response, str(uuid.uuid4()), 1)

        def describe_association(response):
            return ActionResult({"AssociationDescription": known[response._get_param("AssociationId")]})

        def update_association(response):
            identity = response._get_param("AssociationId")
            return store(response, identity, int(known[identity]["AssociationVersion"]) + 1)

        def delete_association(response):
            del known[response._get_param("AssociationId")]
            return ActionResult({})

        def list_tags_for_resource(response):
            if response._get_param("ResourceType") != "Association":
                return tags_of_others(response)
            return ActionResult({"TagList": known[response._get_param("ResourceId")].get("Tags", [])})

        associations = (create_association, describe_association, update_association, delete_association)
        for action in (*associations, list_tags_for_resource):
            setattr(Response, action.__name__, action)

    def close(self):
        self.moto.stop()
        self.ecr_public.close()
