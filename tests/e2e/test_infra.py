"""scripts/infra and terraform/ with the real AWS provider against AWS on loopback: create, plan, change, destroy."""

import base64
import gzip
import hashlib
import io
import json
import re
import tarfile
import types

import fake_aws
import github_fake
import infra
import plan
import policies
import pytest
from delivery import github_setup, github_subject, transfer
from delivery.cli import CommandError

BUCKET = f"book-shop-terraform-state-{fake_aws.ACCOUNT}"
INSTALL_BUCKET = f"book-shop-install-{fake_aws.ACCOUNT}"
TRANSFER_BUCKET = f"book-shop-transfer-{fake_aws.ACCOUNT}"
DIGEST = "sha256:" + "0123456789abcdef" * 4
GOOD = f"public.ecr.aws/a1b2c3d4/book-shop@{DIGEST}"
OURS = [{"Name": "tag:Project", "Values": ["book-shop"]}]  # the filter of AWS' descriptions
OWN = [{"Key": "Owner", "Values": ["Self"]}]  # of ListDocuments
WEB = ["tcp 80-80 from 0.0.0.0/0", "tcp 8080-8080 from 0.0.0.0/0"]
OPEN_MORE = """
resource "aws_security_group_rule" "ssh" {
  type              = "ingress"
  security_group_id = aws_security_group.host.id
  protocol          = "tcp"
  from_port         = 22
  to_port           = 22
  cidr_blocks       = ["0.0.0.0/0"]
}
resource "aws_vpc_security_group_ingress_rule" "six" {
  security_group_id = aws_security_group.host.id
  ip_protocol       = "-1"
  cidr_ipv6         = "::/0"
}
resource "aws_security_group" "another" {
  vpc_id = aws_vpc.main.id
  ingress {
    protocol  = "udp"
    from_port = 53
    to_port   = 53
    self      = true
  }
}
resource "aws_network_interface_sg_attachment" "other" {
  security_group_id    = aws_security_group.another.id
  network_interface_id = aws_instance.host.primary_network_interface_id
}
"""
DEFAULT_GROUP = """
resource "aws_default_security_group" "empty" {
  ingress {
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = ["10.0.0.0/8"]
  }
}
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """GitHub, for the real gh: a directory with its `state.json`, and `environment` for a process."""
    directory = tmp_path_factory.mktemp("github")
    server = github_fake.server(directory).start()
    environment = {
        **dict.fromkeys(infra.GITHUB, "ACME/shop"),  # GitHub knows it as acme/shop
        "GH_HOST": "github.localhost",
        "GH_TOKEN": "a-token",
        "GH_CONFIG_DIR": str(directory / "config"),
        "HTTP_PROXY": f"http://{server.address}",  # of gh alone: AWS is on loopback
        "NO_PROXY": "nowhere.invalid",
        "no_proxy": "localhost,127.0.0.1",
    }
    yield types.SimpleNamespace(directory=directory, environment=environment)
    server.close()


def change(hub, **state):
    """Changes what GitHub knows of the repository."""
    file = hub.directory / "state.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | state))


@pytest.fixture(scope="module")
def shop(cloud, hub, tmp_path_factory):
    """A shop without a bucket for its state. All tests of this file share it, in their order."""
    return infra.Infra(tmp_path_factory.mktemp("infra"), cloud.environment | hub.environment)


@pytest.fixture(scope="module")
def planned(shop):
    """The first plan. It is not confirmed, so nothing is changed."""
    _, errors = shop.infra("apply", text="no\n", status=1)
    assert errors.rstrip().endswith("remedy: run the command again")
    shop.terraform("plan", "-input=false", "-out=.build/first")
    return plan_in(shop, ".build/first")


@pytest.fixture(scope="module")
def applied(cloud, shop, planned):
    """The outputs after the first apply, which ends when the host is installed."""
    printed, errors = shop.infra("apply", text="yes\n")
    assert [execution.status for execution in cloud.associations.executions] == ["Success"]
    assert errors.endswith("installed\n==> the host is installed\n")
    assert [secret for secret in proxy_secrets(cloud) if secret in printed + errors] == []
    return outputs(printed)


def proxy_secrets(cloud):
    """The two values that the host accepts from the distribution."""
    parameter = cloud.client("ssm").get_parameter(Name="/book-shop/proxy/SECRET", WithDecryption=True)["Parameter"]
    assert parameter["Type"] == "SecureString"
    return parameter["Value"].split(",")


def outputs(text):
    return {name: output["value"] for name, output in json.loads(text).items()}


def plan_in(shop, file):
    return json.loads(shop.terraform("show", "-json", file)[0])


def changed_by(shop):
    """{address: actions} of what a plan would change."""
    subject = f"TF_VAR_github_subject_prefix={github_fake.IMMUTABLE}"
    shop.run("env", subject, "terraform", "-chdir=terraform", "plan", "-input=false", "-out=.build/change")
    changes = {
        change["address"]: change["change"]["actions"] for change in plan_in(shop, ".build/change")["resource_changes"]
    }
    return {address: actions for address, actions in changes.items() if actions not in (["no-op"], ["read"])}


def assert_versioned_encrypted_and_closed(s3, bucket):
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    (encrypted,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert encrypted["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    blocked = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert list(blocked.values()) == [True] * 4


def test_nothing_is_created_for_a_repository_that_cannot_use_it(cloud, hub, shop):
    change(hub, private=True)
    _, errors = shop.infra("apply", "-y", status=1)
    assert "acme/shop has no environments and no rulesets" in errors
    change(hub, private=False)
    shop.environment["GH_TOKEN"] = shop.environment["GH_HOST"] = ""
    _, errors = shop.infra("apply", "-y", status=1)
    assert "export TF_VAR_github_subject_prefix=repo:ACME/shop" in errors
    shop.environment |= hub.environment
    assert cloud.client("s3").list_buckets()["Buckets"] == []


def test_the_bucket_of_the_state_is_versioned_encrypted_and_closed(cloud, shop):
    assert shop.infra("bootstrap")[0] == BUCKET + "\n"
    s3 = cloud.client("s3")
    assert_versioned_encrypted_and_closed(s3, BUCKET)
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert (rule["Status"], rule["NoncurrentVersionExpiration"]) == ("Enabled", {"NoncurrentDays": 90})
    assert s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] == fake_aws.REGION


def test_a_second_bootstrap_changes_nothing(shop):
    assert shop.infra("bootstrap") == (BUCKET + "\n", "")


def test_the_plan_opens_80_and_8080_and_nothing_else(planned):
    assert plan.openings(planned) == WEB
    kinds = [resource["type"] for resource in plan.resources(planned["planned_values"]["root_module"])]
    assert [kinds.count(f"aws_{kind}") for kind in ("vpc", "subnet", "instance", "security_group")] == [1] * 4


def test_every_other_opening_of_a_plan_is_detected(shop, planned):
    directory = shop.directory / "terraform"
    try:
        (directory / "more.tf").write_text(OPEN_MORE)
        (directory / "more_override.tf").write_text(DEFAULT_GROUP)
        shop.terraform("plan", "-input=false", "-out=.build/more")
    finally:
        for name in ("more.tf", "more_override.tf"):
            (directory / name).unlink(missing_ok=True)
    assert plan.openings(plan_in(shop, ".build/more")) == [
        "-1 None-None from ::/0",
        "tcp 22-22 from 0.0.0.0/0",
        "tcp 443-443 from 10.0.0.0/8",
        *WEB,
        "udp 53-53 from self",
        "unknown: aws_network_interface_sg_attachment",
    ]


def test_the_first_boot_waits_for_routes_and_permissions(planned):
    (host,) = (r for r in planned["configuration"]["root_module"]["resources"] if r["address"] == "aws_instance.host")
    assert set(host["depends_on"]) == {
        "aws_route_table_association.public",
        "aws_vpc_security_group_egress_rule.web",
        "aws_iam_role_policy_attachment.host",
        "aws_iam_role_policy.host",
        "aws_iam_role_policy.settings",
        "aws_ssm_parameter.proxy_secret",
    }


HOSTILE = [
    "", " ", "latest", "book-shop", "book-shop:1.0.0", f"@{DIGEST}", DIGEST, GOOD + " ", " " + GOOD, GOOD + "\n", "\n"
    + GOOD, GOOD + ";id", GOOD + "&&id", GOOD + "|id", GOOD + "$(id)", GOOD + "`id`", GOOD + "\\", GOOD + "'", GOOD +
    '"', GOOD + "#", GOOD + "\0", GOOD + "\r", GOOD + "\t", GOOD + "0", GOOD[:-1], GOOD.upper(),
    GOOD.replace("sha256", "sha512"), GOOD.replace("sha256", "md5"), GOOD.replace("@", ":"), GOOD.replace("@", "@@"),
    GOOD.replace("0", "g"), GOOD.replace("sha256:", ""), "-" + GOOD, "--help", "-h", "/" + GOOD, "." + GOOD, "../" +
    GOOD, "$IFS" + GOOD, "{{Verb}}", "{{ssm:secret}}@" + DIGEST, "${HOME}@" + DIGEST, "a b@" + DIGEST, "a,b@" +
    DIGEST, "a*@" + DIGEST, "a?@" + DIGEST, "a[b]@" + DIGEST, "a{b,c}@" + DIGEST, "a>b@" + DIGEST, "a<b@" + DIGEST,
    "a=b@" + DIGEST, "a%20b@" + DIGEST, "a~@" + DIGEST, "https://a\\b@" + DIGEST, "é@" + DIGEST, "a\u2028b@" + DIGEST,
    "a" * 300 + "@" + DIGEST, GOOD + GOOD, GOOD + "\n" + GOOD,
]  # fmt: skip


def test_the_documents_accept_a_digest_and_refuse_hostile_values(planned):
    documents = {
        resource["index"]: json.loads(resource["values"]["content"])
        for resource in plan.resources(planned["planned_values"]["root_module"])
        if resource["address"].startswith("aws_ssm_document.verbs")
    }
    assert set(documents) == {"data", "dev", "manage", "prod", "settings"}
    assert len(set(HOSTILE)) >= 50
    for document in documents.values():
        patterns = {name: parameter.get("allowedPattern") for name, parameter in document["parameters"].items()}
        assert all(patterns[name] or parameter["allowedValues"] for name, parameter in document["parameters"].items())
        assert all(re.fullmatch(patterns["Image"], good) for good in (GOOD, "localhost:5000/book-shop@" + DIGEST))
        assert [value for value in HOSTILE if value and re.fullmatch(patterns["Image"], value)] == []
        assert all(re.fullmatch(patterns["Actor"], good) for good in ("me", "dependabot[bot]", "a.b@c-d_e"))
        actors = [value for value in HOSTILE if value[-1:] != "p" and re.fullmatch(patterns["Actor"], value)]
        assert actors == ["latest"]
        assert all(re.fullmatch(patterns["After"], good) for good in (DIGEST, "none", "unordered"))
        assert [value for value in HOSTILE if value and re.fullmatch(patterns["After"], value)] == [DIGEST]
        assert re.fullmatch(patterns["Reason"], "The load test deploys two images in turn (1.0.0, 1.1.0).")
        assert [
            value for value in HOSTILE if min(value, default="x") < " " and re.fullmatch(patterns["Reason"], value)
        ] == []
        assert all(re.fullmatch(patterns["Lines"], good) for good in ("1", "100", "99999"))
        numbers = [*HOSTILE, "0", "01", "-1", "100000", "1e3"]
        assert [value for value in numbers if re.fullmatch(patterns["Lines"], value)] == []


def test_the_network_is_one_public_subnet_with_two_open_ports(cloud, applied):
    ec2 = cloud.client("ec2")
    (vpc,) = ec2.describe_vpcs(Filters=OURS)["Vpcs"]
    inside = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    (subnet,) = ec2.describe_subnets(Filters=inside)["Subnets"]
    assert subnet["MapPublicIpOnLaunch"]
    of_subnet = [{"Name": "association.subnet-id", "Values": [subnet["SubnetId"]]}]
    (table,) = ec2.describe_route_tables(Filters=of_subnet)["RouteTables"]
    assert [r["GatewayId"][:4] for r in table["Routes"] if r["DestinationCidrBlock"] == "0.0.0.0/0"] == ["igw-"]
    groups = {g["GroupName"]: g for g in ec2.describe_security_groups(Filters=inside)["SecurityGroups"]}
    assert set(groups) == {"default", "book-shop"}
    assert groups["default"]["IpPermissions"] == groups["default"]["IpPermissionsEgress"] == []
    opened = []
    for rule in groups["book-shop"]["IpPermissions"]:
        ranges = [r["CidrIp"] for r in rule["IpRanges"]]
        others = rule.get("Ipv6Ranges", []) + rule["UserIdGroupPairs"]
        opened.append((rule["IpProtocol"], rule["FromPort"], rule["ToPort"], ranges, others))
    assert sorted(opened) == [("tcp", port, port, ["0.0.0.0/0"], []) for port in (80, 8080)]


def test_the_host_has_the_address_of_the_outputs(cloud, applied):
    (address,) = cloud.client("ec2").describe_addresses(Filters=OURS)["Addresses"]
    assert (address["PublicIp"], address["InstanceId"]) == (applied["address"], applied["instance_id"])
    (distribution,) = cloud.client("cloudfront").list_distributions()["DistributionList"]["Items"]
    assert applied["edge"] == {"id": distribution["Id"], "domain": distribution["DomainName"]}
    assert applied["urls"] == {
        "dev": f"http://{applied['address']}:8080",
        "prod": f"https://{distribution['DomainName']}",
    }


def test_the_edge_caches_public_files_only_and_authenticates_itself(cloud, applied):
    config = cloud.client("cloudfront").get_distribution_config(Id=applied["edge"]["id"])["DistributionConfig"]
    (origin,) = config["Origins"]["Items"]
    assert origin["DomainName"] == f"ec2-{applied['address'].replace('.', '-')}.{fake_aws.REGION}.compute.amazonaws.com"
    assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "http-only"
    secrets = proxy_secrets(cloud)
    assert origin["CustomHeaders"]["Items"] == [{"HeaderName": "X-Proxy-Secret", "HeaderValue": secrets[0]}]
    assert len(set(secrets)) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", secret) for secret in secrets)
    policies = {"*": config["DefaultCacheBehavior"]["CachePolicyId"]}
    policies |= {behavior["PathPattern"]: behavior["CachePolicyId"] for behavior in config["CacheBehaviors"]["Items"]}
    assert policies == {
        "*": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
        "/static/*": "658327ea-f89d-4fab-a63d-7e88639e58f6",
        "/book-cover/*": "658327ea-f89d-4fab-a63d-7e88639e58f6",
    }
    errors = config["CustomErrorResponses"]["Items"]
    assert {error["ErrorCachingMinTTL"] for error in errors} == {0}
    assert {404, 500, 502, 503, 504} <= {error["ErrorCode"] for error in errors}


def test_the_secret_of_the_edge_is_in_no_document_output_or_user_data(cloud, shop, applied):
    ssm, ec2 = cloud.client("ssm"), cloud.client("ec2")
    names = [found["Name"] for found in ssm.list_documents(Filters=OWN)["DocumentIdentifiers"]]
    assert len(names) == 6
    texts = [ssm.get_document(Name=name)["Content"] for name in names]
    attribute = ec2.describe_instance_attribute(InstanceId=applied["instance_id"], Attribute="userData")
    texts += [gzip.decompress(base64.b64decode(attribute["UserData"]["Value"])).decode(), *shop.infra("output")]
    assert [secret for secret in proxy_secrets(cloud) if secret in "".join(texts)] == []


def test_the_host_has_the_required_size_disk_and_permissions(cloud, shop, applied):
    ec2 = cloud.client("ec2")
    (reservation,) = ec2.describe_instances(Filters=OURS)["Reservations"]
    (host,) = reservation["Instances"]
    assert host["InstanceId"] == applied["instance_id"]
    assert {tag["Key"]: tag["Value"] for tag in host["Tags"]}["Name"] == "book-shop"
    assert [group["GroupName"] for group in host["SecurityGroups"]] == ["book-shop"]
    assert host["InstanceType"] == "t3.medium"
    assert host.get("KeyName") in (None, "None")
    assert host["IamInstanceProfile"]["Arn"].endswith(":instance-profile/book-shop-host")
    metadata = host["MetadataOptions"]
    assert (metadata["HttpTokens"], metadata["HttpPutResponseHopLimit"]) == ("required", 1)
    (disk,) = host["BlockDeviceMappings"]
    (volume,) = ec2.describe_volumes(VolumeIds=[disk["Ebs"]["VolumeId"]])["Volumes"]
    assert (volume["Size"], volume["VolumeType"], volume["Encrypted"]) == (30, "gp3", True)
    policies = cloud.client("iam").list_attached_role_policies(RoleName="book-shop-host")["AttachedPolicies"]
    assert [policy["PolicyName"] for policy in policies] == ["AmazonSSMManagedInstanceCore"]


def test_the_host_boots_with_the_install_script_of_the_archive_in_the_bucket(cloud, shop, applied):
    attribute = cloud.client("ec2").describe_instance_attribute(InstanceId=applied["instance_id"], Attribute="userData")
    packed = base64.b64decode(attribute["UserData"]["Value"])
    assert len(packed) == applied["user_data_bytes"] <= 16384
    assert gzip.decompress(packed).decode() == install_script(shop, applied)


def install_script(shop, applied):
    """The install script for the archive of these files at its URL."""
    archive = (shop.directory / "terraform/.build/host-files.tar.gz").read_bytes()
    sha256 = hashlib.sha256(archive).hexdigest()
    url = f"https://{INSTALL_BUCKET}.s3.{fake_aws.REGION}.amazonaws.com/host-files-{sha256}.tar.gz"
    of_aws = (fake_aws.REGION, "/book-shop", TRANSFER_BUCKET)
    urls = (applied["urls"]["prod"], applied["urls"]["dev"])
    return shop.run("scripts/user-data", url, sha256, applied["repository"], applied["address"], *of_aws, *urls)[0]


def test_the_archive_is_in_a_closed_bucket_that_the_host_may_read(cloud, shop, applied):
    s3 = cloud.client("s3")
    (archive,) = s3.list_objects_v2(Bucket=INSTALL_BUCKET)["Contents"]
    content = s3.get_object(Bucket=INSTALL_BUCKET, Key=archive["Key"])["Body"].read()
    assert archive["Key"] == f"host-files-{hashlib.sha256(content).hexdigest()}.tar.gz"
    with tarfile.open(fileobj=io.BytesIO(content)) as files:
        bootstrap = files.extractfile("bin/bootstrap").read()
    assert bootstrap == (shop.directory / "scripts/host/bin/bootstrap").read_bytes()
    assert_versioned_encrypted_and_closed(s3, INSTALL_BUCKET)
    policy = cloud.client("iam").get_role_policy(RoleName="book-shop-host", PolicyName="install")["PolicyDocument"]
    (allowed,) = policy["Statement"]
    assert (allowed["Action"], allowed["Resource"]) == ("s3:GetObject", f"arn:aws:s3:::{INSTALL_BUCKET}/*")


def test_the_bucket_for_transfers_is_closed_encrypted_and_keeps_nothing(cloud, applied):
    s3 = cloud.client("s3")
    assert "Status" not in s3.get_bucket_versioning(Bucket=TRANSFER_BUCKET)
    (encrypted,) = s3.get_bucket_encryption(Bucket=TRANSFER_BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert encrypted["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    blocked = s3.get_public_access_block(Bucket=TRANSFER_BUCKET)["PublicAccessBlockConfiguration"]
    assert list(blocked.values()) == [True] * 4
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=TRANSFER_BUCKET)["Rules"]
    assert (rule["Status"], rule["Expiration"]["Days"]) == ("Enabled", 1)
    (only_tls,) = json.loads(s3.get_bucket_policy(Bucket=TRANSFER_BUCKET)["Policy"])["Statement"]
    assert (only_tls["Effect"], only_tls["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert transfer.bucket_name("book-shop", fake_aws.ACCOUNT) == TRANSFER_BUCKET


PARAMETERS = f"arn:aws:ssm:{fake_aws.REGION}:{fake_aws.ACCOUNT}:parameter"
DOCUMENTS = f"arn:aws:ssm:{fake_aws.REGION}:{fake_aws.ACCOUNT}:document"
SECRET = f"{PARAMETERS}/book-shop/prod/SECRET_KEY"


def test_each_role_may_do_what_its_jobs_do_and_read_no_setting(cloud, applied):
    roles = {name: policies.statements(cloud.client("iam"), f"book-shop-{name}") for name in ("dev", "prod", "host")}
    owners = [f"{DOCUMENTS}/book-shop-{name}" for name in ("data", "manage", "settings", "install")]
    for name, other in (("dev", "prod"), ("prod", "dev")):
        assert policies.allows(roles[name], "ssm:SendCommand", f"{DOCUMENTS}/book-shop-{name}")
        for document in (*owners, f"{DOCUMENTS}/book-shop-{other}", f"{DOCUMENTS}/AWS-RunShellScript"):
            assert not policies.allows(roles[name], "ssm:SendCommand", document)
        for action in policies.OF_PARAMETERS:
            assert not policies.allows(roles[name], action, SECRET)
        for action in ("s3:GetObject", "s3:PutObject", "s3:ListBucket"):
            assert not policies.allows(roles[name], action, f"arn:aws:s3:::{TRANSFER_BUCKET}/x/stdin")
        assert not policies.allows(roles[name], "ssm:StartSession", applied["instance_id"])


def test_the_hosts_role_reads_and_changes_its_own_parameters_only(cloud, applied):
    host = policies.statements(cloud.client("iam"), "book-shop-host")
    managed = [statement for statement in host if "ssm:GetParameters" in statement["Action"]]
    assert policies.allows(managed[:1], "ssm:GetParameters", f"{PARAMETERS}/another")  # why there is a Deny
    for action in ("ssm:GetParametersByPath", "ssm:GetParameter", "ssm:PutParameter", "ssm:DeleteParameter"):
        assert policies.allows(host, action, f"{PARAMETERS}/book-shop/dev")
        assert policies.allows(host, action, SECRET)
    others = ("", "/", "/book-shop", "/book-shop-2/dev/X", "/book/dev/X", "/another", "another")
    for action in policies.OF_PARAMETERS:
        for other in others:
            assert not policies.allows(host, action, f"{PARAMETERS}{other}"), (action, other)
    proxy = f"{PARAMETERS}/book-shop/proxy/SECRET"
    assert [action for action in policies.OF_PARAMETERS if policies.allows(host, action, proxy)] == [
        "ssm:GetParameter",
        "ssm:GetParameters",
        "ssm:GetParametersByPath",
    ]
    transfers = f"arn:aws:s3:::{TRANSFER_BUCKET}"
    assert policies.allows(host, "s3:GetObject", f"{transfers}/x/stdin")
    assert policies.allows(host, "s3:PutObject", f"{transfers}/x/stdout")
    for action, name in (("s3:PutObject", "x/stdin"), ("s3:GetObject", "x/stdout"), ("s3:DeleteObject", "x/stdin")):
        assert not policies.allows(host, action, f"{transfers}/{name}")


def test_the_repository_is_public_and_the_outputs_name_it(cloud, applied):
    assert applied["repository"] == "public.ecr.aws/a1b2c3d4/book-shop"
    assert cloud.ecr_public.catalog["book-shop"]["operatingSystems"] == ["Linux"]
    names = ("data", "dev", "manage", "prod", "settings")
    assert applied["documents"] == {name: f"book-shop-{name}" for name in names}
    roles = [applied["roles"][name].rpartition("/")[2] for name in ("dev", "prod")]
    assert roles == ["book-shop-dev", "book-shop-prod"]


def test_the_roles_trust_the_subjects_that_github_reports(cloud, applied, monkeypatch):
    fake_aws.use_test_credentials(monkeypatch, **cloud.environment)
    prefix = github_fake.IMMUTABLE
    assert github_setup.trusted_contexts(prefix, applied["roles"]) == github_subject.ENVIRONMENTS
    with pytest.raises(CommandError, match=f"dev: the jobs present repo:acme/shop:.*trusts {prefix}:environment:dev"):
        github_setup.trusted_contexts("repo:acme/shop", applied["roles"])


def test_a_second_plan_finds_no_drift_even_with_a_newer_ubuntu_image(cloud, shop, applied):
    cloud.set_image("ami-1e749f67")
    printed, _ = shop.infra("plan")
    assert "No changes. Your infrastructure matches the configuration." in printed


def test_a_replaced_secret_runs_the_installation_and_is_not_printed(cloud, shop, applied):
    assert not (shop.directory / "terraform/.build/plan").exists()  # it contains the secret
    shop.terraform("taint", 'terraform_data.proxy_secret["b"]')
    printed, _ = shop.infra("plan")
    assert [secret for secret in proxy_secrets(cloud) if secret in printed] == []
    assert changed_by(shop) == {
        "aws_ssm_association.install": ["update"],
        "aws_ssm_document.install": ["update"],
        "aws_ssm_parameter.proxy_secret[0]": ["update"],
        'terraform_data.proxy_secret["b"]': ["delete", "create"],
    }
    shop.terraform("untaint", 'terraform_data.proxy_secret["b"]')


def test_the_association_installs_a_changed_host_file_and_nothing_else_changes(cloud, shop, applied):
    with (shop.directory / "scripts/lib/say.sh").open("a") as file:
        file.write("changed() { :; }\n")
    shop.write_install_script()
    assert changed_by(shop) == {
        "aws_s3_object.host_files": ["create", "delete"],
        "aws_ssm_association.install": ["update"],
        "aws_ssm_document.install": ["update"],
    }
    (association,) = cloud.associations.known.values()
    before = association["DocumentVersion"]
    cloud.associations.results = ["Failed"]
    _, errors = shop.infra("apply", "-y", status=1)
    assert "the installation of the host failed" in errors
    assert "no space left" in errors
    # Nothing is left to change, but the host is not installed.
    printed, errors = shop.infra("apply", "-y")
    assert "==> nothing to change\n==> the last installation ended as Failed: start it again\n" in errors
    assert outputs(printed)["instance_id"] == applied["instance_id"]
    assert association["Targets"] == [{"Key": "InstanceIds", "Values": [applied["instance_id"]]}]
    assert int(association["DocumentVersion"]) > int(before)
    version = association["DocumentVersion"]
    document = cloud.client("ssm").get_document(Name="book-shop-install", DocumentVersion=version)
    command = json.loads(document["Content"])["mainSteps"][0]["inputs"]["runCommand"][-1]
    script = gzip.decompress(base64.b64decode(command.removeprefix("run_install '").removesuffix("'"))).decode()
    assert script == install_script(shop, applied)
    (archive,) = cloud.client("s3").list_objects_v2(Bucket=INSTALL_BUCKET)["Contents"]
    assert archive["Key"] in script


@pytest.mark.parametrize(("root", "words"), [("terraform", []), ("terraform/cluster", ["cluster"])])
def test_a_left_over_lock_is_named_with_the_command_that_removes_it(cloud, shop, root, words):
    key = {"terraform": "terraform.tfstate", "terraform/cluster": "cluster.tfstate"}[root]
    lock = {"Bucket": BUCKET, "Key": f"{key}.tflock"}
    held = {
        "ID": "0b4d9f0e-1",
        "Operation": "OperationTypeApply",
        "Who": "another@host",
        "Created": "2026-01-01T00:00:00Z",
    }
    cloud.client("s3").put_object(
        **lock, Body=json.dumps(held | {"Info": "", "Version": "1.11.4", "Path": key}).encode()
    )
    printed, errors = shop.infra(*words, "apply", "-y", status=1)
    assert f"the state of {root} is locked: nothing was changed" in errors
    assert "another@host holds the lock 0b4d9f0e-1 since 2026-01-01T00:00:00Z, for OperationTypeApply" in errors
    assert (printed, "terraform plan" in errors) == ("", False)
    unlock = errors.rstrip().partition("without removing the lock: ")[2]
    shop.run(*unlock.split(), text="yes\n")
    assert not cloud.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=lock["Key"]).get("Contents")


def test_a_protected_database_stops_the_destroy_of_the_cluster_before_the_first_change(cloud, shop):
    rds = cloud.client("rds")
    named = {"DBInstanceIdentifier": "book-shop", "Engine": "postgres", "EngineVersion": "16.9"}
    size = {"DBInstanceClass": "db.t4g.micro", "AllocatedStorage": 20}
    login = {"MasterUsername": "postgres", "ManageMasterUserPassword": True}
    rds.create_db_instance(**named, **size, **login, DeletionProtection=True)
    shop.terraform("import", "-input=false", "aws_db_instance.main", "book-shop", root="terraform/cluster")
    _, errors = shop.infra("cluster", "destroy", text="book-shop\n", status=1)
    assert "aws_db_instance.main is protected against deletion" in errors
    assert "TF_VAR_database_deletion_protection=false make infra-cluster" in errors
    assert "Type book-shop to continue" not in errors
    assert len(rds.describe_db_instances()["DBInstances"]) == 1


def test_destroy_asks_for_the_name_and_leaves_nothing(cloud, shop, applied):
    cloud.ecr_public.on_PutImage("book-shop", "{}", "1.0.0")
    _, errors = shop.infra("destroy", text="yes\n", status=1)
    assert "not confirmed: nothing was changed" in errors
    assert cloud.ecr_public.repositories
    ssm = cloud.client("ssm")
    for name in ("/book-shop/dev/SECRET_KEY", "/book-shop/prod/SECRET_KEY", "/other/dev/SECRET_KEY"):
        ssm.put_parameter(Name=name, Value="secret", Type="SecureString")
    shop.infra("destroy", text="book-shop\n")
    names = [entry["Name"] for entry in ssm.describe_parameters()["Parameters"]]
    assert [name for name in names if not name.startswith("/aws/")] == ["/other/dev/SECRET_KEY"]
    ec2 = cloud.client("ec2")
    states = [i["State"]["Name"] for r in ec2.describe_instances(Filters=OURS)["Reservations"] for i in r["Instances"]]
    assert set(states) <= {"terminated"}
    assert ec2.describe_vpcs(Filters=OURS)["Vpcs"] == []
    assert ec2.describe_addresses()["Addresses"] == []
    assert cloud.client("cloudfront").list_distributions()["DistributionList"].get("Items", []) == []
    assert cloud.client("iam").list_roles()["Roles"] == []
    assert [bucket["Name"] for bucket in cloud.client("s3").list_buckets()["Buckets"]] == [BUCKET]
    assert cloud.client("ssm").list_documents(Filters=OWN)["DocumentIdentifiers"] == []
    assert (cloud.associations.known, cloud.ecr_public.repositories) == ({}, {})
