"""The settings of the GitHub repository that the workflows need."""

import itertools
import json
import subprocess
import sys

from delivery import github
from delivery.cli import AlreadyReported, CommandError, confirm, log, required_variable

# The branches that may deploy to an environment. Manual runs start on main, so main may deploy to dev.
BRANCHES = {"dev": ["dev", "main"], "prod": ["main"]}


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

    Raises CommandError if the infrastructure does not exist or the answer is not yes.
    """
    region = required_variable("AWS_REGION")
    name, repository, roles, urls = outputs()
    variables = {"HOST": "aws", "NAME": name, "AWS_REGION": region, "REPOSITORY": repository}
    full_name = github.ask("GET", "")["full_name"]
    parts = [github.variable_changes("actions", variables)]
    for environment, branches in BRANCHES.items():
        settings = {"AWS_ROLE": roles[environment], "URL": urls[environment]}
        parts.append(github.environment_changes(environment, branches))
        parts.append(github.variable_changes(f"environments/{environment}", settings))
    changes = list(itertools.chain(*parts, github.ruleset_changes(RULESETS)))
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
