"""Access to a cluster that needs no kubeconfig file on this machine, as in a workflow.

DELIVERY_CLUSTER can be the ARN of an EKS cluster. EKS then names the API server, and each kubectl gets a token for
the AWS credentials of this process: a signed request for their identity, as `aws eks get-token` makes it. For a
cluster elsewhere, DELIVERY_CLUSTER_KUBECONFIG is the content of a kubeconfig file.
"""

import atexit
import base64
import datetime
import json
import os
import re
import shutil
import sys
import tempfile

from delivery import aws
from delivery.cli import CommandError

ARN = re.compile(
    r"arn:aws[a-z-]*:eks:(?P<region>[a-z0-9-]+):[0-9]{12}:cluster/(?P<name>[0-9A-Za-z][0-9A-Za-z_-]{0,99})"
)
VALID = datetime.timedelta(minutes=14)  # EKS accepts a token for 15 minutes
SPARE = datetime.timedelta(minutes=1)
DEPLOYERS = "name the role in TF_VAR_deployer_role_arns and run make infra-cluster (terraform/cluster/README.md)"
CREDENTIAL = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}


def prepare():
    """Lets kubectl reach the cluster of DELIVERY_CLUSTER, if that does not need the user's kubeconfig file.

    Writes a kubeconfig for this process, which only this user can read and which is deleted at the end. Raises
    CommandError if EKS does not name the cluster's API server.
    """
    arn = os.environ.get("DELIVERY_CLUSTER") or ""
    cluster = describe(arn) if is_eks(arn) else None
    content = os.environ.get("DELIVERY_CLUSTER_KUBECONFIG")
    if not (cluster or content):
        return
    directory = tempfile.mkdtemp(prefix="cluster-", dir=os.environ.get("RUNNER_TEMP"))  # GitHub deletes RUNNER_TEMP
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    path = os.path.join(directory, "kubeconfig")
    if cluster:
        content = json.dumps(kubeconfig(arn, cluster, os.path.join(directory, "token")))
    write(path, content)
    os.environ["KUBECONFIG"] = path


def is_eks(cluster):
    """Whether this is the ARN of an EKS cluster."""
    return bool(ARN.fullmatch(cluster))


def describe(arn):
    """EKS's description of a cluster. Raises CommandError unless it has an API server."""
    region, name = ARN.fullmatch(arn).group("region", "name")
    try:
        cluster = aws.Client("eks", region).ask("describe_cluster", name=name)["cluster"]
    except aws.Refused as refused:
        if refused.code in aws.DENIED:
            what = f"these AWS credentials may not use the EKS cluster '{name}'"
            raise CommandError(what, refused.why, DEPLOYERS) from None
        if refused.code == "ResourceNotFoundException":
            remedy = "make infra-cluster-output prints the ARN of the cluster"
            raise CommandError(f"no EKS cluster '{name}' in {region}", refused.why, remedy) from None
        raise
    if not cluster.get("endpoint"):
        why = f"it is {cluster.get('status')}"
        raise CommandError(f"the EKS cluster '{name}' has no API server yet", why, "run the command again in a minute")
    return cluster


def check_deployer(arn, role):
    """Raises CommandError unless the EKS cluster has an access entry for a role, given by its ARN."""
    region, name = ARN.fullmatch(arn).group("region", "name")
    try:
        aws.Client("eks", region).ask("describe_access_entry", clusterName=name, principalArn=role)
    except aws.Refused as refused:
        if refused.code != "ResourceNotFoundException":
            raise
        raise CommandError(f"the role '{role}' may not deploy to the cluster", refused.why, DEPLOYERS) from None


def kubeconfig(arn, cluster, cache):
    """A kubeconfig whose only context, named as the ARN, calls `token` for each kubectl."""
    server = {
        "server": cluster["endpoint"],
        "certificate-authority-data": cluster["certificateAuthority"]["data"],
    }
    plugin = {
        "apiVersion": CREDENTIAL["apiVersion"],
        "interactiveMode": "Never",
        "command": sys.executable,
        "args": ["-m", "delivery", "eks-token", arn, cache],
        "env": [{"name": "PYTHONPATH", "value": os.path.dirname(os.path.dirname(os.path.abspath(__file__)))}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": arn,
        "contexts": [{"name": arn, "context": {"cluster": arn, "user": arn}}],
        "clusters": [{"name": arn, "cluster": server}],
        "users": [{"name": arn, "user": {"exec": plugin}}],
    }


def token(arn, cache):
    """The token for a cluster, as an ExecCredential of kubectl. It is kept in the file `cache`, because boto3 is slow.

    The token is the URL of a request GetCallerIdentity, signed together with the cluster's name. EKS sends that
    request to learn who has signed it.
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    try:
        with open(cache, encoding="utf-8") as file:
            text = file.read()
        expires = json.loads(text)["status"]["expirationTimestamp"]
        if datetime.datetime.fromisoformat(expires.replace("Z", "+00:00")) > now + SPARE:
            return text
    except FileNotFoundError:
        pass
    region, name = ARN.fullmatch(arn).group("region", "name")
    expires = f"{now + VALID:%Y-%m-%dT%H:%M:%SZ}"
    status = {"expirationTimestamp": expires, "token": sign(aws.Client("sts", region), name)}
    text = json.dumps(CREDENTIAL | {"status": status})
    write(cache, text)
    return text


def sign(sts, name):
    """The token for the cluster of this name, from a Client of STS. Raises CommandError without credentials."""

    def add_name(request, **_):
        request.headers["x-k8s-aws-id"] = name

    sts.boto.meta.events.register("before-sign.sts.GetCallerIdentity", add_name)
    url = sts.presigned("get_caller_identity", seconds=60)
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def write(path, text):
    """Writes a file that only this user can read, at once: several kubectl may run at the same time."""
    new = f"{path}.{os.getpid()}"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(new, path)
