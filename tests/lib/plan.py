"""What a Terraform plan (`terraform show -json`) opens to traffic."""

# Of these, only security groups and their rules decide what gets in.
KNOWN = {
    "aws_default_security_group",
    "aws_ecrpublic_repository",
    "aws_iam_instance_profile",
    "aws_iam_openid_connect_provider",
    "aws_iam_role",
    "aws_iam_role_policy",
    "aws_iam_role_policy_attachment",
    "aws_instance",
    "aws_internet_gateway",
    "aws_route_table",
    "aws_route_table_association",
    "aws_s3_bucket",
    "aws_s3_bucket_lifecycle_configuration",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_bucket_versioning",
    "aws_s3_object",
    "aws_security_group",
    "aws_ssm_association",
    "aws_ssm_document",
    "aws_subnet",
    "aws_vpc",
    "aws_vpc_security_group_egress_rule",
    "aws_vpc_security_group_ingress_rule",
}


def resources(module):
    """The resources of a module of the plan's values, its own modules' included."""
    yield from (found for found in module.get("resources", []) if found["mode"] == "managed")
    for child in module.get("child_modules", []):
        yield from resources(child)


def rule(protocol, first, last, *sources):
    return f"{protocol} {first}-{last} from {' '.join(sorted(map(str, sources))) or 'somewhere'}"


def openings(plan):
    """All that lets traffic in, wherever it is written, as "tcp 80-80 from 0.0.0.0/0".

    A kind of resource that isn't known here is reported as well: it may open something.
    """
    found = []
    for resource in resources(plan["planned_values"]["root_module"]):
        kind, values = resource["type"], resource["values"]
        inline = ("cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids", "security_groups")
        if kind in ("aws_security_group", "aws_default_security_group"):
            for opened in values.get("ingress") or []:
                sources = [source for name in inline for source in opened.get(name) or []]
                sources += ["self"] if opened.get("self") else []
                found.append(rule(opened["protocol"], opened["from_port"], opened["to_port"], *sources))
        elif kind == "aws_security_group_rule" and values["type"] == "ingress":
            sources = [source for name in inline[:3] for source in values.get(name) or []]
            found.append(rule(values["protocol"], values["from_port"], values["to_port"], *sources))
        elif kind == "aws_vpc_security_group_ingress_rule":
            names = ("cidr_ipv4", "cidr_ipv6", "prefix_list_id", "referenced_security_group_id")
            sources = [values[name] for name in names if values.get(name)]
            found.append(rule(values["ip_protocol"], values.get("from_port"), values.get("to_port"), *sources))
        elif kind not in KNOWN and kind != "aws_security_group_rule":
            found.append(f"unknown: {kind}")
    return sorted(found)
