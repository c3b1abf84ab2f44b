"""make promote: the snapshot of a commit gets the release tag, in a developer's clone and in that of main.yml."""

import shutil

import pytest
import workflows
from delivery import promotion


def fast_forward(shop):
    shop.git("merge", "--ff-only", "dev")


def merge(shop):
    shop.git("merge", "--no-ff", "-m", "Merge pull request #1", "dev")


def squash(shop):
    shop.git("merge", "--squash", "dev")
    shop.commit(message="dev, squashed (#1)")


def rebase(shop):
    """It makes other commits of those of dev."""
    shop.git("switch", "-c", "rebased", "dev")
    shop.git("rebase", "main")
    shop.git("switch", "main")
    shop.git("merge", "--ff-only", "rebased")
    shop.git("branch", "-D", "rebased")
    assert shop.head("main") != shop.head("dev")


STEPS = {
    "docs": lambda shop: shop.commit({"docs/notes.md": shop.head()}),
    "code": lambda shop: shop.commit({"book-shop/x": shop.head()}),
    "revert": lambda shop: shop.commit({"book-shop/x": None}),
    "k8s": lambda shop: shop.commit({"k8s/shop.yaml": "kind: Job\n"}),
    "bump": lambda shop: shop.bump("1.1.0"),
    "push": lambda shop: shop.push(),
    "promote": lambda shop: shop.verb("promote"),
    "dev": lambda shop: shop.git("switch", "dev"),
    "main": lambda shop: shop.git("switch", "main"),
    "push 2.0.0": lambda shop: shop.push(f"2.0.0-SNAPSHOT-{shop.head()}"),
} | {step.__name__: step for step in (fast_forward, merge, squash, rebase)}


def make(shop, history):
    """Does these steps one after the other."""
    for step in filter(None, history.split(", ")):
        STEPS[step](shop)


@pytest.fixture
def promote(shop, hub, tmp_path, monkeypatch):
    """A function that promotes HEAD: as a developer, or as main.yml does, in a clone as actions/checkout makes it."""
    steps = [step["run"] for step in workflows.workflows()["main.yml"]["jobs"]["deploy"]["steps"] if "run" in step]
    assert steps[:2] == ["make release-check", "make promote"]

    def promote(where):
        if where == "by a developer":
            return shop.verb("promote")
        clone = tmp_path / ".git/runner"
        shutil.rmtree(clone, ignore_errors=True)
        shop.git("clone", "-q", "--branch", "main", str(tmp_path), str(clone))
        (clone / "scripts").symlink_to(tmp_path / "scripts")
        with monkeypatch.context() as context:
            context.chdir(clone)
            checked = shop.verb("release", "check")
            return shop.verb("promote") if checked.status == 0 else checked

    shop.git("branch", "dev")
    return promote


WHERE = pytest.mark.parametrize("where", ["by a developer", "by main.yml"])


@WHERE
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("", "docs"),
        ("push, docs", "docs"),  # the newest of one source
        ("", "promote, docs, push"),  # a newer snapshot of the released source: nothing to do
        ("", "code, push, revert"),
        ("push, promote, bump", ""),
        ("", "dev, code, push, main"),  # a newer snapshot of another source
        ("dev, bump", "main, fast_forward"),
        ("dev, code, push, code, bump", "main, docs, merge"),
        ("dev, code, push, code, bump", "main, docs, squash"),
        ("dev, code, push, bump", "main, docs, rebase"),
        ("dev, bump", "main, merge, dev, code, push, main"),  # dev has more by now
    ],
)
def test_gives_the_release_tag_to_the_newest_snapshot_of_the_source(shop, promote, before, after, where):
    """`before` is what happens until that snapshot is pushed, `after` until main is promoted."""
    make(shop, before)
    digest = shop.push()
    make(shop, after)
    promote(where).must_print(shop.image(digest))
    assert shop.digest(shop.version) == digest
    writes = shop.writes()
    promote(where).must_print(shop.image(digest))  # again
    assert shop.writes() == writes


