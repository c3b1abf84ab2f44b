"""What would stop a Terraform plan in the middle, after it has deleted other resources, or stop the shop."""

import json

from delivery import aws, terraform_state
from delivery.application import NAME
from delivery.cli import CommandError, required_variable

PROTECTIONS = ("deletion_protection", "disable_api_termination")  # attributes of databases, clusters and instances
NOT_FOUND = {"DBSnapshotNotFound", "DBSnapshotNotFoundFault"}
DATABASE, CLUSTER, NETWORK = "aws_db_instance", "aws_eks_cluster", "aws_vpc"
PROXY = 'terraform_data.proxy_secret["{}"]'  # terraform/edge.tf


def check(text):
    """The names of the last snapshots that a plan makes of databases, one per line; `text` is the plan as JSON.

    Raises CommandError if the plan deletes a resource that AWS protects, a network that has load balancers, or a
    database whose last snapshot cannot be made: under no name, or under an existing one. Also if it replaces the
    secret that CloudFront sends.
    """
    plan = json.loads(text)
    deleted = [
        (resource, resource["change"]["before"], "create" in resource["change"]["actions"])
        for resource in plan.get("resource_changes", [])
        if "delete" in resource["change"]["actions"]
    ]
    check_secret(plan, {resource["address"] for resource, _, replaced in deleted if replaced})
    for resource, before, replaced in deleted:
        if any(before.get(attribute) for attribute in PROTECTIONS):
            why = f"the plan {'replaces' if replaced else 'deletes'} it. Nothing was changed"
            what = f"{resource['address']} is protected against deletion"
            raise CommandError(what, why, unprotect(resource["type"], before, replaced))
    clusters = [before for resource, before, _ in deleted if resource["type"] == CLUSTER]
    for resource, before, _ in deleted:
        if resource["type"] == NETWORK:
            check_load_balancers(resource["address"], before.get("id"), clusters)
    return "\n".join(
        last_snapshot(resource["address"], before)
        for resource, before, _ in deleted
        if resource["type"] == DATABASE and not before.get("skip_final_snapshot")
    )


def check_secret(plan, replaced):
    """Raises CommandError if the secret that CloudFront sends after the plan is among the replaced addresses.

    The host would not know it until its installation, so for minutes the shop would redirect each request to itself.
    """
    used = plan.get("variables", {}).get("proxy_secret_in_use", {}).get("value")
    address = PROXY.format(used)
    if address in replaced:
        other = {"a": "b", "b": "a"}[used]
        why = "the host does not know the new one yet, so the shop would not answer for minutes. Nothing was changed"
        untaint = f"{terraform_state.terraform()} -chdir=terraform untaint '{address}'"
        remedy = f"to send the other one: export TF_VAR_proxy_secret_in_use={other} && make infra; or {untaint}"
        raise CommandError(f"cannot replace {address}, which CloudFront sends", why, remedy)


def unprotect(kind, before, replaced):
    """The command that lifts the protection of a resource. A destroy can use Terraform, a replacement cannot."""
    if kind == DATABASE and not replaced:
        return "TF_VAR_database_deletion_protection=false make infra-cluster, then run this again"
    name = before.get("identifier") or before.get("name") or before.get("id")
    commands = {
        DATABASE: f"aws rds modify-db-instance --no-deletion-protection --apply-immediately \
--db-instance-identifier {name}",
        CLUSTER: f"aws eks update-cluster-config --no-deletion-protection --name {name}",
        "aws_instance": f"aws ec2 modify-instance-attribute --no-disable-api-termination --instance-id \
{before.get('id')}",
    }
    if kind not in commands:
        return f"lift the protection of {name} in AWS, then run this again"
    return f"{commands[kind]} --region {required_variable('AWS_REGION')}, then run this again"


def check_load_balancers(address, network, clusters):
    """Raises CommandError if a network has load balancers.

    Terraform does not know those that a cluster has made for its Ingresses. They would remain, with their costs, and
    AWS would refuse to delete the network after the cluster was deleted.
    """
    elb = aws.Client("elbv2")
    pages = {"paging": "NextMarker", "send": "Marker"}
    balancers = elb.pages("describe_load_balancers", "LoadBalancers", **pages)
    arns = [balancer["LoadBalancerArn"] for balancer in balancers if balancer.get("VpcId") == network]
    if not arns:
        return
    at = f"--region {elb.region}"
    remedy = " && ".join(f"aws elbv2 delete-load-balancer --load-balancer-arn {arn} {at}" for arn in arns)
    if clusters:
        name, arn = clusters[0]["name"], clusters[0]["arn"]
        remedy = f"aws eks update-kubeconfig --name {name} {at}"
        remedy += f" && kubectl --context {arn} --namespace {NAME} delete ingress --all"
    why = f"it has the load balancer {', '.join(arns)}. Nothing was changed"
    raise CommandError(f"cannot delete {address}", why, f"{remedy}, then run this again")


def last_snapshot(address, database):
    """The name of the last snapshot of a database. Raises CommandError if RDS would refuse it."""
    name = database.get("final_snapshot_identifier")
    if not name:
        why = "the database has no name for its last snapshot yet. Nothing was changed"
        raise CommandError(f"cannot delete {address}", why, "make infra-cluster, then run this again")
    rds = aws.Client("rds")
    try:
        rds.ask("describe_db_snapshots", DBSnapshotIdentifier=name)
    except aws.Refused as refused:
        if refused.code not in NOT_FOUND:
            raise
        return name
    why = f"its last snapshot would be '{name}', which exists already. Nothing was changed"
    remedy = f"copy that snapshot under another name, then: aws rds delete-db-snapshot --db-snapshot-identifier {name}"
    raise CommandError(f"cannot delete {address}", why, f"{remedy} --region {rds.region}")
