"""The subject (`sub`) of the tokens with which the jobs of a repository ask AWS for a role.

It is a prefix that names the repository, and a context that names the job's environment or branch:
`repo:acme/shop:environment:dev`. Since 15 July 2026 the prefix of new, renamed and transferred repositories has ids,
`repo:acme@1/shop@2`, and upper and lower case are as on GitHub. This module reads it from GitHub's API: see "Immutable
subject claims" and "Customizing the subject claims" in GitHub's OIDC reference.
"""

import os
import re

from delivery import github, references
from delivery.cli import CommandError, required_variable
from delivery.github_errors import NotInPlan

VARIABLE, CONTEXTS = "TF_VAR_github_subject_prefix", "TF_VAR_github_subjects"  # variables of Terraform
ENVIRONMENTS = {name: f"environment:{name}" for name in references.ENVIRONMENTS}
# Without environments the branches of the workflows decide.
BRANCHES = {"dev": "ref:refs/heads/dev", "prod": "ref:refs/heads/main"}
TEMPLATE = "actions/oidc/customization/sub"


class Unknown(CommandError):
    """The repository has a subject of its own that a role cannot trust, or whose form is not known."""


def for_terraform():
    """The prefix for Terraform: that of the environment if it is set, else GitHub's.

    Raises CommandError if GitHub does not answer, or the repository cannot have the environments that the roles
    trust. Nothing may be created before.
    """
    if prefix := os.environ.get(VARIABLE):
        return prefix
    name = required_variable("GITHUB_REPOSITORY")
    try:
        repository = github.repository()
        if "environment:" in (os.environ.get(CONTEXTS) or "environment:"):
            check_plan(repository)
        return prefix_of(repository)
    except (NotInPlan, Unknown):
        raise
    except CommandError as error:
        by_hand = f"without GitHub: export {VARIABLE}=repo:{name}, or for a repository that was created, renamed or"
        by_hand += " transferred since 15 July 2026, with the ids: repo:OWNER@OWNER_ID/NAME@REPOSITORY_ID"
        why = f"the AWS roles must trust the subject of the repository's tokens; {error.why}"
        raise CommandError(error.what, why, f"{error.remedy}; {by_hand}") from None


def check_plan(repository):
    """Raises NotInPlan if a repository, as github.repository() describes it, cannot have environments and rulesets."""
    if github.allows_rules(repository):
        return
    name = repository["full_name"]
    contexts = ",".join(f'{environment}="{context}"' for environment, context in BRANCHES.items())
    raise NotInPlan(
        f"{name} has no environments and no rulesets",
        "it is private, and the plan of its owner has them for public repositories only",
        f"gh repo edit {name} --visibility public --accept-visibility-change-consequences;"
        " or a plan that has them: https://github.com/settings/billing/plans;"
        f" or let the branches decide, see terraform/README.md: export {CONTEXTS}='{{{contexts}}}'",
    )


def prefix_of(repository):
    """The prefix of the subjects of a repository (github.repository()). Raises Unknown, CommandError."""
    name, owner = repository["full_name"], repository["owner"]
    template = github.get(TEMPLATE) or {}  # old GitHub Enterprise Servers have none
    valid = isinstance(template, dict)
    default = valid and (template.get("sub_claim_prefix") or f"repo:{name}")
    keys = valid and (template.get("include_claim_keys") or [])
    if not (isinstance(default, str) and isinstance(keys, list) and all(isinstance(key, str) for key in keys)):
        why = f"the form of the subjects is {template}"
        raise CommandError("invalid answer from GitHub", why, f"gh api repos/{name}/{TEMPLATE} prints it")
    if template.get("use_default", True):
        keys = ["repo", "context"]
    values = {
        "repo": default,
        "repository_id": f"repository_id:{repository['id']}",
        "repository_owner_id": f"repository_owner_id:{owner['id']}",
        "repository_owner": f"repository_owner:{owner['login']}",
        "repository_visibility": f"repository_visibility:{repository.get('visibility')}",
    }
    names_one = {"repo", "repository_id"} & {*keys}  # else other repositories could assume the roles
    known = {*keys[:-1]} <= {*values} and re.fullmatch(r"repo:[^:*?\s]+/[^:*?\s]+", default)
    if not (names_one and known and keys[-1] == "context"):
        raise Unknown(
            f"{name} has its own form of subjects: {', '.join(keys) or 'unknown'}",
            f"its subjects must name the repository and end with the context of the job; it has {template}",
            f"gh api --method PUT repos/{name}/{TEMPLATE} -F use_default=true;"
            f" or, if another cloud needs that form, set {VARIABLE} to the part before :environment:dev",
        )
    return ":".join(values[key] for key in keys[:-1])


def presented(repository):
    """The prefix that the jobs present: GitHub's, or that of the environment where GitHub's is unknown."""
    try:
        return prefix_of(repository)
    except Unknown:
        if prefix := os.environ.get(VARIABLE):
            return prefix
        raise
