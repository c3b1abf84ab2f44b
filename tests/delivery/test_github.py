"""github.py through the real gh against the small GitHub of tests/lib/github_fake.py."""

import json
import shutil

import github_fake
import pytest
from delivery import github, github_errors
from delivery.cli import CommandError

COMMIT, OTHER = "a" * 40, "b" * 40


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The fake that gh talks to; its state can be read and written."""
    assert shutil.which("gh"), "gh is missing: make setup installs it"
    server = github_fake.server(tmp_path / "github").start()
    for name, value in {
        "GITHUB_REPOSITORY": github_fake.REPOSITORY,
        "GH_HOST": "github.localhost",
        "GH_TOKEN": "a-token",
        "GH_CONFIG_DIR": str(tmp_path / "config"),
        "HTTP_PROXY": f"http://{server.address}",
        "NO_PROXY": "nowhere.invalid",
    }.items():
        monkeypatch.setenv(name, value)
    yield Hub(tmp_path / "github")
    server.close()


class Hub:
    def __init__(self, directory):
        self.directory = directory

    @property
    def state(self):
        return json.loads((self.directory / "state.json").read_text())

    def set(self, **more):
        (self.directory / "state.json").write_text(json.dumps({**self.state, **more}))

    def fails(self, method, path, status, **answer):
        fault = f"{method} /repos/{github_fake.REPOSITORY}/{path} {status} {json.dumps(answer)}\n"
        (self.directory / "faults").write_text(fault)


def test_finds_the_commit_behind_a_tag(hub):
    hub.set(tags={"v1.0.0": COMMIT, "v2.0.0": "1" * 40}, objects={"1" * 40: OTHER})
    assert [github.tagged(tag) for tag in ("v1.0.0", "v2.0.0", "v3.0.0")] == [COMMIT, OTHER, None]


def test_makes_a_tag_once(hub):
    github.make_tag("v1.0.0", COMMIT)
    with pytest.raises(github_errors.Refused, match="Reference already exists"):
        github.make_tag("v1.0.0", OTHER)
    assert hub.state["tags"] == {"v1.0.0": COMMIT}


def test_makes_a_release_once_with_its_notes_letter_for_letter(hub):
    notes = '- "quoted" `$(id)` <b> é ✓\n\n- second | third\\n'
    address = github.make_release("v1.0.0", notes, latest=True)
    assert address == github.make_release("v1.0.0", "other notes", latest=False)
    assert [(release["body"], release["make_latest"]) for release in hub.state["releases"]] == [(notes, "true")]


def test_an_empty_answer_is_none(hub):
    hub.set(variables={"A": "1"})
    assert github.ask("PATCH", "actions/variables/A", {"value": "2"}) is None
    assert hub.state["variables"] == {"A": "2"}


@pytest.mark.parametrize(
    ("status", "kind", "what", "remedy"),
    [
        (401, CommandError, "not logged in", "gh auth login"),
        (403, CommandError, "denied", "gh auth status"),
        (404, github_errors.NotFound, "not found", "gh auth status"),
        (422, github_errors.Refused, "rejected", "gh repo view"),
        (429, CommandError, "rate limit", "run the command again in a few minutes"),
        (500, CommandError, "failed", "run the command again"),
        (503, CommandError, "failed", "run the command again"),
    ],
)
def test_an_error_reports_the_request_and_the_answer_of_github(hub, status, kind, what, remedy):
    hub.fails("POST", "git/refs", status)
    with pytest.raises(kind, match=rf"{what}(?s:.*)POST git/refs(?s:.*)a fault of the test") as raised:
        github.make_tag("v1.0.0", COMMIT)
    assert type(raised.value) is kind
    assert remedy in raised.value.remedy


INTEGRATION = "Resource not accessible by integration"
TOKEN = "Resource not accessible by personal access token"
SAML = (
    "Resource protected by organization SAML enforcement. You must grant your OAuth token access to this organization."
)
SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
ALLOW_LIST = (
    "Although you appear to have the correct authorization credentials, the `acme` organization has an IP allow"
    " list enabled, and your IP address is not permitted to access this resource."
)
SCOPE = "refusing to allow an OAuth App to create or update workflow `x.yml` without `workflow` scope"
PUBLIC = "gh repo edit acme/shop --visibility public"
REVIEWERS = (
    "Failed to create the environment protection rule. Please ensure the billing plan supports the required reviewers"
)


@pytest.mark.parametrize(
    ("status", "message", "headers", "kind", "remedy"),
    [
        (403, github_fake.UPGRADE, {}, github_errors.NotInPlan, PUBLIC),
        (403, "Upgrade to GitHub Team to enable this feature.", {}, github_errors.NotInPlan, "settings/billing/plans"),
        (422, github_fake.BILLING, {}, github_errors.NotInPlan, PUBLIC),
        (422, REVIEWERS, {}, github_errors.NotInPlan, PUBLIC),
        (403, "API rate limit exceeded for user ID 1.", {}, CommandError, "again in a few minutes; gh api rate_limit"),
        (
            403,
            "API rate limit exceeded for user ID 1.",
            {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795000000"},
            CommandError,
            "run the command again after 11:06:40 UTC",
        ),
        (403, SECONDARY, {"Retry-After": "60"}, CommandError, "run the command again in 60 seconds"),
        (429, SECONDARY, {"Retry-After": "7"}, CommandError, "run the command again in 7 seconds"),
        (403, INTEGRATION, {}, github_errors.NotPermitted, "permissions: of the job"),
        (403, TOKEN, {}, github_errors.NotPermitted, "unset GH_TOKEN GITHUB_TOKEN && gh auth login"),
        (403, SCOPE, {}, github_errors.NotPermitted, "gh auth refresh --scopes workflow"),
        (
            403,
            SAML,
            {"X-GitHub-SSO": "required; url=https://github.com/orgs/acme/sso?authorization_request=A"},
            CommandError,
            "open https://github.com/orgs/acme/sso?authorization_request=A and",
        ),
        (403, SAML, {}, CommandError, "open https://github.com/settings/tokens and"),
        (403, "Must have admin rights to Repository.", {}, CommandError, "administrator"),
        (403, "Repository was archived so is read-only.", {}, CommandError, "gh repo unarchive acme/shop"),
        (403, ALLOW_LIST, {}, CommandError, "from an address"),
    ],
)
def test_a_refusal_is_told_by_its_message_and_names_its_own_remedy(hub, status, message, headers, kind, remedy):
    hub.fails("POST", "git/refs", status, message=message, headers=headers)
    with pytest.raises(kind) as raised:
        github.make_tag("v1.0.0", COMMIT)
    assert type(raised.value) is kind
    assert f"POST git/refs: gh: {message}" in raised.value.why
    assert remedy in raised.value.remedy
    assert "gh auth status" not in raised.value.remedy


@pytest.mark.parametrize("message", [INTEGRATION, TOKEN, "Forbidden"])
def test_a_refused_token_lists_the_permissions_that_github_names(hub, message):
    headers = {"X-Accepted-GitHub-Permissions": "contents=write,workflows=write"}
    hub.fails("POST", "git/refs", 403, message=message, headers=headers)
    with pytest.raises(CommandError, match="it needs contents=write,workflows=write"):
        github.make_tag("v1.0.0", COMMIT)


def test_a_remedy_names_no_repository_where_none_is_set(hub, monkeypatch, repository):
    monkeypatch.delenv("GITHUB_REPOSITORY")
    repository.git("remote", "add", "origin", f"https://github.localhost/{github_fake.REPOSITORY}.git")
    hub.set(private=True)
    with pytest.raises(github_errors.NotInPlan) as raised:
        github.ask("GET", "rulesets")
    assert raised.value.remedy.startswith("gh repo edit --visibility public")


@pytest.mark.parametrize(
    ("errors", "shown"),
    [
        ([{"message": "a"}, {"code": "b"}, "c"], ["; a", "'code': 'b'", "; c"]),
        ("text", ["; text"]),
        ({"code": 1}, ["1"]),
    ],
)
def test_shows_the_single_errors_of_a_request_in_each_form(hub, errors, shown):
    hub.fails("POST", "releases", 422, errors=errors)
    with pytest.raises(github_errors.Refused) as raised:
        github.ask("POST", "releases", {"tag_name": "v1.0.0"})
    assert [text for text in shown if text not in raised.value.why] == []


def test_the_fake_makes_no_reference_to_changed_workflows_for_the_token_of_a_job(hub, monkeypatch):
    hub.set(workflow_changes=[COMMIT, OTHER], branches={"main": OTHER})
    monkeypatch.setenv("GH_TOKEN", "ghs_job")
    for path, body in (
        ("git/refs", {"ref": "refs/tags/v1", "sha": COMMIT}),
        ("releases", {"tag_name": "v1", "target_commitish": COMMIT}),
    ):
        with pytest.raises(github_errors.NotPermitted, match="workflows=write"):
            github.ask("POST", path, body)
    github.make_tag("v2", OTHER)  # the newest of a branch
    monkeypatch.setenv("GH_TOKEN", "gho_a-user")
    github.make_tag("v1", COMMIT)
    assert hub.state["tags"] == {"v2": OTHER, "v1": COMMIT}


def test_reports_why_github_finds_a_request_invalid(hub):
    hub.set(releases=[{"tag_name": "v1.0.0"}])
    with pytest.raises(github_errors.Refused, match="already_exists"):
        github.ask("POST", "releases", {"tag_name": "v1.0.0"})


def test_fails_when_the_answer_is_not_json(hub, monkeypatch, tmp_path):
    (tmp_path / "gh").write_text("#!/bin/sh\nprintf 'HTTP/1.1 200 OK\\r\\nA: b\\r\\n\\r\\n<html>'\n")
    (tmp_path / "gh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(CommandError, match="invalid answer from GitHub"):
        github.tagged("v1.0.0")


def test_uses_the_repository_of_the_clone_when_none_is_named(hub, monkeypatch, repository):
    monkeypatch.delenv("GITHUB_REPOSITORY")
    with pytest.raises(CommandError, match="GITHUB_REPOSITORY=owner/name"):
        github.ask("GET", "")
    repository.git("remote", "add", "origin", f"https://github.localhost/{github_fake.REPOSITORY}.git")
    assert github.ask("GET", "")["full_name"] == github_fake.REPOSITORY


@pytest.mark.parametrize("count", [0, 1, 30, 31, 60])
def test_reads_all_variables_of_several_pages(hub, count):
    there = {f"V{number}": str(number) for number in range(count)}
    hub.set(variables=there)
    assert github.variables("actions") == there


def test_does_not_take_a_tag_for_a_branch_of_the_same_name(hub):
    policy = {"protected_branches": False, "custom_branch_policies": True}
    tag = {"id": 9, "name": "main", "type": "tag"}
    prod = {"variables": {}, "policies": [tag], "deployment_branch_policy": policy, "protection_rules": []}
    hub.set(environments={"prod": prod})
    texts = [change.text for change in github.environment_changes("prod", ["main"])]
    assert texts == ["+ environment prod: from branch main", "- environment prod: from tag main"]


@pytest.mark.parametrize(
    ("now", "wanted", "same"),
    [
        ({"a": 1, "more": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": {"b": [1, {"c": 2, "more": 3}]}}, {"a": {"b": [{"c": 2}, 1]}}, True),
        ([1, 2], [1], False),
        ([1, 1], [1, 2], False),
        ([], [], True),
        (None, {}, False),
        (None, [], False),
        ("a", "a", True),
        ("a", "b", False),
    ],
)
def test_compares_json(now, wanted, same):
    assert github.holds(now, wanted) is same
