"""What the policies of an IAM role allow, as IAM evaluates them: a Deny overrides every Allow. Conditions and policies
of resources are not evaluated."""

import fnmatch

OF_PARAMETERS = tuple(
    f"ssm:{name}"
    for name in (
        *("DeleteParameter", "DeleteParameters", "GetParameter", "GetParameterHistory", "GetParameters"),
        *("GetParametersByPath", "LabelParameterVersion", "PutParameter", "UnlabelParameterVersion"),
    )
)


def statements(iam, role):
    """All statements of the managed and inline policies of a role, with lists of actions."""
    documents = []
    for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        documents.append(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        documents.append(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])
    return [
        statement | {"Action": listed(statement["Action"])} for each in documents for statement in each["Statement"]
    ]


def allows(statements, action, resource):
    """Whether the statements allow an action on a resource."""
    effects = {statement["Effect"] for statement in statements if applies(statement, action, resource)}
    return effects == {"Allow"}


def applies(statement, action, resource):
    if not any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in statement["Action"]):
        return False
    if "NotResource" in statement:
        return not matches(statement["NotResource"], resource)
    return matches(statement["Resource"], resource)


def matches(patterns, resource):
    return any(fnmatch.fnmatchcase(resource, pattern.replace("[", "[[]")) for pattern in listed(patterns))


def listed(value):
    return [value] if isinstance(value, str) else value
