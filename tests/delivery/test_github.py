"""github.py through the real gh against the small GitHub of tests/lib/github_fake.py."""

import json
import shutil
import threading

import github_fake
import pytest
from delivery import github
from delivery.cli import CommandError

COMMIT, OTHER = "a" * 40, "b" * 40


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The fake that gh talks to; its state can be read and written."""
    assert shutil.which("gh"), "gh is missing: make setup installs it"
    server = github_fake.server(tmp_path / "github")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    settings = {
        "GITHUB_REPOSITORY": github_fake.REPOSITORY,
        "GH_HOST": "github.localhost",
        "GH_TOKEN": "a-token",
        "GH_CONFIG_DIR": str(tmp_path / "config"),
        "HTTP_PROXY": f"http://127.0.0.1:{server.server_port}",
        "NO_PROXY": "nowhere.invalid",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    yield Hub(tmp_path / "github")
    server.shutdown()
    server.server_close()


class Hub:
    def __init__(self, directory):
        self.directory = directory

    @property
    def state(self):
        return json.loads((self.directory / "state.json").read_text())

    def set(self, **more):
        (self.directory / "state.json").write_text(json.dumps({**self.state, **more}))

    def fails(self, method, path, status):
        (self.directory / "faults").write_text(f"{method} /repos/{github_fake.REPOSITORY}/{path} {status}\n")

    def changed(self):
        asked = (self.directory / "requests").read_text().splitlines()
        return [line.replace(f"/repos/{github_fake.REPOSITORY}/", "") for line in asked if not line.startswith("GET")]


def apply(changes):
    for change in changes:
        github.ask(change.method, change.path, change.body)


def test_a_tag_is_the_commit_behind_it(hub):
    hub.set(tags={"v1.0.0": COMMIT, "v2.0.0": "1" * 40}, objects={"1" * 40: OTHER})
    assert [github.tagged(tag) for tag in ("v1.0.0", "v2.0.0", "v3.0.0")] == [COMMIT, OTHER, None]


def test_a_tag_is_made_once(hub):
    github.make_tag("v1.0.0", COMMIT)
    with pytest.raises(github.Refused, match="Reference already exists"):
        github.make_tag("v1.0.0", OTHER)
    assert hub.state["tags"] == {"v1.0.0": COMMIT}


def test_a_release_is_made_once_and_its_notes_arrive_as_they_are(hub):
    notes = '- "quoted" `$(id)` <b> é ✓\n\n- second | third\\n'
    address = github.make_release("v1.0.0", notes)
    assert address == github.make_release("v1.0.0", "other notes")
    assert [release["body"] for release in hub.state["releases"]] == [notes]
    assert hub.changed() == ["POST releases"]


def test_the_last_release(hub):
    assert github.last_release() is None
    hub.set(releases=[{"tag_name": "v1.0.0"}, {"tag_name": "v1.1.0"}])
    assert github.last_release() == "v1.1.0"


def test_an_empty_answer_is_none(hub):
    github.ask("POST", "actions/variables", {"name": "A", "value": "1"})
    assert github.ask("PATCH", "actions/variables/A", {"value": "2"}) is None
    assert hub.state["variables"] == {"A": "2"}


@pytest.mark.parametrize(
    ("status", "kind", "what", "remedy"),
    [
        (401, CommandError, "there is no login", "gh auth login"),
        (403, CommandError, "doesn't let this login", "gh auth status"),
        (404, github.NotFound, "no such thing", "gh auth status"),
        (422, github.Refused, "refuses", "gh repo view"),
        (500, CommandError, "failed", "the same again"),
        (503, CommandError, "failed", "the same again"),
    ],
)
def test_a_refusal_says_what_was_asked_and_githubs_own_words(hub, status, kind, what, remedy):
    hub.fails("POST", "git/refs", status)
    with pytest.raises(kind, match=what) as raised:
        github.make_tag("v1.0.0", COMMIT)
    assert type(raised.value) is kind
    assert "POST git/refs" in raised.value.why
    assert "a fault of the test" in raised.value.why
    assert remedy in raised.value.remedy


def test_the_reasons_of_a_validation_are_told(hub):
    hub.set(releases=[{"tag_name": "v1.0.0"}])
    with pytest.raises(github.Refused, match="already_exists"):
        github.ask("POST", "releases", {"tag_name": "v1.0.0"})


def test_nobody_answers(hub, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with pytest.raises(CommandError, match="GitHub doesn't answer") as raised:
        github.tagged("v1.0.0")
    assert "connection refused" in raised.value.why


def test_an_answer_that_is_no_json(hub, monkeypatch, tmp_path):
    fake = tmp_path / "gh"
    fake.write_text("#!/bin/sh\nprintf 'HTTP/1.1 200 OK\\r\\nA: b\\r\\n\\r\\n<html>'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(CommandError, match="can't be read"):
        github.tagged("v1.0.0")


def test_the_repository_is_the_one_of_the_clone_when_none_is_named(hub, monkeypatch, repository):
    monkeypatch.delenv("GITHUB_REPOSITORY")
    with pytest.raises(CommandError, match="GITHUB_REPOSITORY=owner/name"):
        github.ask("GET", "")
    repository.git("remote", "add", "origin", f"https://github.localhost/{github_fake.REPOSITORY}.git")
    assert github.ask("GET", "")["full_name"] == github_fake.REPOSITORY


def test_variables_change_only_where_they_differ(hub):
    hub.set(variables={"SAME": "1", "OLD": "2", "MINE": "3"})
    changes = list(github.variable_changes("actions", {"SAME": "1", "OLD": "new", "NEW": "a b"}))
    assert [change.text for change in changes] == ["~ variable: OLD=new (was 2)", "+ variable: NEW=a b"]
    assert hub.changed() == []
    apply(changes)
    assert hub.state["variables"] == {"SAME": "1", "OLD": "new", "MINE": "3", "NEW": "a b"}
    assert list(github.variable_changes("actions", {"SAME": "1", "OLD": "new", "NEW": "a b"})) == []


def test_all_variables_are_read_however_many_there_are(hub):
    for number in (0, 1, 30, 31, 60):
        there = {f"V{each}": str(each) for each in range(number)}
        hub.set(variables=there)
        assert github.variables("actions") == there


def test_an_environment_and_its_variables_are_made_together(hub):
    def changes():
        yield from github.environment_changes("prod", ["main"])
        yield from github.variable_changes("environments/prod", {"URL": "http://x"})

    apply(list(changes()))
    prod = hub.state["environments"]["prod"]
    assert prod["variables"] == {"URL": "http://x"}
    assert [policy["name"] for policy in prod["policies"]] == ["main"]
    assert list(changes()) == []


def test_a_branch_of_the_same_name_as_a_tag_is_another_one(hub):
    apply(list(github.environment_changes("prod", ["main"])))
    environments = hub.state["environments"]
    environments["prod"]["policies"] = [{"id": 9, "name": "main", "type": "tag"}]
    hub.set(environments=environments)
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
def test_holds(now, wanted, same):
    assert github.holds(now, wanted) is same


def test_a_ruleset_is_compared_by_what_it_says(hub):
    wanted = [{"name": "main", "enforcement": "active", "rules": [{"type": "deletion"}, {"type": "update"}]}]
    apply(list(github.ruleset_changes(wanted)))
    assert list(github.ruleset_changes(wanted)) == []
    rulesets = hub.state["rulesets"]
    rulesets[0]["rules"].reverse()
    hub.set(rulesets=rulesets)
    assert list(github.ruleset_changes(wanted)) == []
    rulesets[0]["enforcement"] = "disabled"
    hub.set(rulesets=rulesets)
    (change,) = github.ruleset_changes(wanted)
    assert (change.method, change.path) == ("PUT", f"rulesets/{rulesets[0]['id']}")
