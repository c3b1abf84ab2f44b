#!/usr/bin/env python3
"""A small GitHub for tests: the part of its REST API that the scripts use, with a memory, behind the real gh.

tests/lib/github_fake.py serve DIRECTORY    serves until it is killed; DIRECTORY then holds pid, address and:

    state.json    what GitHub knows of the one repository; tests may write it as well
    requests      the requests, "METHOD path" a line
    faults        "METHOD path status" a line: a request that is answered so, and changes nothing

gh reaches it as a proxy: GH_HOST=github.localhost HTTP_PROXY=http://ADDRESS GH_TOKEN=any.
The rules are GitHub's own where the scripts depend on them: a tag needs a commit and is made once, a release needs a
tag (or makes one) and is made once, an environment's variables need the environment, a PUT drops what it doesn't name.
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
EMPTY = {"tags": {}, "objects": {}, "releases": [], "variables": {}, "environments": {}, "rulesets": [], "next": 1}
VARIABLES = "/(?:actions|environments/([^/]+))/variables"
POLICIES = "/environments/([^/]+)/deployment-branch-policies"
ROUTES = []  # (method, pattern of the path, function)


class Failure(Exception):
    """An answer that is an error: its status and content."""

    def __init__(self, status=404, message="Not Found", **more):
        self.answer = status, {"message": message, **more}


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
        with self.lock:
            try:
                sent = query if method == "GET" else json.loads(body or "null")
                status, content = self.answer(method, path, sent, headers.get("Authorization"))
            except Failure as failure:
                status, content = failure.answer
        kind = {"Content-Type": "application/json; charset=utf-8"}
        return status, kind, b"" if content is None else json.dumps(content).encode()

    def answer(self, method, path, body, token):
        with (self.directory / "requests").open("a") as file:
            file.write(f"{method} {path}\n")
        if not token:
            raise Failure(401, "Requires authentication")
        for fault in (self.directory / "faults").read_text().splitlines():
            if fault.startswith(f"{method} {path} "):
                raise Failure(int(fault.split()[2]), "a fault of the test")
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
        return 200, {"full_name": REPOSITORY}

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
        self.state["tags"][name] = body["sha"]
        return 201, {"ref": body["ref"]}

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
        self.state["tags"].setdefault(tag, body.get("target_commitish", "the default branch's commit"))
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

    @route("GET", "/environments/([^/]+)")
    def environment(self, _, name):
        environment = found(self.state["environments"], name)
        return 200, {"name": name} | {key: environment[key] for key in ("deployment_branch_policy", "protection_rules")}

    @route("PUT", "/environments/([^/]+)")
    def set_environment(self, body, name):
        rules = []
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
        return 200, [{"id": ruleset["id"], "name": ruleset["name"]} for ruleset in self.state["rulesets"]]

    @route("GET", "/rulesets/([0-9]+)")
    def ruleset(self, _, number):
        return 200, found(self.state["rulesets"], int(number), "id")

    @route("POST", "/rulesets")
    def make_ruleset(self, body):
        # GitHub adds defaults of its own to what it is given.
        self.state["rulesets"].append({"id": self.number(), "bypass_actors": [], "source": REPOSITORY, **body})
        return 201, self.state["rulesets"][-1]

    @route("PUT", "/rulesets/([0-9]+)")
    def set_ruleset(self, body, number):
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
