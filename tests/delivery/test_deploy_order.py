"""make deploy on the laptop and in CI: git compares the commits of dev; FORCE with a REASON deploys any image."""

import pytest
from delivery.cli import AlreadyReported

LIVE = "sha256:" + "1" * 64
REASON = "the other one shows wrong prices"


class Dev:
    """What is live in dev."""

    def __init__(self, shop, host):
        self.shop, self.host = shop, host

    def serves(self, commit, version=None, actor="ann", digest=LIVE):
        """A commit is live, deployed by an actor; returns its snapshot tag."""
        sha, version = self.shop.head(commit) if len(commit) < 40 else commit, version or self.shop.version
        current = {"image": self.shop.image(digest), "version": version, "commit": sha}
        self.host.entries["dev"] |= {"digest": digest, "current": current}
        self.history(sha, digest, actor=actor)
        return f"{version}-SNAPSHOT-{sha}"

    def history(self, commit, digest, actor="ann", result="ok"):
        """The history has a deploy."""
        entry = {"time": "2026-01-02T03:04:05Z", "actor": actor, "environment": "dev", "verb": "deploy"}
        self.host.deploys.append(entry | {"commit": commit, "digest": digest, "result": result, "seconds": 9})


@pytest.fixture
def dev(shop, local_host):
    """Dev, in which a commit is live; the clone has one newer commit, which is HEAD, and one older."""
    for number in range(3):
        shop.commit({"book-shop/x": str(number)}, f"commit {number}")
    made = Dev(shop, local_host)
    made.serves("HEAD~1")
    return made


@pytest.fixture
def settings(monkeypatch):
    """A function that sets DELIVERY_ variables."""
    return lambda **values: [monkeypatch.setenv(f"DELIVERY_{name}", value) for name, value in values.items()]


def sent(host):
    return host.sent[-1]


def test_a_newer_commit_is_deployed_after_the_live_image(shop, local_host, dev):
    digest = shop.push()
    shop.verb("deploy", "dev").must_print(shop.image(digest))
    assert sent(local_host) == (LIVE, None)


@pytest.mark.parametrize("plan", ["", "1"])
def test_an_older_commit_is_refused_with_the_deploy_that_superseded_it(shop, local_host, dev, settings, plan):
    """The run of an older push to dev is started again, or its snapshot is named."""
    settings(PLAN=plan)
    live = dev.serves("HEAD")
    tag = shop.snapshot("HEAD~2")
    shop.push(tag, shop.labels("HEAD~2"))
    messages = (
        f"{tag} is older than {live} in dev: nothing was changed",
        f"commit {shop.head('HEAD~2')} is an ancestor of {shop.head()}. ann made {live} live at 2026-01-02T03:04:05Z",
    )
    force = f'remedy: make deploy-dev IMAGE={tag} FORCE=1 REASON="the reason"'
    shop.verb("deploy", "dev", tag).must_fail(*messages, force)
    dev.history(shop.head("HEAD~2"), shop.digest(tag))
    shop.verb("deploy", "dev", shop.image(shop.digest(tag))).must_fail(*messages, f"remedy: make rollback-dev TO={tag}")
    shop.git("checkout", "-q", "HEAD~2")
    shop.verb("deploy", "dev").must_fail(*messages)
    assert local_host.sent == []


def test_a_merged_branch_is_older_and_another_branch_is_not(shop, local_host, dev):
    """A hotfix and a force-push of dev have another history: neither commit is newer."""
    shop.git("switch", "-qc", "hotfix", "HEAD~2")
    shop.bump("0.9.9")
    digest = shop.push()
    shop.verb("deploy", "dev").must_print(shop.image(digest), "is on another branch than")
    assert sent(local_host) == (LIVE, None)
    hotfix = shop.snapshot()
    shop.git("switch", "-q", "main")
    shop.git("merge", "-q", "-s", "ours", "hotfix")
    dev.serves("HEAD")
    shop.verb("deploy", "dev", hotfix).must_fail("is an ancestor of")


