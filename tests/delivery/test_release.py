"""make release: the Git tag and the GitHub release of HEAD, once prod serves it."""

import re
import shutil
import subprocess

import pytest

TAG, OTHER = "v1.0.0", "b" * 40


def promote(shop, local_host):
    """Makes HEAD's snapshot the release 1.0.0 and live in prod; returns its digest."""
    digest = shop.push("1.0.0")
    local_host.entries["prod"] |= {"digest": digest, "version": "1.0.0", "healthy": True}
    return digest


@pytest.fixture
def promoted(shop, local_host):
    """The digest of HEAD's snapshot, which is released and live in prod."""
    shop.commit({"book-shop/x": "new"}, "second")
    return promote(shop, local_host)


def test_tags_head_and_makes_the_release_with_digest_and_notes(shop, hub, promoted):
    result = shop.verb("release")
    result.must_print("https://github.com/acme/shop/releases/tag/v1.0.0")
    assert result.err == f"==> the host's status\n==> tag {shop.head()} as v1.0.0\n==> release v1.0.0\n"
    assert hub.writes() == ["POST git/refs", "POST releases"]
    assert hub.state["tags"] == {TAG: shop.head()}
    (release,) = hub.state["releases"]
    changes = shop.git("log", "--format=- %s (%h)")
    built = f"Image: `{shop.image(promoted)}`\n\nBuilt from {shop.head()}."
    assert release["body"] == f"{built}\n\n## Changes\n\n{changes}\n"
    assert changes.startswith("- second (")


def test_changes_nothing_the_second_time(shop, hub, promoted):
    first = shop.verb("release")
    writes = hub.writes()
    second = shop.verb("release")
    second.must_print(first.out.strip())
    assert second.err == "==> the host's status\n"
    assert hub.writes() == writes


def test_the_notes_are_the_commits_since_the_last_release_without_merges(shop, hub, local_host):
    with hub.changing() as state:  # an annotated tag is an object of its own
        state["objects"]["a" * 40] = shop.head()
        state["tags"]["v0.9.0"] = "a" * 40
        state["releases"].append({"tag_name": "v0.9.0"})
    shop.git("switch", "-q", "-c", "dev")
    shop.commit({"book-shop/x": "x"}, "more than one word")
    shop.commit({"book-shop/y": "y"}, "$(reboot) `id`")
    shop.git("switch", "-q", "main")
    shop.git("merge", "-q", "--no-ff", "-m", "a merge", "dev")
    promote(shop, local_host)
    assert shop.verb("release").status == 0
    short = [shop.git("rev-parse", "--short", commit) for commit in ("dev", "dev~1")]
    notes = hub.state["releases"][-1]["body"].partition("## ")[2]
    assert notes == f"Changes since v0.9.0\n\n- $(reboot) `id` ({short[0]})\n- more than one word ({short[1]})\n"


def test_names_the_command_that_fetches_missing_commits(shop, hub, promoted):
    with hub.changing() as state:
        state["tags"]["v0.9.0"] = OTHER
        state["releases"].append({"tag_name": "v0.9.0"})
    missing = "the commits since v0.9.0 are not all in this clone"
    shop.verb("release").must_fail(missing, "remedy: git fetch --all")
    with shop.shallow_clone():
        shop.verb("release").must_fail(missing, "remedy: git fetch --unshallow")
    assert hub.writes() == []


@pytest.mark.parametrize("arguments", [["check"], []])
def test_refuses_a_tag_of_another_commit_before_it_asks_registry_and_host(shop, hub, local_host, promoted, arguments):
    before = shop.requests()
    other = shop.head("HEAD~1")  # has another source
    with hub.changing() as state:
        state["tags"][TAG] = other
    remedy = "remedy: bump the version in book-shop/pyproject.toml"
    shop.verb("release", *arguments).must_fail("1.0.0 is released already", f"v1.0.0 is on commit {other}", remedy)
    with hub.changing() as state:
        state["tags"][TAG] = OTHER
    missing = f"v1.0.0 is on commit {OTHER}, which this clone does not have"
    shop.verb("release", *arguments).must_fail("1.0.0 is released already", missing, "remedy: git fetch --tags")
    assert (shop.requests(), local_host.calls, hub.writes()) == (before, [], [])


@pytest.mark.parametrize("tagged", [False, True])
def test_check_prints_a_version_that_is_free_or_heads_and_asks_for_its_tag_alone(shop, hub, local_host, tagged):
    if tagged:
        with hub.changing() as state:
            state["tags"][TAG] = shop.head()
    shop.verb("release", "check").must_print(TAG)
    last = [] if tagged else ["GET releases/latest"]
    assert hub.requests() == ["GET git/ref/tags/v1.0.0", *last]
    assert (shop.requests(), local_host.calls) == ([], [])


def test_finishes_a_release_that_failed_after_its_tag(shop, hub, promoted):
    hub.fails("POST", "releases", 502)
    shop.verb("release").must_fail("GitHub failed", "HTTP 502", "remedy: run the command again")
    hub.fails()
    assert shop.verb("release").status == 0
    assert hub.state["tags"] == {TAG: shop.head()}
    assert len(hub.state["releases"]) == 1