@WHERE
@pytest.mark.parametrize(
    "history",
    [
        "push, code",
        "push, k8s",
        "push 2.0.0",  # of another version
        "code, bump",  # a hotfix on main
        "dev, bump, push, main, code, merge",  # main has changes of its own
    ],
)
def test_fails_without_a_snapshot_of_the_source_until_dev_has_pushed_it(shop, hub, promote, history, where):
    make(shop, history)
    writes = shop.writes()
    missing = f"{shop.reference} has no snapshot of commit {shop.head()}"
    reasons = (f"no tag {shop.version}-SNAPSHOT-<commit>", shop.labels()["book-shop.source"], "or dev")
    promote(where).must_fail(missing, *reasons, "remedy: make image push; or push it to dev")
    assert (shop.writes(), hub.writes()) == (writes, [])
    digest = shop.push()
    promote(where).must_print(shop.image(digest))


def test_moves_one_manifest_and_no_layer(shop, monkeypatch):
    monkeypatch.delattr(promotion, "docker")  # it needs no engine
    digest = shop.push()
    before = shop.requests()
    result = shop.verb("promote")
    assert result.err == f"==> promoting {shop.snapshot()} to 1.0.0\n"
    requests = [request for request in shop.requests()[len(before) :] if not request.startswith("HEAD")]
    (config,) = (request for request in requests if request.startswith("GET blobs/"))  # the labels
    assert requests == [f"GET manifests/{digest}", config, "PUT manifests/1.0.0"]
    assert shop.verb("promote").err == f"==> 1.0.0 is {shop.snapshot()} already\n"


def test_never_moves_a_release_to_another_image(shop):
    digest = shop.push()
    make(shop, "promote, code, push")
    released = f"{shop.reference}:1.0.0 is released already, as another image"
    remedy = "remedy: bump the version in book-shop/pyproject.toml"
    shop.verb("promote").must_fail(released, digest, shop.snapshot(), remedy)
    make(shop, "bump, push, promote")
    assert shop.digest("1.0.0") == digest


def test_main_yml_refuses_a_forgotten_bump_before_it_asks_the_registry(shop, hub, promote):
    with hub.changing() as state:
        state["tags"]["v1.0.0"] = shop.head()
    make(shop, "push, promote, dev, code, push, main, merge")
    before = shop.requests()
    remedy = "bump the version in book-shop/pyproject.toml"
    promote("by main.yml").must_fail("1.0.0 is released already", "v1.0.0 is on commit", remedy)
    assert (shop.requests(), hub.requests()) == (before, ["GET git/ref/tags/v1.0.0"])


def test_promotes_a_named_commit(shop):
    digest = shop.push()
    commit = STEPS["code"](shop)
    shop.verb("promote", "HEAD~1").must_print(shop.image(digest))
    make(shop, "bump")
    shop.verb("promote", commit).must_fail(f"remedy: make image push promote COMMIT={commit}")


def test_plans_and_writes_nothing(shop, monkeypatch):
    digest = shop.push()
    for released in ("", " (already promoted)"):
        monkeypatch.setenv("DELIVERY_PLAN", "1")
        result = shop.verb("promote")
        result.must_print(f"{shop.snapshot()} -> 1.0.0{released}: {shop.image(digest)}")
        assert (result.err, shop.digest("1.0.0")) == ("", digest if released else None)
        monkeypatch.delenv("DELIVERY_PLAN")
        make(shop, "promote")


def test_names_a_shallow_clone_when_it_finds_nothing(shop):
    make(shop, "code")
    with shop.shallow_clone():
        shop.verb("promote").must_fail("has no snapshot", "git fetch --unshallow")


@pytest.mark.parametrize("verb", ["promote", "push"])
@pytest.mark.parametrize(
    ("name", "status", "messages"),
    [
        ("127.0.0.1:1/book-shop", 1, ("cannot reach the registry at 127.0.0.1:1", "remedy: make demo")),
        ("localhost:5000/book-shop:tag", 2, ("invalid repository 'localhost:5000/book-shop:tag'",)),
        ("Book-Shop", 2, ("invalid repository 'Book-Shop'",)),
        ("", 1, ("REPOSITORY is not set", "through make")),
    ],
)
def test_fails_without_a_registry(shop, monkeypatch, verb, name, status, messages):
    monkeypatch.delattr(promotion, "docker")  # the engine is not asked
    monkeypatch.setenv("DELIVERY_REPOSITORY", name)
    shop.verb(verb).must_fail(*messages, status=status)


@pytest.mark.parametrize("command", ["promote nowhere", "push nowhere", "version source nowhere"])
def test_refuses_an_unknown_commit(shop, command):
    shop.verb(*command.split()).must_fail("commit 'nowhere' not found", "remedy: git log", status=2)
