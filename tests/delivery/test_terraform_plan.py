"""What scripts/infra refuses in a plan before the first change, with RDS on loopback."""

import json

import fake_aws
import pytest
from delivery import terraform_plan
from delivery.cli import CommandError

DATABASE = {"identifier": "book-shop", "deletion_protection": False, "skip_final_snapshot": False}
PROTECTED = DATABASE | {"deletion_protection": True, "final_snapshot_identifier": "book-shop-last-1"}
INSTANCE = {"id": "i-0123456789abcdef0", "disable_api_termination": True}
AT = "--region eu-central-1"
LIFT = (
    f"aws rds modify-db-instance --no-deletion-protection --apply-immediately --db-instance-identifier book-shop {AT}"
)
STOP = f"aws ec2 modify-instance-attribute --no-disable-api-termination --instance-id i-0123456789abcdef0 {AT}"


@pytest.fixture
def rds(cloud, monkeypatch):
    fake_aws.use_test_credentials(monkeypatch, **cloud.environment)
    return cloud.client("rds")


def plan(*changes):
    """The plan of changes, each (type, actions, before)."""
    resources = [
        {"address": f"{kind}.main", "type": kind, "change": {"actions": actions, "before": before, "after": None}}
        for kind, actions, before in changes
    ]
    return json.dumps({"format_version": "1.2", "resource_changes": resources})


@pytest.mark.parametrize(
    ("kind", "actions", "before", "remedy"),
    [
        ("aws_db_instance", ["delete"], PROTECTED, "TF_VAR_database_deletion_protection=false make infra-cluster"),
        ("aws_db_instance", ["delete", "create"], PROTECTED, LIFT),
        ("aws_db_instance", ["create", "delete"], PROTECTED, LIFT),
        ("aws_instance", ["delete"], INSTANCE, STOP),
        (
            "aws_eks_cluster",
            ["delete"],
            {"name": "shop", "deletion_protection": True},
            "--name shop --region eu-central-1",
        ),
        ("aws_lb", ["delete"], {"name": "lb", "deletion_protection": True}, "lift the protection of lb in AWS"),
    ],
)
def test_refuses_to_delete_what_is_protected(rds, kind, actions, before, remedy):
    others = [("aws_vpc", ["delete"], {"id": "vpc-1"}), ("terraform_data", ["create"], None)]
    with pytest.raises(CommandError, match=f"^{kind}.main is protected against deletion\n") as raised:
        terraform_plan.check(plan(*others, (kind, actions, before)))
    assert remedy in raised.value.remedy
    assert raised.value.why.endswith("Nothing was changed")


@pytest.mark.parametrize("actions", [["no-op"], ["update"], ["read"]])
def test_allows_changes_of_what_is_protected(rds, actions):
    assert terraform_plan.check(plan(("aws_db_instance", actions, PROTECTED))) == ""
    assert terraform_plan.check(json.dumps({"format_version": "1.2"})) == ""


