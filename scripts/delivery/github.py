"""GitHub, through `gh api` (REST API, version 2022-11-28). gh handles the login, the host and proxies.

The repository is GITHUB_REPOSITORY (owner/name), which GitHub Actions sets, or that of the clone's
remote. Every error raised is a CommandError of github_errors.
"""

import itertools
import json
import os
import re
import subprocess
from typing import NamedTuple

from delivery import github_errors
from delivery.cli import CommandError, log
from delivery.github_errors import NotFound, NotInPlan

INSTALL = "make setup-tools installs it for the verbs; or https://cli.github.com"
STATUS = re.compile(r"HTTP/[0-9.]+ ([0-9]{3})")
# What is read of a repository, with the types.
FIELDS = {"full_name": str, "id": int, "private": bool, "owner.login": str, "owner.id": int}


class Change(NamedTuple):
    """A request that changes something, with a description for the user."""

    text: str
    method: str
    path: str
    body: dict | None = None


def ask(method, path, body=None):
    """The decoded JSON answer to a request about the repository; None when it is empty.

    Raises a CommandError of github_errors, with GitHub's own message.
    """
    command = ["gh", "api", "--include", "--method", method, "repos/{owner}/{repo}" + (path and f"/{path}")]
    if body is not None:
        command += ["--input", "-"]
    # gh's telemetry runs in a process that outlives it.
    environment = {**os.environ, "NO_COLOR": "1", "GH_PROMPT_DISABLED": "1", "GH_TELEMETRY": "false"}
    if repository := os.environ.get("GITHUB_REPOSITORY"):
        environment["GH_REPO"] = repository
    sent = json.dumps(body) if body is not None else ""
    try:
        done = subprocess.run(command, input=sent, capture_output=True, encoding="utf-8", env=environment)
    except FileNotFoundError:
        raise CommandError("gh not found", "gh is not on the PATH", INSTALL) from None
    head, _, content = done.stdout.replace("\r\n", "\n").partition("\n\n")
    status = STATUS.match(head)
    if done.returncode or not status:
        request = f"{method} {path or 'the repository'}"
        if done.returncode == 4:  # gh has no login, and sent no request
            raise github_errors.not_logged_in(f"{request}: {done.stderr.strip()}")
        raise github_errors.failure(request, status and status[1], headers(head), done.stderr, content)
    try:
        return json.loads(content) if content.strip() else None
    except ValueError as error:
        raise CommandError("invalid answer from GitHub", f"{method} {path}: {error}", "run the command again") from None


def headers(head):
    """{name in small letters: value} of the lines after the first one of an answer."""
    lines = (line.partition(":") for line in head.splitlines()[1:])
    return {name.lower(): value.strip() for name, _, value in lines}


def get(path):
    """The answer to a GET, or None for a 404."""
    try:
        return ask("GET", path)
    except NotFound:
        return None


def repository():
    """The repository as GitHub describes it. Raises CommandError if the answer lacks one of FIELDS."""
    answer = ask("GET", "")
    fields = answer if isinstance(answer, dict) else {}
    owner = fields.get("owner")
    fields = fields | {f"owner.{name}": value for name, value in (owner if isinstance(owner, dict) else {}).items()}
    if missing := [name for name, kind in FIELDS.items() if not isinstance(fields.get(name), kind)]:
        why = f"the description of the repository has no {', '.join(missing)}"
        raise CommandError("invalid answer from GitHub", why, "gh api repos/{owner}/{repo} prints it")
    return answer


def tagged(tag):
    """The commit that a Git tag names on GitHub, or None when there is no such tag."""
    answer = get(f"git/ref/tags/{tag}")
    target = answer and answer["object"]
    while target and target["type"] == "tag":  # an annotated tag is a separate object
        target = ask("GET", f"git/tags/{target['sha']}")["object"]
    return target and target["sha"]


def make_tag(tag, commit):
    """Creates a Git tag. Raises Refused when the tag exists, or GitHub does not have the commit."""
    ask("POST", "git/refs", {"ref": f"refs/tags/{tag}", "sha": commit})


def last_release():
    """The tag of the newest release, or None."""
    answer = get("releases/latest")
    return answer and answer["tag_name"]


def release(tag):
    """The address of the release of a tag, or None."""
    answer = get(f"releases/tags/{tag}")
    return answer and answer["html_url"]


