"""The settings of the GitHub repository that the workflows need."""

import itertools
import json
import os
import subprocess
import sys

from delivery import aws, cluster_access, github, github_subject, targets
from delivery.cli import AlreadyReported, CommandError, UsageError, confirm, log, required_variable

# The branches that may deploy to an environment. Manual runs start on main, so main may deploy to dev.
BRANCHES = {"dev": ["dev", "main"], "prod": ["main"]}

TARGET = ("PROD", "CLUSTER", "CLUSTER_URL")  # the variables that name where prod runs
KUBECONFIG = "CLUSTER_KUBECONFIG"  # the secret for a cluster that is not on EKS


def rules(name, target, pattern, *rules):
    """A ruleset in the form of GitHub's REST API."""
    condition = {"ref_name": {"include": [pattern], "exclude": []}}
    return {"name": name, "target": target, "enforcement": "active", "conditions": condition, "rules": list(rules)}


KEPT = ({"type": "deletion"}, {"type": "non_fast_forward"})
# main accepts a commit whose check has passed, by a pull request or as a fast-forward of dev.
CHECKED = {
    "type": "required_status_checks",
    "parameters": {
        "required_status_checks": [{"context": "check"}],
        "strict_required_status_checks_policy": False,
        "do_not_enforce_on_create": True,
    },
}
RULESETS = [
    rules("main", "branch", "refs/heads/main", *KEPT, CHECKED),
    rules("dev", "branch", "refs/heads/dev", *KEPT),
    rules("releases", "tag", "refs/tags/v*", {"type": "deletion"}, {"type": "update"}),
]


def set_up(yes):
    """Changes the settings that differ; asks first unless `yes`. Returns the repository's name (owner/name).

    Raises CommandError if the infrastructure does not exist, its roles do not trust the repository's jobs, the
    workflows could not reach the cluster of DELIVERY_PROD=cluster, or the answer is not yes.
    """
    region = required_variable("AWS_REGION")
    name, image_repository, roles, urls = outputs()
    repository = github.repository()
    full_name = repository["full_name"]
    contexts = trusted_contexts(github_subject.presented(repository), roles)
    variables = {"HOST": "aws", "NAME": name, "AWS_REGION": region, "REPOSITORY": image_repository}
    parts = [github.variable_changes("actions", variables)]
    if contexts == github_subject.ENVIRONMENTS:
        github_subject.check_plan(repository)
        parts += [*with_environments(roles, urls), github.ruleset_changes(RULESETS)]
    else:
        target = target_of_prod(roles["prod"], urls["prod"], "actions")
        target.pop("URL", None)  # GitHub shows the addresses of environments only
        parts.append(github.variable_changes("actions", branch_variables(roles) | target))
        if github.allows_rules(repository):
            parts.append(github.ruleset_changes(RULESETS))
        else:
            log(f"no branch rules: {full_name} is private, and its plan has none. Users with write access may deploy")
    changes = list(itertools.chain(*parts))
    if not changes:
        log("nothing to change")
        return full_name
    log(f"changes in {full_name}:")
    print("\n".join(change.text for change in changes), file=sys.stderr)
    if not yes:
        confirm("Make these changes?", "yes")

    for change in changes:
        log(change.text)
        github.ask(change.method, change.path, change.body)
    return full_name


def with_environments(roles, urls):
    """Yields the parts of the Changes for roles that trust environments."""
    yield github.variable_changes("actions", dict.fromkeys([*branch_variables(roles), *TARGET]))
    for environment, branches in BRANCHES.items():
        where = f"environments/{environment}"
        settings = {"AWS_ROLE": roles[environment]}
        if environment == "prod":
            settings |= target_of_prod(roles["prod"], urls["prod"], where)
        else:
            settings["URL"] = urls[environment]
        yield github.environment_changes(environment, branches)
        yield github.variable_changes(where, settings)


def branch_variables(roles):
    """The repository's variables for roles that trust branches. The workflows then name no environment."""
    return {f"{environment.upper()}_AWS_ROLE": roles[environment] for environment in BRANCHES}


def trusted_contexts(prefix, roles):
    """The contexts of the jobs that the roles trust: github_subject.ENVIRONMENTS or BRANCHES.

    The roles themselves are read: a repository may have been renamed since, and a role changed by hand. Raises
    CommandError unless each role trusts the subject of its jobs and nothing else.
    """
    iam = aws.Client("iam")
    trusted = {environment: subjects(iam, roles[environment]) for environment in BRANCHES}
    forms = [github_subject.ENVIRONMENTS, github_subject.BRANCHES]
    for contexts in forms:
        if trusted == {environment: {f"{prefix}:{context}"} for environment, context in contexts.items()}:
            return contexts
    contexts = forms[any(":ref:" in subject for found in trusted.values() for subject in found)]
    why = "; ".join(
        f"{environment}: the jobs present {prefix}:{context}, the role trusts {', '.join(sorted(found)) or 'none'}"
        for (environment, context), found in zip(contexts.items(), trusted.values(), strict=True)
    )
    remedy = "make infra"
    if os.environ.get(github_subject.CONTEXTS):  # Terraform accepts others than those of the workflows
        remedy = f"unset {github_subject.CONTEXTS}, or set it as terraform/README.md does; then make infra"
    raise CommandError("the AWS roles do not trust the jobs of this repository", why, remedy)


