"""make push: the engine's image of a commit, under its snapshot tag."""

import json
import subprocess
import types

import pytest
from delivery import promotion
from laptop import REVISION, SOURCE

ZEROS = "0" * 40


class FakeEngine:
    """A Docker engine: `images` are labels by tag. A push puts one into the shop's registry; `fault` is what is wrong:
    missing, stopped, push-fails or pushes-nothing. `meanwhile` is what another machine does after a push."""

    def __init__(self, shop):
        self.shop, self.images, self.digests = shop, {shop.snapshot(): shop.labels()}, {}
        self.fault, self.meanwhile = None, lambda: None

    def run(self, command, check=False, stdout=None, **_):
        """As subprocess.run."""
        if self.fault == "missing":
            raise FileNotFoundError
        if check and self.fault == "stopped":
            raise subprocess.CalledProcessError(1, command, stderr="Cannot connect to the Docker daemon\n")
        repository, _, tag = command[-1].rpartition(":")
        assert repository == self.shop.reference
        match command[1:-1]:
            case ["image", "ls", "--quiet"]:
                return types.SimpleNamespace(stdout="0123456789ab\n" if tag in self.images else "")
            case ["image", "inspect", "--format", "{{json .Config.Labels}}"]:
                return types.SimpleNamespace(stdout=json.dumps(self.images[tag]))
            case ["image", "inspect", "--format", "{{json .RepoDigests}}"]:
                return types.SimpleNamespace(stdout=json.dumps(self.digests.get(tag)))
            case ["push"] if not self.fault:
                print("pushed by the engine", file=stdout)
                self.digests[tag] = [self.shop.image(self.shop.push(tag, self.images[tag]))]
                self.meanwhile()
        return types.SimpleNamespace(returncode=int(self.fault == "push-fails"))


@pytest.fixture
def engine(shop, monkeypatch):
    """The engine, which has the image of HEAD."""
    made = FakeEngine(shop)
    replaced = types.SimpleNamespace(run=made.run, CalledProcessError=subprocess.CalledProcessError)
    monkeypatch.setattr(promotion, "subprocess", replaced)
    return made


def test_prints_the_digest_that_the_registry_has_and_pushes_once(shop, engine):
    first = shop.verb("push")
    first.must_print(shop.image(shop.digest(shop.snapshot())))
    assert first.err == f"==> pushing {shop.snapshot()}\npushed by the engine\n"
    writes = shop.writes()
    second = shop.verb("push")
    assert (second.out, second.err) == (first.out, f"==> {shop.snapshot()} is in the registry already\n")
    assert shop.writes() == writes


@pytest.mark.parametrize("fault", [None, "stopped", "missing"])
def test_needs_no_image_and_no_engine_for_a_commit_that_is_in_the_registry(shop, engine, fault):
    engine.images, engine.fault = {}, fault
    digest = shop.push()
    shop.verb("push").must_print(shop.image(digest))


def test_pushes_an_older_commit(shop, engine):
    shop.commit({"book-shop/x": "later"})
    result = shop.verb("push", "HEAD~1")
    result.must_print(shop.image(shop.digest(shop.snapshot("HEAD~1"))))


@pytest.mark.parametrize("is_pushed", [False, True])
@pytest.mark.parametrize("difference", ["another commit", "another source", "no labels"])
def test_refuses_an_image_of_something_else_in_the_engine(shop, engine, difference, is_pushed):
    shop.commit({"book-shop/x": "later"})
    before = shop.labels("HEAD~1")
    other = {"another commit": before, "another source": shop.labels() | {SOURCE: before[SOURCE]}, "no labels": None}
    engine.images[shop.snapshot()] = other[difference]
    digest = shop.push() if is_pushed else None
    where = f"{shop.reference}:{shop.snapshot()} in the Docker engine is not the image of this commit"
    shop.verb("push").must_fail(where, "why: its label", "remedy: make image")
    assert shop.digest(shop.snapshot()) == digest


def test_never_moves_a_tag_that_belongs_to_another_image(shop, engine):
    digest = shop.push(labels=shop.labels() | {REVISION: ZEROS})
    where = f"{shop.reference}:{shop.snapshot()} in the registry is not the image of this commit"
    why = f"'{ZEROS}' instead of '{shop.head()}': no tag ever moves"
    shop.verb("push").must_fail(where, why, "remedy: commit again")
    assert shop.digest(shop.snapshot()) == digest


@pytest.mark.parametrize(
    ("fault", "messages"),
    [
        ("no image", ["image '{}' not found\n  why: neither the Docker engine nor the registry has it", "make image"]),
        ("stopped", ["the Docker engine doesn't answer", "Cannot connect to the Docker daemon", "make setup"]),
        ("missing", ["docker not found", "remedy: make setup"]),
        ("push-fails", ["docker push {} failed"]),
        ("pushes-nothing", ["{} is not in the registry", "docker push reported success"]),
    ],
)
def test_fails_without_image_or_engine_and_when_the_engine_does_not_push(shop, engine, fault, messages):
    engine.fault = fault
    if fault == "no image":
        engine.images.clear()
    reference = f"{shop.reference}:{shop.snapshot()}"
    shop.verb("push").must_fail(*[message.format(reference) for message in messages])


def test_fails_when_another_push_writes_the_tag_at_the_same_time(shop, engine):
    """make push then prints the digest of the other one."""
    engine.meanwhile = lambda: shop.push(labels=shop.labels() | {"built": "elsewhere"})
    result = shop.verb("push")
    theirs = shop.digest(shop.snapshot())
    result.must_fail(f"{shop.reference}:{shop.snapshot()} is not the image that was written", f"it is {theirs}")
    shop.verb("push").must_print(shop.image(theirs))
