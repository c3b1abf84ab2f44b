#!/usr/bin/env python3
"""A small GitHub for tests: the part of its REST API that the scripts use, with a memory, behind the real gh.

tests/lib/github_fake.py serve DIRECTORY    serves until it is killed; DIRECTORY then holds pid, address and:

    state.json    what GitHub knows of the one repository; may be written by tests as well
    requests      what was asked, "METHOD path" a line
    faults        "METHOD path status" a line: what is answered so, and changes nothing

gh reaches it as a proxy: GH_HOST=github.localhost HTTP_PROXY=http://ADDRESS GH_TOKEN=any.
The rules are GitHub's own where the scripts depend on them: a tag needs a commit and is made once, a release needs a
tag (or makes one) and is made once, an environment's variables need the environment, a PUT drops what it doesn't name.
"""

import http.server
import json
import os
import re
import sys
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

REPOSITORY = "acme/shop"
EMPTY = {"tags": {}, "objects": {}, "releases": [], "variables": {}, "environments": {}, "rulesets": [], "next": 1}
COMMIT = re.compile("[0-9a-f]{40}")


class GitHub:
    """What is known, in a directory; `answer` is the whole API."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        for name, content in (("state.json", json.dumps(EMPTY)), ("requests", ""), ("faults", "")):
            if not (self.directory / name).exists():
                (self.directory / name).write_text(content)

    def answer(self, method, path, body, token):
        """The (status, content) for a request; `body` of a GET is its query. Content None is an empty body."""
        with (self.directory / "requests").open("a") as file:
            file.write(f"{method} {path}\n")
        if not token:
            return 401, {"message": "Requires authentication"}
        for fault in (self.directory / "faults").read_text().splitlines():
            fault_method, fault_path, status = fault.split()
            if (fault_method, fault_path) == (method, path):
                return int(status), {"message": "a fault of the test"}
        self.state = json.loads((self.directory / "state.json").read_text())
        for pattern, methods in ROUTES.items():
            if (found := re.fullmatch(f"/repos/{REPOSITORY}{pattern}", path)) and method in methods:
                status, content = methods[method](self, body, *found.groups())
                if method != "GET" and status < 300:
                    (self.directory / "state.json").write_text(json.dumps(self.state, indent=1))
                return status, content
        return 404, {"message": "Not Found"}

    def number(self):
        self.state["next"] += 1
        return self.state["next"]

    def repository(self, _):
        return 200, {"full_name": REPOSITORY}

    def tag(self, _, name):
        sha = self.state["tags"].get(name)
        kind = "tag" if sha in self.state["objects"] else "commit"
        return (200, {"object": {"type": kind, "sha": sha}}) if sha else MISSING

    def tag_object(self, _, sha):
        target = self.state["objects"].get(sha)
        return (200, {"object": {"type": "commit", "sha": target}}) if target else MISSING

    def make_ref(self, body):
        name = body["ref"].removeprefix("refs/tags/")
        if not COMMIT.fullmatch(body["sha"]):
            return 422, {"message": "Object does not exist"}
        if name in self.state["tags"]:
            return 422, {"message": "Reference already exists"}
        self.state["tags"][name] = body["sha"]
        return 201, {"ref": body["ref"]}

    def release(self, _, tag):
        return next(((200, release) for release in self.state["releases"] if release["tag_name"] == tag), MISSING)

    def latest(self, _):
        return (200, self.state["releases"][-1]) if self.state["releases"] else MISSING

    def make_release(self, body):
        tag = body["tag_name"]
        if self.release(None, tag) is not MISSING:
            return 422, {"message": "Validation Failed", "errors": [{"code": "already_exists", "field": "tag_name"}]}
        self.state["tags"].setdefault(tag, body.get("target_commitish", "the default branch's commit"))
        self.state["releases"].append({**body, "html_url": f"https://github.com/{REPOSITORY}/releases/tag/{tag}"})
        return 201, self.state["releases"][-1]

    def variables(self, environment):
        """The variables of the repository, or of an environment; None when there is no such environment."""
        if environment is None:
            return self.state["variables"]
        return self.state["environments"].get(environment, {}).get("variables")

    def list_variables(self, query, environment):
        there = self.variables(environment)
        if there is None:
            return MISSING
        size, page = int(query.get("per_page", 10)), int(query.get("page", 1))
        assert size <= 30, "GitHub gives 30 of them at most"
        named = [{"name": name, "value": value} for name, value in sorted(there.items())]
        return 200, {"total_count": len(named), "variables": named[size * (page - 1) : size * page]}

    def make_variable(self, body, environment):
        there = self.variables(environment)
        if there is None:
            return MISSING
        if body["name"] in there:
            return 409, {"message": "Already exists"}
        there[body["name"]] = body["value"]
        return 201, {}

    def set_variable(self, body, environment, name):
        there = self.variables(environment) or {}
        if name not in there:
            return MISSING
        there[name] = body["value"]
        return 204, None

    def environment(self, _, name):
        there = self.state["environments"].get(name)
        keys = ("deployment_branch_policy", "protection_rules")
        return (200, {"name": name, **{key: there[key] for key in keys}}) if there else MISSING

    def set_environment(self, body, name):
        rules = []
        if body.get("wait_timer"):
            rules.append({"type": "wait_timer", "wait_timer": body["wait_timer"]})
        if body.get("reviewers"):
            reviewers = [{"type": one["type"], "reviewer": {"id": one["id"]}} for one in body["reviewers"]]
            rules.append(
                {
                    "type": "required_reviewers",
                    "prevent_self_review": body.get("prevent_self_review", False),
                    "reviewers": reviewers,
                }
            )
        there = self.state["environments"].setdefault(name, {"variables": {}, "policies": []})
        there["deployment_branch_policy"] = body.get("deployment_branch_policy")
        there["protection_rules"] = rules
        return 200, {"name": name}

    def policies(self, _, environment):
        there = self.state["environments"].get(environment)
        return (200, {"branch_policies": there["policies"]}) if there else MISSING

    def make_policy(self, body, environment):
        there = self.state["environments"].get(environment)
        if not there or not (there["deployment_branch_policy"] or {}).get("custom_branch_policies"):
            return MISSING
        there["policies"].append({"id": self.number(), **body})
        return 200, there["policies"][-1]

    def delete_policy(self, _, environment, number):
        there = self.state["environments"][environment]
        there["policies"] = [policy for policy in there["policies"] if policy["id"] != int(number)]
        return 204, None

    def rulesets(self, _):
        return 200, [{"id": ruleset["id"], "name": ruleset["name"]} for ruleset in self.state["rulesets"]]

    def ruleset(self, _, number):
        return next(((200, ruleset) for ruleset in self.state["rulesets"] if ruleset["id"] == int(number)), MISSING)

    def make_ruleset(self, body):
        # GitHub adds defaults of its own to what it is given.
        self.state["rulesets"].append({"id": self.number(), "bypass_actors": [], "source": REPOSITORY, **body})
        return 201, self.state["rulesets"][-1]

    def set_ruleset(self, body, number):
        status, there = self.ruleset(None, number)
        if status == 200:
            there.update(body)
        return status, there


MISSING = (404, {"message": "Not Found"})
VARIABLES = r"/(?:actions|environments/([^/]+))/variables"
ROUTES = {
    "": {"GET": GitHub.repository},
    r"/git/ref/tags/([^/]+)": {"GET": GitHub.tag},
    r"/git/tags/([0-9a-f]+)": {"GET": GitHub.tag_object},
    r"/git/refs": {"POST": GitHub.make_ref},
    r"/releases/tags/([^/]+)": {"GET": GitHub.release},
    r"/releases/latest": {"GET": GitHub.latest},
    r"/releases": {"POST": GitHub.make_release},
    VARIABLES: {"GET": GitHub.list_variables, "POST": GitHub.make_variable},
    VARIABLES + r"/([^/]+)": {"PATCH": GitHub.set_variable},
    r"/environments/([^/]+)": {"GET": GitHub.environment, "PUT": GitHub.set_environment},
    r"/environments/([^/]+)/deployment-branch-policies": {"GET": GitHub.policies, "POST": GitHub.make_policy},
    r"/environments/([^/]+)/deployment-branch-policies/([0-9]+)": {"DELETE": GitHub.delete_policy},
    r"/rulesets": {"GET": GitHub.rulesets, "POST": GitHub.make_ruleset},
    r"/rulesets/([0-9]+)": {"GET": GitHub.ruleset, "PUT": GitHub.set_ruleset},
}


def server(directory):
    """A server of that directory on a free loopback port; the directory's `address` says where."""
    github = GitHub(directory)

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self):
            address = urlsplit(self.path)
            body = json.loads(self.sent() or "null") if self.command != "GET" else dict(parse_qsl(address.query))
            status, content = github.answer(self.command, address.path, body, self.headers.get("Authorization"))
            sent = b"" if content is None else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def sent(self):
            """The body of the request; gh sends its standard input in chunks."""
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            chunks = []
            while length := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(length))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, *_):
            pass  # `requests` has it

    made = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    (github.directory / "pid").write_text(str(os.getpid()))
    (github.directory / "address").write_text(f"127.0.0.1:{made.server_port}")
    return made


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", directory]:
            server(directory).serve_forever()
        case _:
            sys.exit(__doc__)