def subjects(iam, arn):
    """The subjects that a role trusts; none if the role does not exist."""
    try:
        role = iam.ask("get_role", RoleName=arn.rpartition("/")[2])["Role"]
    except aws.Refused as error:
        if error.code == "NoSuchEntity":
            return set()
        raise
    found = set()
    for statement in as_list(role["AssumeRolePolicyDocument"]["Statement"]):
        for condition in statement.get("Condition", {}).values():
            found.update(as_list(condition.get("token.actions.githubusercontent.com:sub", [])))
    return found


def as_list(value):
    """A value of a policy as a list: IAM gives a list of one as its item."""
    return value if isinstance(value, list) else [value]


def target_of_prod(role, url, where):
    """The variables that name prod's target and address; None for one to remove, none at all if they stay.

    `role` deploys to prod, `url` is the host's address, `where` has the variables as in github.variables(). Only
    DELIVERY_PROD moves prod: without it, prod stays on the cluster that the variables on GitHub name. Raises
    UsageError without a cluster's name, and CommandError if the cluster does not serve prod or the workflows could
    not reach it.
    """
    place, now = present_target()
    if not os.environ.get("DELIVERY_PROD") and now.get("PROD") == "cluster":
        cluster = now.get("CLUSTER", "")
        log(f"prod stays on the cluster {cluster}. To move it to the host: make github PROD=host")
        if place == where:
            return {}
        check_kubeconfig(cluster, where)
        return {name: now.get(name) for name in TARGET}
    if not targets.on_cluster("prod"):
        return {"PROD": "host", "CLUSTER": None, "CLUSTER_URL": None, "URL": url}
    cluster = os.environ.get("DELIVERY_CLUSTER")
    if not cluster:
        why = "the workflows accept no other cluster"
        remedy = "export DELIVERY_CLUSTER=$(make infra-cluster-output | jq -r .cluster.value.arn)"
        raise UsageError("DELIVERY_CLUSTER is not set", why, remedy)
    address = targets.for_environment("prod").url("prod")
    if not address:
        raise CommandError("prod has no address on the cluster", "it was not deployed there", "make deploy-prod")
    if cluster_access.is_eks(cluster):
        cluster_access.check_deployer(cluster, role)
    check_kubeconfig(cluster, where)
    own_address = os.environ.get("DELIVERY_CLUSTER_URL") or None
    return {"PROD": "cluster", "CLUSTER": cluster, "CLUSTER_URL": own_address, "URL": address}


def present_target():
    """(place, variables) that name prod's target now; the place is as in github.variables().

    Roles that trust branches have them in the repository, and a change to environments removes these.
    """
    variables = github.variables("actions")
    if "PROD" in variables:
        return "actions", variables
    place = "environments/prod"
    return place, github.variables(place)


def check_kubeconfig(cluster, where):
    """Raises CommandError if a cluster that is not on EKS has no kubeconfig in the secrets of a place."""
    if cluster_access.is_eks(cluster) or github.get(f"{where}/secrets/{KUBECONFIG}"):
        return
    owner, option = ("the repository", "") if where == "actions" else ("the environment prod", " --env prod")
    what = f"{owner} has no secret {KUBECONFIG}"
    remedy = f"gh secret set {KUBECONFIG}{option}, and paste a kubeconfig whose only context is {cluster}"
    raise CommandError(what, f"the workflows could not reach the cluster '{cluster}'", remedy)


def outputs():
    """(name, repository, roles, urls) from Terraform's outputs. Raises AlreadyReported, CommandError."""
    done = subprocess.run(["scripts/infra", "output"], stdout=subprocess.PIPE, encoding="utf-8")
    if done.returncode:
        raise AlreadyReported(done.returncode)
    try:
        values = {name: output["value"] for name, output in json.loads(done.stdout).items()}
        name = values["documents"]["dev"].removesuffix("-dev")
        return name, values["repository"], values["roles"], values["urls"]
    except (KeyError, TypeError, ValueError) as error:
        why = f"scripts/infra output lacks {error}"
        raise CommandError("the infrastructure does not exist or is incomplete", why, "make infra") from None