def test_a_newer_commit_with_a_lower_version_is_refused(shop, local_host, dev):
    dev.serves("HEAD", "1.10.0")
    shop.bump("1.9.0")
    shop.push()
    shop.verb("deploy", "dev").must_fail("is older than 1.10.0-SNAPSHOT-", "its version '1.9.0' is lower than 1.10.0")
    assert local_host.sent == []


def test_the_same_commit_and_the_first_image_are_deployed(shop, local_host, dev):
    digest = shop.push()
    dev.serves("HEAD")  # as another image
    shop.verb("deploy", "dev").must_print(shop.image(digest))
    local_host.entries["dev"]["current"] = None
    shop.verb("deploy", "dev").must_print(shop.image(digest))
    assert local_host.sent == [(LIVE, None), ("none", None)]


def test_a_live_commit_that_this_clone_does_not_have_is_fetched_first(shop, local_host, dev, monkeypatch):
    other = "b" * 40
    dev.serves(other)
    digest = shop.push()
    messages = ("is older than the live image of dev is not known", f"this clone does not have commit {other}")
    shop.verb("deploy", "dev").must_fail(*messages, "remedy: git fetch; ", "FORCE=1 REASON=")
    assert local_host.sent == []
    # A checkout in CI has just fetched every branch: dev was force-pushed.
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    shop.verb("deploy", "dev").must_print(shop.image(digest), f"the live commit {other} is on no branch")
    assert sent(local_host) == (LIVE, None)


def test_a_shallow_clone_cannot_tell(shop, local_host, dev, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    shop.push()
    with shop.shallow_clone():
        shop.verb("deploy", "dev").must_fail("is not known", "remedy: git fetch --unshallow")
        # Both commits, but not what is between them.
        shop.git("fetch", "-q", "--depth", "1", "origin", local_host.entries["dev"]["current"]["commit"])
        messages = ("the order of two commits is not known", "this clone is shallow")
        shop.verb("deploy", "dev").must_fail(*messages, "remedy: git fetch --unshallow")
    assert local_host.sent == []


def test_an_image_that_becomes_live_meanwhile_is_compared_as_well(shop, local_host, dev, monkeypatch):
    """Two runs at the same time: the older one must not win because it was compared first."""
    deploy, digest = local_host.deploy, shop.push()

    def changed(environment, image, after=None, reason=None):
        if after == local_host.entries["dev"]["digest"]:
            return deploy(environment, image, after, reason)
        raise AlreadyReported(3)

    def superseded(*arguments):
        local_host.deploy = changed
        dev.serves(meanwhile, digest="sha256:" + "2" * 64)
        raise AlreadyReported(3)

    snapshot, newer, older = shop.snapshot(), shop.commit({"book-shop/x": "more"}, "newer"), shop.head("HEAD~3")
    for meanwhile in (newer, older):
        dev.serves("HEAD~2")
        local_host.deploy = superseded
        result = shop.verb("deploy", "dev", snapshot)
        if meanwhile == newer:
            result.must_fail("compare again", "is an ancestor of")
        else:
            result.must_print(shop.image(digest), "compare again")

    def never(*arguments):
        raise AlreadyReported(3)

    local_host.deploy = never
    shop.verb("deploy", "dev", snapshot).must_fail("compare again", status=3)


def test_an_older_host_gets_the_image_alone(shop, local_host, dev, settings):
    """The laptop is updated before the host."""
    del local_host.entries["dev"]["current"], local_host.entries["prod"]["current"]
    tag = shop.snapshot("HEAD~2")
    digest = shop.push(tag, shop.labels("HEAD~2"))
    shop.verb("deploy", "dev", tag).must_print(shop.image(digest), "the host's files are older than this checkout")
    assert sent(local_host) == (None, None)
    shop.push("1.0.0")
    shop.verb("deploy", "prod", "1.0.0").must_succeed()
    settings(FORCE="1", REASON=REASON)
    for environment in ("dev", "prod"):
        shop.verb("deploy", environment, {"dev": tag, "prod": "1.0.0"}[environment]).must_fail(
            "the host's files are older than this checkout", "remedy: make infra"
        )


@pytest.mark.parametrize("environment", ["dev", "prod"])
@pytest.mark.parametrize("plan", ["", "1"])
def test_force_with_a_reason_goes_back(shop, local_host, dev, settings, environment, plan):
    dev.serves("HEAD")
    tag = {"dev": shop.snapshot("HEAD~2"), "prod": "1.0.0"}[environment]
    shop.push(tag, shop.labels("HEAD~2"))
    settings(FORCE="1", REASON=REASON, PLAN=plan)
    shop.verb("deploy", environment, tag).must_succeed()
    assert sent(local_host) == ("unordered", None if plan else REASON)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"FORCE": "1"}, "FORCE=1 requires a reason"),
        ({"FORCE": "1", "REASON": ""}, "FORCE=1 requires a reason"),
        ({"REASON": REASON}, "REASON without FORCE=1"),
        ({"FORCE": "yes", "REASON": REASON}, "invalid DELIVERY_FORCE 'yes'"),
        ({"FORCE": "1", "REASON": "two\nlines"}, "invalid reason"),
        ({"FORCE": "1", "REASON": " "}, "invalid reason"),
        ({"FORCE": "1", "REASON": "--help"}, "invalid reason"),
        ({"FORCE": "1", "REASON": "\033[31mred"}, "invalid reason"),
        ({"FORCE": "1", "REASON": "x" * 201}, "invalid reason"),
        ({"FORCE": "1", "REASON": "a {{ssm:secret}}"}, "invalid reason"),
    ],
)
@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_force_without_a_usable_reason_is_wrong_usage(shop, local_host, settings, environment, values, message):
    settings(**values)
    shop.verb("deploy", environment).must_fail(message, "remedy: ", status=2)
    assert (local_host.calls, shop.requests()) == ([], [])