@pytest.mark.parametrize(
    ("run", "again"), [("4711", " && gh run rerun 4711 --failed"), ("", " && make release")], ids=["a job", "a laptop"]
)
def test_names_commands_that_tag_a_commit_with_workflows_where_a_job_may_not(
    shop, hub, promoted, monkeypatch, tmp_path, run, again
):
    """main has moved on since, so that no branch has the commit as its newest."""
    commit, origin = shop.head(), tmp_path / "origin"
    subprocess.run(["git", "clone", "-q", "--bare", ".", origin], check=True)
    shop.git("remote", "add", "origin", str(origin))
    with hub.changing() as state:
        state |= {"workflow_changes": [commit], "branches": {"main": OTHER}}
    monkeypatch.setenv("GH_TOKEN", "ghs_job")
    monkeypatch.setenv("GITHUB_RUN_ID", run)
    result = shop.verb("release")
    result.must_fail(f"cannot tag {commit} as {TAG}", "Resource not accessible by integration", "workflows=write")
    assert hub.state["tags"] == {}

    command = re.search("remedy: .*?: (.*)", result.err)[1]
    assert command.endswith(again)
    subprocess.run(command.removesuffix(again), shell=True, check=True, capture_output=True)
    with hub.changing() as state:  # GitHub is the origin
        tags = shop.git("-C", str(origin), "for-each-ref", "--format=%(refname:strip=2) %(objectname)", "refs/tags")
        state["tags"] = dict(line.split() for line in tags.splitlines())
    shop.verb("release").must_print("https://github.com/acme/shop/releases/tag/v1.0.0")
    assert hub.state["tags"] == {TAG: commit}
    assert len(hub.state["releases"]) == 1


def test_the_token_of_a_job_tags_the_newest_commit_of_a_branch_with_changed_workflows(shop, hub, promoted, monkeypatch):
    with hub.changing() as state:
        state |= {"workflow_changes": [shop.head()], "branches": {"main": shop.head()}}
    monkeypatch.setenv("GH_TOKEN", "ghs_job")
    assert shop.verb("release").status == 0
    assert hub.state["tags"] == {TAG: shop.head()}


@pytest.mark.parametrize(
    "difference", [{"digest": "sha256:other"}, {"version": "0.9.0"}, {"version": None}, {"healthy": False}]
)
def test_refuses_what_prod_does_not_serve(shop, hub, local_host, promoted, difference):
    local_host.entries["prod"] |= difference
    messages = ("prod does not serve 1.0.0: nothing was released", promoted, "remedy: make deploy-prod")
    shop.verb("release").must_fail(*messages)
    assert hub.writes() == []


def test_releases_nothing_when_the_host_does_not_answer(shop, hub, local_host, promoted):
    local_host.failures["status"] = (3, "no kubectl")
    shop.verb("release").must_fail("the live image of prod is not known", "no kubectl")
    local_host.is_stopped = True
    shop.verb("release").must_fail("the local host is not running")
    assert hub.writes() == []


def test_refuses_a_version_that_was_not_promoted(shop, hub):
    shop.verb("release").must_fail(f"{shop.reference} has no tag 1.0.0", "remedy: make promote deploy-prod")


def test_refuses_a_version_of_another_source(shop, hub, promoted):
    commit = shop.commit({"book-shop/x": "forgotten bump"})
    messages = (f"1.0.0 is not the image of {commit}", f"of commit {shop.head('HEAD~1')}", "bump the version")
    shop.verb("release").must_fail(*messages)
    assert hub.writes() == []


@pytest.mark.parametrize(
    ("settings", "messages"),
    [
        ({"PATH": "{git}"}, ["gh not found", "remedy: make setup"]),
        ({"GH_TOKEN": "", "GH_HOST": ""}, ["not logged in to GitHub", "remedy: gh auth login"]),
        ({"GITHUB_REPOSITORY": ""}, ["GITHUB_REPOSITORY=owner/name"]),
        ({}, ["GitHub doesn't answer", "connection refused"]),
    ],
)
def test_needs_gh_a_login_and_the_network(shop, monkeypatch, tmp_path, settings, messages):
    """By the real gh. It does not report its use to its makers."""
    git = tmp_path / ".git/bin/git"
    git.parent.mkdir()
    git.symlink_to(shutil.which("git"))
    common = {"GITHUB_REPOSITORY": "acme/shop", "GH_HOST": "github.localhost", "GH_TOKEN": "a-token"}
    common |= {"GH_CONFIG_DIR": str(tmp_path / ".git/gh"), "HTTP_PROXY": "http://127.0.0.1:1", "GH_TELEMETRY": "log"}
    for name, value in (common | {"NO_PROXY": "nowhere.invalid"} | settings).items():
        monkeypatch.setenv(name, value.format(git=git.parent))
    result = shop.verb("release")
    result.must_fail(*messages)
    assert "Telemetry" not in result.err
