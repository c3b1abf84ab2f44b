#!/usr/bin/env python3
"""A small GitHub for tests: the part of its REST API that the scripts use, with a memory, behind the real gh.

tests/lib/github_fake.py serve DIRECTORY    serves until it is killed; DIRECTORY then holds pid, address and:

    state.json    what GitHub knows of the one repository; tests may write it as well
    requests      the requests, "METHOD path" a line
    faults        "METHOD path status [JSON]" a line: a request that is answered so, and changes nothing; the JSON
                  has the message and the headers of the answer

gh reaches it as a proxy: GH_HOST=github.localhost HTTP_PROXY=http://ADDRESS GH_TOKEN=any.
The rules are GitHub's own where the scripts depend on them: a tag needs a commit and is made once, a release needs a
tag (or makes one) and is made once, an environment's variables need the environment, a PUT drops what it doesn't name.
A private repository without a paid plan has no rulesets and no branches of environments. A token of a job (ghs_...)
makes no reference to a commit that changes workflow files, unless a branch or tag is there.
"""

import json
import os
import re
import sys
import threading
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import loopback

REPOSITORY = "acme/shop"
IMMUTABLE = "repo:acme@12/shop@34"
# `subject` is the answer about the subjects of OIDC tokens; GitHub gives this prefix while the second key is false.
SUBJECT = {"use_default": True, "use_immutable_subject": False, "sub_claim_prefix": IMMUTABLE}
EMPTY = {
    **{"tags": {}, "objects": {}, "releases": [], "variables": {}, "environments": {}, "rulesets": [], "next": 1},
    **{"private": False, "plan": "free", "subject": SUBJECT},
    **{"branches": {}, "workflow_changes": []},  # the newest commit by branch; the commits that change workflow files
}
UPGRADE = "Upgrade to GitHub Pro or make this repository public to enable this feature."
BILLING = "Fail to create protected rule, please ensure billing plan include protected branch gate."
VARIABLES = "/(?:actions|environments/([^/]+))/variables"
POLICIES = "/environments/([^/]+)/deployment-branch-policies"
ROUTES = []  # (method, pattern of the path, function)


class Failure(Exception):
    """An answer that is an error: its status, content and headers."""

    def __init__(self, status=404, message="Not Found", headers=None, **more):
        self.answer = status, {"message": message, "status": str(status), **more}
        self.headers = headers or {}


def route(method, pattern):
    """Answers such requests by a method of GitHub: it takes the body, or the query of a GET, and the groups of the
    pattern, and returns (status, content). Content None is an empty body."""
    return lambda function: ROUTES.append((method, f"/repos/{REPOSITORY}{pattern}", function)) or function


def found(things, name, key=None):
    """The value under a name in a dictionary, or the item of a list whose key has that value."""
    if key:
        things = {thing[key]: thing for thing in things}
    if name not in things:
        raise Failure
    return things[name]


