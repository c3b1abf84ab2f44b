"""AWS on loopback: moto's server, with what it lacks added, and the fake of ECR Public.

moto knows no Systems Manager associations and takes no parameters under /aws/: both are put into it here, in this
process. The variables in `environment` point the AWS provider, Terraform's S3 backend and boto3 at it.
"""

import datetime
import logging
import os
import uuid

import fake_ecr_public

REGION, ACCOUNT = "eu-central-1", fake_ecr_public.ACCOUNT
UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"


class Aws:
    def __init__(self, region=REGION):
        os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"  # read when moto is imported
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # one line for each request
        self.region = region
        self.associations = {}  # association id: its description, as the API gives it
        self.know_associations()
        self.ecr_public = fake_ecr_public.EcrPublic()
        self.moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.moto.start()
        host, port = self.moto.get_host_and_port()
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ENDPOINT_URL_ECR_PUBLIC": self.ecr_public.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "2",
            # bucket.127.0.0.1 is no host name
            "TF_CLI_ARGS_init": "-backend-config=use_path_style=true",
        }
        self.set_image("ami-785db401")  # one that moto knows

    def client(self, service, **more):
        import boto3

        url = self.ecr_public.url if service == "ecr-public" else self.environment["AWS_ENDPOINT_URL"]
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, endpoint_url=url, region_name=self.region, **keys, **more)

    def set_image(self, image):
        """Canonical publishes a machine image."""
        from moto.ssm.models import Parameter, ssm_backends

        versions = ssm_backends[ACCOUNT][self.region]._parameters[UBUNTU]
        now = datetime.datetime.now(datetime.timezone.utc)
        rest = dict.fromkeys(("description", "allowed_pattern", "keyid"))
        versions.append(
            Parameter(
                account_id=ACCOUNT,
                name=UBUNTU,
                value=image,
                parameter_type="String",
                last_modified_date=now,
                version=len(versions) + 1,
                data_type="aws:ec2:image",
                **rest,
            )
        )

    def know_associations(self):
        """Adds the association calls that the AWS provider makes; an association has always succeeded."""
        from moto.core.responses import ActionResult
        from moto.ssm.responses import SimpleSystemManagerResponse as Response

        known = self.associations
        fields = ("Name", "AssociationName", "DocumentVersion", "Targets", "Parameters", "Tags")
        tags_of_others = Response.list_tags_for_resource

        def asked(response):
            given = {field: response._get_param(field) for field in fields}
            return {field: value for field, value in given.items() if value is not None}

        def answer(association):
            return ActionResult({"AssociationDescription": association})

        def create_association(response):
            made = {"AssociationId": str(uuid.uuid4()), "AssociationVersion": "1", "Overview": {"Status": "Success"}}
            known[made["AssociationId"]] = made | asked(response)
            return answer(known[made["AssociationId"]])

        def describe_association(response):
            return answer(known[response._get_param("AssociationId")])

        def update_association(response):
            association = known[response._get_param("AssociationId")]
            association |= asked(response) | {"AssociationVersion": str(int(association["AssociationVersion"]) + 1)}
            return answer(association)

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