def make_release(tag, notes, latest):
    """The address of the release of a tag. Creates the release, with these notes, if there is none.

    `latest` is whether a new release becomes the latest one of the repository.
    """
    if address := release(tag):
        return address
    log(f"release {tag}")
    body = {"tag_name": tag, "name": tag, "body": notes, "make_latest": str(latest).lower()}
    return ask("POST", "releases", body)["html_url"]


def variables(where):
    """The variables of the repository (`actions`) or of an environment (`environments/NAME`), as {name: value}."""
    result = {}
    for page in itertools.count(1):
        answer = get(f"{where}/variables?per_page=30&page={page}") or {}
        result |= {variable["name"]: variable["value"] for variable in answer.get("variables", ())}
        if page * 30 >= answer.get("total_count", 0):
            return result


def variable_changes(where, expected):
    """Yields the Changes that give these variables these values; None removes one. `where` is as in variables()."""
    place = where.replace("actions", "variable").replace("environments/", "variable of ")
    existing = variables(where)
    for name, value in expected.items():
        now = existing.get(name)
        body = {"name": name, "value": value}
        if value is None:
            if now is not None:
                yield Change(f"- {place}: {name}={now}", "DELETE", f"{where}/variables/{name}")
        elif now is None:
            yield Change(f"+ {place}: {name}={value}", "POST", f"{where}/variables", body)
        elif now != value:
            text = f"~ {place}: {name}={value} (was {now})"
            yield Change(text, "PATCH", f"{where}/variables/{name}", body)


def environment_changes(name, branches):
    """Yields the Changes after which only these branches may deploy to an environment.

    Its reviewers and wait timers stay.
    """
    path = f"environments/{name}"
    now = get(path)
    if not now or not (now.get("deployment_branch_policy") or {}).get("custom_branch_policies"):
        policy = {"protected_branches": False, "custom_branch_policies": True}
        text = f"{'~' if now else '+'} environment {name}: only from chosen branches"
        yield Change(text, "PUT", path, {**protection(now), "deployment_branch_policy": policy})
    policies = now and get(f"{path}/deployment-branch-policies?per_page=100")  # a new environment has none
    existing = {
        (policy.get("type", "branch"), policy["name"]): policy["id"]
        for policy in (policies or {}).get("branch_policies", [])
    }
    for branch in branches:
        if ("branch", branch) not in existing:
            text = f"+ environment {name}: from branch {branch}"
            yield Change(text, "POST", f"{path}/deployment-branch-policies", {"name": branch, "type": "branch"})
    for (kind, pattern), number in existing.items():
        if kind != "branch" or pattern not in branches:
            text = f"- environment {name}: from {kind} {pattern}"
            yield Change(text, "DELETE", f"{path}/deployment-branch-policies/{number}")


def protection(environment):
    """The protection rules of an environment as a PUT takes them; a PUT without them would remove them."""
    kept = {}
    for rule in (environment or {}).get("protection_rules", ()):
        if rule["type"] == "wait_timer":
            kept["wait_timer"] = rule["wait_timer"]
        if rule["type"] == "required_reviewers":
            kept["prevent_self_review"] = rule.get("prevent_self_review", False)
            kept["reviewers"] = [{"type": one["type"], "id": one["reviewer"]["id"]} for one in rule["reviewers"]]
    return kept


def allows_rules(repository):
    """Whether the plan allows rulesets, and with them environments, for a repository, as repository() describes it."""
    if not repository["private"]:
        return True
    try:
        ask("GET", "rulesets?per_page=1")
    except NotInPlan:
        return False
    return True


def ruleset_changes(expected):
    """Yields the Changes that create or correct these rulesets. Rulesets with other names stay."""
    existing = {item["name"]: item["id"] for item in ask("GET", "rulesets?per_page=100&includes_parents=false")}
    for ruleset in expected:
        name = f"rules {ruleset['name']}: {', '.join(rule['type'] for rule in ruleset['rules'])}"
        if ruleset["name"] not in existing:
            yield Change(f"+ {name}", "POST", "rulesets", ruleset)
        elif not holds(ask("GET", path := f"rulesets/{existing[ruleset['name']]}"), ruleset):
            yield Change(f"~ {name}", "PUT", path, ruleset)


def holds(actual, expected):
    """Whether decoded JSON has the expected values: lists in any order, and objects that may have more keys."""
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(key in actual and holds(actual[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            return False
        return all(any(holds(item, value) for item in actual) for value in expected)
    return actual == expected
