"""What a Terraform plan (`terraform show -json`) opens to traffic."""

# Of these, only security groups and their rules decide what gets in.
GROUPS = {"aws_default_security_group", "aws_security_group"}
KNOWN = {
    "aws_acm_certificate", "aws_acm_certificate_validation", "aws_budgets_budget", "aws_cloudfront_distribution",
    "aws_ecrpublic_repository", "aws_eip", "aws_eip_association", "aws_iam_instance_profile",
    "aws_iam_openid_connect_provider", "aws_iam_role", "aws_iam_role_policy", "aws_iam_role_policy_attachment",
    "aws_instance", "aws_internet_gateway", "aws_route53_record", "aws_route_table", "aws_route_table_association",
    "aws_s3_bucket", "aws_s3_bucket_lifecycle_configuration", "aws_s3_bucket_policy",
    "aws_s3_bucket_public_access_block", "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_bucket_versioning", "aws_s3_object", "aws_security_group_rule", "aws_ssm_association", "aws_ssm_document",
    "aws_ssm_parameter", "aws_subnet", "aws_vpc", "aws_vpc_security_group_egress_rule", "terraform_data",
}  # fmt: skip
RULES = {"aws_security_group_rule", "aws_vpc_security_group_ingress_rule"}
INLINE = ("cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids", "security_groups")  # sources, each a list
OWN = ("cidr_ipv4", "cidr_ipv6", "prefix_list_id", "referenced_security_group_id")


def resources(module):
    """The resources of a module of the plan's values, its own modules' included."""
    yield from (found for found in module.get("resources", []) if found["mode"] == "managed")
    for child in module.get("child_modules", []):
        yield from resources(child)


def rule(values, protocol="protocol"):
    """A rule as text: its protocol, ports and sources."""
    sources = [source for name in INLINE for source in values.get(name) or []]
    sources += [values[name] for name in OWN if values.get(name)] + ["self"] * bool(values.get("self"))
    ports = f"{values.get('from_port')}-{values.get('to_port')}"
    return f"{values[protocol]} {ports} from {' '.join(sorted(sources)) or 'somewhere'}"


def openings(plan):
    """All rules that let traffic in, in whatever form they are written, as "tcp 80-80 from 0.0.0.0/0".

    A kind of resource that isn't known here is reported as well: it may open something.
    """
    found = []
    for resource in resources(plan["planned_values"]["root_module"]):
        # If no value is known before the apply, there are none.
        kind, values = resource["type"], resource.get("values", {})
        if kind in GROUPS | RULES and not values:
            found.append(f"unknown: {resource['address']}")
        elif kind in GROUPS:
            found += [rule(opened) for opened in values.get("ingress") or []]
        elif kind == "aws_security_group_rule" and values["type"] == "ingress":
            found.append(rule(values))
        elif kind == "aws_vpc_security_group_ingress_rule":
            found.append(rule(values, "ip_protocol"))
        elif kind not in KNOWN:
            found.append(f"unknown: {kind}")
    return sorted(found)