def test_a_digest_in_prod_is_that_of_a_release(shop, local_host, dev):
    digest = shop.push()  # a snapshot
    shop.verb("deploy", "prod", shop.image(digest)).must_fail("is not a release", "the version '1.0.0'", "make promote")
    shop.push("1.0.0", shop.labels("HEAD~1"))  # of another image
    shop.verb("deploy", "prod", shop.image(digest)).must_fail("is not a release")
    assert local_host.sent == []


def test_a_release_tag_that_has_moved_is_not_deployed(shop, local_host, dev):
    """The dev role may write every tag of the repository."""
    shop.push("1.0.0", shop.labels("HEAD~2"))
    shop.verb("deploy", "prod").must_fail("is not the release of HEAD", f"of commit {shop.head('HEAD~2')}")
    shop.push("1.0.0", shop.labels() | {"org.opencontainers.image.version": "0.9.0"})
    for name in ([], ["1.0.0"]):
        shop.verb("deploy", "prod", *name).must_fail("is not the release 1.0.0", "the version '0.9.0'")
    assert local_host.sent == []


@pytest.mark.parametrize("plan", ["", "1"])
def test_a_rollback_is_not_compared_and_not_repeated_by_a_run_that_is_started_again(
    shop, local_host, dev, settings, monkeypatch, plan
):
    settings(PLAN=plan)
    dev.serves("HEAD")
    tag = shop.snapshot("HEAD~2")
    shop.push(tag, shop.labels("HEAD~2"))
    monkeypatch.setenv("GITHUB_RUN_ATTEMPT", "1")
    monkeypatch.setenv("GITHUB_EVENT_NAME", "workflow_dispatch")
    shop.verb("rollback", "dev", tag).must_succeed()
    assert sent(local_host)[0] == ("unordered" if plan else None)
    monkeypatch.setenv("GITHUB_RUN_ATTEMPT", "2")
    shop.verb("rollback", "dev", tag).must_fail("a rollback is not repeated", "this is attempt 2 of a run")
    monkeypatch.setenv("GITHUB_EVENT_NAME", "push")  # a pipeline that reverts its own deploy
    shop.verb("rollback", "dev", tag).must_succeed()