class GitHub:
    """What GitHub knows, in a directory."""

    def __init__(self, directory):
        self.directory, self.lock = Path(directory), threading.Lock()
        self.directory.mkdir(parents=True, exist_ok=True)
        for name, content in (("state.json", json.dumps(EMPTY)), ("requests", ""), ("faults", "")):
            if not (self.directory / name).exists():
                (self.directory / name).write_text(content)

    def reply(self, method, address, headers, body):
        """The answer to an HTTP request."""
        path, query = urlsplit(address).path, dict(parse_qsl(urlsplit(address).query))
        path = re.sub(f"^/repos/{REPOSITORY}(?=/|$)", f"/repos/{REPOSITORY}", path, flags=re.IGNORECASE)
        more = {}
        with self.lock:
            try:
                sent = query if method == "GET" else json.loads(body or "null")
                status, content = self.answer(method, path, sent, headers.get("Authorization"))
            except Failure as failure:
                (status, content), more = failure.answer, failure.headers
        kind = {"Content-Type": "application/json; charset=utf-8"}
        return status, kind | more, b"" if content is None else json.dumps(content).encode()

    def answer(self, method, path, body, token):
        with (self.directory / "requests").open("a") as file:
            file.write(f"{method} {path}\n")
        if not token:
            raise Failure(401, "Requires authentication")
        for fault in (self.directory / "faults").read_text().splitlines():
            if fault.startswith(f"{method} {path} "):
                status, _, answer = fault.removeprefix(f"{method} {path} ").partition(" ")
                raise Failure(int(status), **{"message": "a fault of the test"} | json.loads(answer or "{}"))
        self.token = token.split()[-1]
        self.state = json.loads((self.directory / "state.json").read_text())
        for route_method, pattern, function in ROUTES:
            if method == route_method and (match := re.fullmatch(pattern, path)):
                answer = function(self, body, *match.groups())
                if method != "GET":
                    (self.directory / "state.json").write_text(json.dumps(self.state, indent=1))
                return answer
        raise Failure

    def number(self):
        self.state["next"] += 1
        return self.state["next"]

    @route("GET", "")
    def repository(self, _):
        login, _, name = REPOSITORY.partition("/")
        visibility = "private" if self.state["private"] else "public"
        owner = {"login": login, "id": 12, "type": "Organization"}
        fixed = {"id": 34, "name": name, "full_name": REPOSITORY, "owner": owner}
        return 200, fixed | {"private": self.state["private"], "visibility": visibility}

    def needs_plan(self, status=403, message=UPGRADE):
        """Fails where only public repositories have a feature for nothing."""
        if self.state["private"] and self.state["plan"] == "free":
            raise Failure(status, message, documentation_url="https://docs.github.com/rest/repos/rules")

    @route("GET", "/actions/oidc/customization/sub")
    def subject(self, _):
        if not self.state["subject"]:
            raise Failure
        return 200, self.state["subject"]

    @route("PUT", "/actions/oidc/customization/sub")
    def set_subject(self, body):
        self.state["subject"] = {"use_immutable_subject": False, "sub_claim_prefix": IMMUTABLE} | body
        return 201, {}

    @route("GET", "/git/ref/tags/([^/]+)")
    def tag(self, _, name):
        sha = found(self.state["tags"], name)
        return 200, {"object": {"type": "tag" if sha in self.state["objects"] else "commit", "sha": sha}}

    @route("GET", "/git/tags/([0-9a-f]+)")
    def tag_object(self, _, sha):
        return 200, {"object": {"type": "commit", "sha": found(self.state["objects"], sha)}}

    @route("POST", "/git/refs")
    def make_ref(self, body):
        name = body["ref"].removeprefix("refs/tags/")
        if not re.fullmatch("[0-9a-f]{40}", body["sha"]):
            raise Failure(422, "Object does not exist")
        if name in self.state["tags"]:
            raise Failure(422, "Reference already exists")
        self.needs_workflows(body["sha"])
        self.state["tags"][name] = body["sha"]
        return 201, {"ref": body["ref"]}

    def needs_workflows(self, commit):
        """Fails for a job's token if a new reference to a commit would bring workflow files of its own."""
        referenced = {*self.state["branches"].values(), *self.state["tags"].values()}
        if self.token.startswith("ghs_") and commit in {*self.state["workflow_changes"]} - referenced:
            needed = {"X-Accepted-GitHub-Permissions": "contents=write; contents=write,workflows=write"}
            raise Failure(403, "Resource not accessible by integration", headers=needed)

    @route("GET", "/releases/tags/([^/]+)")
    def release(self, _, tag):
        return 200, found(self.state["releases"], tag, "tag_name")

    @route("GET", "/releases/latest")
    def latest(self, _):
        return 200, found(dict(enumerate(self.state["releases"], 1)), len(self.state["releases"]))

    @route("POST", "/releases")
    def make_release(self, body):
        tag, releases = body["tag_name"], self.state["releases"]
        if any(release["tag_name"] == tag for release in releases):
            raise Failure(422, "Validation Failed", errors=[{"code": "already_exists", "field": "tag_name"}])
        if tag not in self.state["tags"]:
            self.needs_workflows(body.get("target_commitish"))
            self.state["tags"][tag] = body.get("target_commitish", "the default branch's commit")
        releases.append({**body, "html_url": f"https://github.com/{REPOSITORY}/releases/tag/{tag}"})
        return 201, releases[-1]

    def variables(self, environment):
        """The variables of the repository (None) or of an environment."""
        return found(self.state["environments"], environment)["variables"] if environment else self.state["variables"]

    @route("GET", VARIABLES)
    def list_variables(self, query, environment):
        size, page = int(query.get("per_page", 10)), int(query.get("page", 1))
        assert size <= 30, "GitHub gives 30 of them at most"
        named = [{"name": name, "value": value} for name, value in sorted(self.variables(environment).items())]
        return 200, {"total_count": len(named), "variables": named[size * (page - 1) : size * page]}

    @route("POST", VARIABLES)
    def make_variable(self, body, environment):
        if body["name"] in self.variables(environment):
            raise Failure(409, "Already exists")
        self.variables(environment)[body["name"]] = body["value"]
        return 201, {}

    @route("PATCH", VARIABLES + "/([^/]+)")
    def set_variable(self, body, environment, name):
        found(self.variables(environment), name)
        self.variables(environment)[name] = body["value"]
        return 204, None

    @route("DELETE", VARIABLES + "/([^/]+)")
    def delete_variable(self, _, environment, name):
        found(self.variables(environment), name)
        del self.variables(environment)[name]
        return 204, None

    @route("GET", "/(?:actions|environments/([^/]+))/secrets/([^/]+)")
    def secret(self, _, environment, name):
        owner = found(self.state["environments"], environment) if environment else self.state
        return 200, found(owner.get("secrets", []), name, "name")

    @route("GET", "/environments/([^/]+)")
    def environment(self, _, name):
        environment = found(self.state["environments"], name)
        return 200, {"name": name} | {key: environment[key] for key in ("deployment_branch_policy", "protection_rules")}

    @route("PUT", "/environments/([^/]+)")
    def set_environment(self, body, name):
        rules = []
        if any(body.get(rule) for rule in ("deployment_branch_policy", "reviewers", "wait_timer")):
            self.needs_plan(422, BILLING)
        if body.get("wait_timer"):
            rules.append({"type": "wait_timer", "wait_timer": body["wait_timer"]})
        if body.get("reviewers"):
            reviewers = [{"type": one["type"], "reviewer": {"id": one["id"]}} for one in body["reviewers"]]
            by_others = body.get("prevent_self_review", False)
            rules.append({"type": "required_reviewers", "prevent_self_review": by_others, "reviewers": reviewers})
        environment = self.state["environments"].setdefault(name, {"variables": {}, "policies": []})
        environment |= {"deployment_branch_policy": body.get("deployment_branch_policy"), "protection_rules": rules}
        return 200, {"name": name}

    @route("GET", POLICIES)
    def policies(self, _, environment):
        return 200, {"branch_policies": found(self.state["environments"], environment)["policies"]}

    @route("POST", POLICIES)
    def make_policy(self, body, environment):
        there = found(self.state["environments"], environment)
        if not (there["deployment_branch_policy"] or {}).get("custom_branch_policies"):
            raise Failure
        there["policies"].append({"id": self.number(), **body})
        return 200, there["policies"][-1]

    @route("DELETE", POLICIES + "/([0-9]+)")
    def delete_policy(self, _, environment, number):
        there = self.state["environments"][environment]
        there["policies"] = [policy for policy in there["policies"] if policy["id"] != int(number)]
        return 204, None

    @route("GET", "/rulesets")
    def rulesets(self, _):
        self.needs_plan()
        return 200, [{"id": ruleset["id"], "name": ruleset["name"]} for ruleset in self.state["rulesets"]]

    @route("GET", "/rulesets/([0-9]+)")
    def ruleset(self, _, number):
        self.needs_plan()
        return 200, found(self.state["rulesets"], int(number), "id")

    @route("POST", "/rulesets")
    def make_ruleset(self, body):
        self.needs_plan()
        # GitHub adds defaults of its own to what it is given.
        self.state["rulesets"].append({"id": self.number(), "bypass_actors": [], "source": REPOSITORY, **body})
        return 201, self.state["rulesets"][-1]

    @route("PUT", "/rulesets/([0-9]+)")
    def set_ruleset(self, body, number):
        self.needs_plan()
        found(self.state["rulesets"], int(number), "id").update(body)
        return self.ruleset(None, number)


def server(directory):
    """A server of that directory on a free loopback port; the directory's `address` names the port."""
    github = GitHub(directory)
    made = loopback.Server(github.reply)
    (github.directory / "pid").write_text(str(os.getpid()))
    (github.directory / "address").write_text(made.address)
    return made


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", directory]:
            server(directory).serve_forever()
        case _:
            sys.exit(__doc__)