@pytest.fixture
def network(cloud, rds):
    """A network with a load balancer, which a cluster has made; returns the network's id and the balancer's ARN."""
    ec2, elb = cloud.client("ec2"), cloud.client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.30.0.0/16")["Vpc"]["VpcId"]
    zones = {"eu-central-1a": "10.30.0.0/24", "eu-central-1b": "10.30.1.0/24"}
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for zone, cidr in zones.items()
    ]
    arn = elb.create_load_balancer(Name="k8s-book-shop", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    yield vpc, arn
    elb.delete_load_balancer(LoadBalancerArn=arn)


EKS = "arn:aws:eks:eu-central-1:123456789012:cluster/shop"


@pytest.mark.parametrize("with_cluster", [True, False])
def test_refuses_to_delete_a_network_with_a_load_balancer(network, with_cluster):
    vpc, arn = network
    changes = [("aws_vpc", ["delete"], {"id": vpc})]
    command = f"aws elbv2 delete-load-balancer --load-balancer-arn {arn} --region eu-central-1"
    if with_cluster:
        changes.append(("aws_eks_cluster", ["delete"], {"name": "shop", "arn": EKS}))
        command = "aws eks update-kubeconfig --name shop --region eu-central-1"
        command += f" && kubectl --context {EKS} --namespace book-shop delete ingress --all"
    with pytest.raises(CommandError, match=f"cannot delete aws_vpc.main\n(?s:.*){arn}") as raised:
        terraform_plan.check(plan(*changes))
    assert raised.value.remedy == f"{command}, then run this again"


def test_finds_a_load_balancer_on_a_later_page(cloud, network, monkeypatch):
    subnets = [subnet["SubnetId"] for subnet in cloud.client("ec2").describe_subnets()["Subnets"]]
    elb = cloud.client("elbv2")
    other = elb.create_load_balancer(Name="another", Subnets=subnets[:1])["LoadBalancers"][0]["LoadBalancerArn"]
    pages = terraform_plan.aws.Client.pages
    monkeypatch.setattr(terraform_plan.aws.Client, "pages", lambda *a, **named: pages(*a, **named, PageSize=1))
    for vpc in {balancer["VpcId"] for balancer in elb.describe_load_balancers()["LoadBalancers"]}:
        with pytest.raises(CommandError, match="it has the load balancer"):
            terraform_plan.check(plan(("aws_vpc", ["delete"], {"id": vpc})))
    elb.delete_load_balancer(LoadBalancerArn=other)


def test_deletes_a_network_whatever_load_balancers_others_have(network):
    assert terraform_plan.check(plan(("aws_vpc", ["delete"], {"id": "vpc-0"}))) == ""
    assert terraform_plan.check(plan(("aws_vpc", ["update"], {"id": network[0]}))) == ""


def test_gives_the_name_of_the_last_snapshot(rds):
    database = DATABASE | {"final_snapshot_identifier": "book-shop-last-1"}
    skipped = DATABASE | {"skip_final_snapshot": True}
    text = plan(("aws_db_instance", ["delete"], database), ("aws_db_instance", ["delete"], skipped))
    assert terraform_plan.check(text) == "book-shop-last-1"


def test_refuses_a_last_snapshot_under_an_existing_name(rds):
    size = {"DBInstanceClass": "db.t4g.micro", "AllocatedStorage": 20, "Engine": "postgres"}
    login = {"MasterUsername": "postgres", "MasterUserPassword": "a-password"}
    rds.create_db_instance(DBInstanceIdentifier="book-shop", **size, **login)
    rds.create_db_snapshot(DBInstanceIdentifier="book-shop", DBSnapshotIdentifier="book-shop-last")
    database = DATABASE | {"final_snapshot_identifier": "book-shop-last"}
    with pytest.raises(CommandError, match="its last snapshot would be 'book-shop-last', which exists") as raised:
        terraform_plan.check(plan(("aws_db_instance", ["delete"], database)))
    delete = "aws rds delete-db-snapshot --db-snapshot-identifier book-shop-last --region eu-central-1"
    assert raised.value.remedy.endswith(delete)


@pytest.mark.parametrize("name", [{}, {"final_snapshot_identifier": None}, {"final_snapshot_identifier": ""}])
def test_refuses_a_last_snapshot_without_a_name(rds, name):
    with pytest.raises(CommandError, match="no name for its last snapshot"):
        terraform_plan.check(plan(("aws_db_instance", ["delete"], DATABASE | name)))


def test_fails_if_rds_refuses_the_question(rds, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "")
    database = DATABASE | {"final_snapshot_identifier": "book-shop-last-1"}
    with pytest.raises(CommandError, match="credentials"):
        terraform_plan.check(plan(("aws_db_instance", ["delete"], database)))


SECRETS = ('terraform_data.proxy_secret["a"]', 'terraform_data.proxy_secret["b"]')


def rotation(used, actions, *addresses):
    """The plan of the same change of secrets of the proxy, of which CloudFront sends `used` afterwards."""
    secrets = [{"address": address, "type": "terraform_data"} for address in addresses]
    changes = [secret | {"change": {"actions": actions, "before": {}, "after": {}}} for secret in secrets]
    return json.dumps({"variables": {"proxy_secret_in_use": {"value": used}}, "resource_changes": changes})


@pytest.mark.parametrize(("used", "other"), ["ab", "ba"])
@pytest.mark.parametrize("actions", [["delete", "create"], ["create", "delete"]])
def test_refuses_to_replace_the_secret_that_cloudfront_sends(used, other, actions):
    address = f'terraform_data.proxy_secret["{used}"]'
    for replaced in ([address], SECRETS):
        with pytest.raises(CommandError, match=f'^cannot replace .*"{used}".*, which CloudFront sends\n') as raised:
            terraform_plan.check(rotation(used, actions, *replaced))
        assert f"TF_VAR_proxy_secret_in_use={other} && make infra" in raised.value.remedy
        assert raised.value.remedy.endswith(f"untaint '{address}'")


@pytest.mark.parametrize(
    ("actions", "addresses"),
    [(["delete", "create"], SECRETS[:1]), (["create"], SECRETS), (["delete"], SECRETS), (["no-op"], SECRETS)],
)
def test_allows_other_changes_of_the_secrets(actions, addresses):
    assert terraform_plan.check(rotation("b", actions, *addresses)) == ""
