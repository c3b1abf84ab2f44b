"""The steps of main.yml after a push to main: what is promoted, deployed and released, and when nothing is."""

import contextlib
import json
import subprocess
from pathlib import Path

import infra_files
import pytest
import workflows
from delivery import handover, smoke
from delivery.cli import CommandError

TAG = "v1.0.0"


class Pipeline:
    """main.yml in a clone; `deploy` and `release` run the make targets of a job until one fails."""

    def __init__(self, shop, hub, host, page, monkeypatch):
        self.shop, self.hub, self.host, self.page, self._monkeypatch = shop, hub, host, page, monkeypatch
        self.between = {}  # {target: what happens before it}

    def job(self, name):
        job, results = workflows.workflows()["main.yml"]["jobs"][name], {}
        with self._monkeypatch.context() as context:
            for variable, value in job["env"].items():
                if not value.startswith("${{"):
                    context.setenv(variable, value)
            context.setenv("GITHUB_STEP_SUMMARY", str(self.page))
            for target in [step["run"].removeprefix("make ") for step in job["steps"] if "run" in step]:
                if target == "summary":
                    continue
                self.between.pop(target, lambda: None)()
                script, *arguments = target.replace("release-check", "release check").replace("-", " ").split()
                results[target] = self.shop.verb(script, *arguments)
                if results[target].status:
                    break
        return results

    def run(self):
        """Runs both jobs; returns {target: Result}. A new run begins on a fresh machine."""
        subprocess.run(["git", "clean", "-fdxq", "-e", "scripts"], check=True)
        results = self.job("deploy")
        return results if any(result.status for result in results.values()) else results | self.job("release")

    def must_pass(self):
        results = self.run()
        assert {target: result.status for target, result in results.items()} == dict.fromkeys(
            ("release-check", "promote", "deploy-prod", "smoke-prod", "release"), 0
        ), results
        return results

    def must_do_nothing(self):
        """The run is green, and changes neither registry, prod nor GitHub."""
        before = self.shop.writes(), self.host.live("prod"), self.hub.writes(), len(self.host.sent)
        results = self.must_pass()
        assert (self.shop.writes(), self.host.live("prod"), self.hub.writes(), len(self.host.sent)) == before
        words = "nothing to release: 1.0.0 was released with the same book-shop and k8s"
        assert [target for target, result in results.items() if words not in result.err] == []
        return self.page.read_text()

    def must_stop_at(self, target, *messages):
        results = self.run()
        assert list(results)[-1] == target, results
        results[target].must_fail(*messages)


@pytest.fixture
def pipeline(shop, hub, local_host, tmp_path, monkeypatch):
    """A Pipeline; HEAD's snapshot is in the registry, and prod answers with what is deployed."""
    monkeypatch.setattr(smoke, "probe", lambda *_: None)
    deploy = local_host.deploy

    def deployed(environment, image, *arguments):
        local_host.entries[environment] |= {"version": "1.0.0", "healthy": True}
        return deploy(environment, image, *arguments)

    monkeypatch.setattr(local_host, "deploy", deployed)
    shop.commit({"docs/x": "x", "terraform/host.tf": "x", "nginx/x.conf": "x"}, "all files")
    shop.push()
    return Pipeline(shop, hub, local_host, tmp_path / ".git/summary.md", monkeypatch)


def test_a_push_is_promoted_deployed_and_released_and_a_second_run_changes_nothing(pipeline, shop, hub, local_host):
    digest = shop.digest(shop.snapshot())
    pipeline.must_pass()
    assert (local_host.live("prod"), hub.state["tags"]) == (digest, {TAG: shop.head()})
    before = shop.writes(), hub.writes()
    pipeline.must_pass()
    assert (shop.writes(), hub.writes()) == before


@pytest.mark.parametrize("change", ["docs/x", "tests/x", ".github/workflows/x.yml", "README.md"])
def test_a_push_that_changes_neither_source_is_green_and_does_nothing(pipeline, shop, change):
    pipeline.must_pass()
    shop.commit({change: "changed"})
    summary = pipeline.must_do_nothing()
    assert "Nothing is deployed." in summary
    assert "is due" not in summary


@pytest.mark.parametrize(
    ("change", "command"),
    [
        *[(name, "make infra`") for name in ("terraform/host.tf", "terraform/commands/verb.sh", "nginx/x.conf")],
        *[(name, "make infra`") for name in ("scripts/host/bin/deploy", "scripts/delivery/x.py", "application.json")],
        ("terraform/cluster/cluster.tf", "make infra-cluster`"),
    ],
)
@pytest.mark.parametrize("released", [True, False])
def test_a_push_that_changes_files_of_the_host_says_that_infra_is_due(pipeline, shop, change, command, released):
    pipeline.must_pass()
    base = shop.head()
    if not released:
        shop.bump("1.1.0")
        shop.push()
    if change.startswith("scripts/"):  # a link to the real ones, in this clone
        subprocess.run(["git", "update-index", "--add", "--cacheinfo", f"100644,{shop.head('HEAD:docs/x')},{change}"])
        shop.git("commit", "-qm", "host files")
    else:
        shop.commit({change: "changed"})
    if released:
        summary = pipeline.must_do_nothing()
    else:
        pipeline.run()
        summary = pipeline.page.read_text()
    assert f"`{command} is due, unless it ran since: {change} changed since the release on {base}" in summary


def test_every_file_of_the_host_archive_is_one_that_infra_installs():
    assert infra_files.not_covered() == []


def test_a_changed_source_without_a_bump_is_an_error(pipeline, shop):
    pipeline.must_pass()
    shop.commit({"book-shop/x": "changed"})
    shop.push()
    bump = "remedy: bump the version in book-shop/pyproject.toml"
    pipeline.must_stop_at("release-check", "1.0.0 is released already", "changes book-shop or k8s", bump)


@pytest.mark.parametrize("fails", ["promote", "deploy-prod", "smoke-prod", "release"])
@pytest.mark.parametrize("again", ["docs", "the same run"])
def test_a_run_that_failed_is_completed_by_the_next_one(pipeline, shop, hub, local_host, monkeypatch, fails, again):
    with monkeypatch.context() as context:
        if fails == "release":
            hub.fails("POST", "releases", 502)  # after the tag
        elif fails == "deploy-prod":
            local_host.failures["deploy"] = (1, "it broke")
        elif fails == "smoke-prod":
            context.setattr(smoke, "probe", lambda *_: 1 / 0)  # the runner is lost, so nothing is rolled back
        else:
            context.setenv("DELIVERY_REPOSITORY", "localhost:1/book-shop")
        with contextlib.suppress(ZeroDivisionError):
            assert list(pipeline.run())[-1] == fails
        hub.fails()
        local_host.failures.clear()
    digest, tagged = shop.digest(shop.snapshot()), shop.head()
    if again == "docs":
        shop.commit({"docs/x": "changed"})
    pipeline.must_pass()
    assert local_host.live("prod") == digest
    tagged = tagged if fails == "release" else shop.head()
    assert (hub.state["tags"], [release["tag_name"] for release in hub.state["releases"]]) == ({TAG: tagged}, [TAG])


def test_a_failing_smoke_test_rolls_the_release_back_until_a_user_returns_to_it(
    pipeline, shop, hub, local_host, monkeypatch
):
    old, release = f"sha256:{'1' * 64}", shop.digest(shop.snapshot())
    local_host.deploy("prod", shop.image(old))
    monkeypatch.setenv("DELIVERY_SMOKE_LIMIT", "0")
    with monkeypatch.context() as context:
        context.setattr(smoke, "probe", failing_probe)
        pipeline.must_stop_at("smoke-prod", "the page is broken")
    assert (local_host.live("prod"), hub.writes()) == (old, [])
    local_host.failures["deploy"] = (1, "1.0.0 was rolled back in prod")  # as the host answers, test_order.py
    pipeline.must_stop_at("deploy-prod", "1.0.0 was rolled back in prod")
    assert (local_host.live("prod"), hub.writes()) == (old, [])
    local_host.failures.clear()
    local_host.rollback("prod", shop.image(release))
    pipeline.must_pass()
    assert (local_host.live("prod"), hub.state["tags"]) == (release, {TAG: shop.head()})


def failing_probe(*_):
    """Stands for the requests of a smoke test to a faulty release."""
    raise CommandError("the page is broken", "status 500", "make status")


def test_a_docs_push_after_a_rollback_does_not_bring_the_release_back(pipeline, shop, local_host):
    pipeline.must_pass()
    local_host.entries["prod"] |= {"digest": "sha256:" + "1" * 64, "version": "0.9.0"}
    shop.commit({"docs/x": "changed"})
    pipeline.must_do_nothing()


def test_the_promoted_digest_is_the_deployed_one(pipeline, shop, local_host):
    """The dev role may write every tag of the repository: also between two steps."""
    good = shop.digest(shop.snapshot())

    def move():
        assert shop.push("1.0.0", shop.labels() | {"faked": "yes"}) != good

    pipeline.between["deploy-prod"] = move
    messages = ("1.0.0 has moved: nothing was changed", f"{shop.image(good)} was promoted", "remedy: find out who")
    pipeline.must_stop_at("deploy-prod", *messages)
    assert local_host.live("prod") is None


def test_a_tag_that_moves_after_the_deploy_is_noticed_by_the_release(pipeline, shop, hub, local_host):
    good = shop.digest(shop.snapshot())
    pipeline.between["release"] = lambda: shop.push("1.0.0", shop.labels() | {"faked": "yes"})
    pipeline.must_stop_at("release", "prod does not serve 1.0.0: nothing was released", good)
    assert (local_host.live("prod"), hub.writes()) == (good, [])


def test_a_snapshot_of_another_commit_is_not_promoted(pipeline, shop):
    """A snapshot's tag that has moved."""
    for labels in (shop.labels() | {"book-shop.source": "another"}, {"a": "b"}):
        shop.push(shop.snapshot(), labels)
        pipeline.must_stop_at("promote", "is not the image of this commit", "its label")
        assert shop.digest("1.0.0") is None


@pytest.mark.parametrize(
    "content", [None, "", "[]", '{"commit": 1}', json.dumps({"commit": "0" * 40, "version": "1.0.0", "image": "x"})]
)
def test_without_the_promoted_digest_nothing_is_deployed(pipeline, shop, local_host, monkeypatch, content):
    shop.push("1.0.0")
    monkeypatch.setenv("DELIVERY_RELEASE_FILE", ".release")
    if content is not None:
        Path(handover.path()).write_text(content)
    for verb in ("deploy", "smoke"):
        shop.verb(verb, "prod").must_fail("release-check promote")
    assert local_host.sent == []


@pytest.mark.parametrize(("version", "latest"), [("0.9.9", "false"), ("0.10.0", "false"), ("1.0.0", "true")])
def test_the_latest_release_on_github_does_not_go_back(pipeline, shop, hub, local_host, version, latest):
    """A hotfix of an older version, after a rollback."""
    with hub.changing() as state:
        state["releases"].append({"tag_name": "v0.11.0"})
    shop.bump(version)
    digest = shop.push(version)
    local_host.entries["prod"] |= {"digest": digest, "version": version, "healthy": True}
    shop.verb("release").must_succeed()
    assert hub.state["releases"][-1]["make_latest"] == latest
