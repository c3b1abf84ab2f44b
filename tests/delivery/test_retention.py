import json
import random

import pytest
from delivery import registry, retention
from delivery import status as statuses
from delivery.cli import CommandError

NOTHING = {"version": None, "revision": None, "healthy": False}


def digest(number):
    return f"sha256:{number:064x}"


def commit(number):
    return f"{number:040x}"


def number_of(image):
    return int(image.digest[7:], 16)


def image(number, *tags):
    return registry.Image(digest(number), tags)


def snapshot(number, *more):
    """Image number, under its snapshot tag and more."""
    return image(number, f"1.0.0-SNAPSHOT-{commit(number)}", *more)


def gone(images, dates=None, needed=(), keep=1):
    """The numbers of the images that can be deleted. Unless dates are given, a larger number is newer."""
    dates = {found.digest: number_of(found) for found in images} if dates is None else dates
    plan = retention.plan(images, dates, dict.fromkeys(map(digest, needed), "needed"), keep)
    assert sorted(found for found, _ in plan) == sorted(images)
    return [number_of(found) for found, why in plan if not why]


# The plan

ONE, TWO, THREE, NINE = (snapshot(number) for number in (1, 2, 3, 9))
FIVE = [snapshot(number) for number in (3, 1, 4, 2, 5)]


@pytest.mark.parametrize(
    ("images", "options", "expected"),
    [
        pytest.param(FIVE, {"keep": 2}, [3, 2, 1], id="keeps the newest; newest first"),
        pytest.param(FIVE, {"keep": 5}, [], id="keeps all"),
        pytest.param(FIVE, {"keep": 9}, [], id="keeps more than there are"),
        pytest.param([snapshot(1, "1.0.0"), TWO, snapshot(3, "0.9.0"), snapshot(4)], {}, [2], id="keeps old releases"),
        pytest.param([ONE, TWO, snapshot(3, "1.0.0")], {}, [2, 1], id="counts a release as one of the newest"),
        pytest.param([image(1), NINE], {}, [], id="keeps an image without a tag"),
        pytest.param([ONE, TWO, THREE, NINE], {"needed": [1, 3]}, [2], id="keeps needed images"),
        pytest.param([ONE, TWO, NINE], {"dates": {digest(2): 2, digest(9): 9}}, [2], id="keeps one of unknown age"),
        pytest.param([image(1, *ONE.tags, *TWO.tags), NINE], {}, [1], id="takes an image with two tags as one"),
    ],
)
def test_plans_which_images_can_be_deleted(images, options, expected):
    assert gone(images, **options) == expected


@pytest.mark.parametrize("tag", ["1.0.0", "latest", "1.0.0-rc1", "v1.0.0", "1.0.0-SNAPSHOT-abc", "01.0.0", "1.0"])
def test_keeps_an_image_with_a_tag_that_is_not_a_snapshots(tag):
    assert gone([snapshot(1, tag), image(2, tag), NINE]) == []


def test_reports_why_each_image_is_kept():
    images = [ONE, snapshot(2, "1.0.0", "1.0.1"), snapshot(3, "latest"), image(4), *map(snapshot, (5, 6, 7))]
    dates = {digest(number): number for number in (1, 2, 3, 4, 5, 7)}
    plan = retention.plan(images, dates, {digest(5): "dev serves it"}, 1)
    assert [(number_of(found), why) for found, why in plan] == [
        (7, "one of the newest 1"),
        (5, "dev serves it"),
        (4, "without a tag it may be a part of another image"),
        (3, "latest is not the tag of a snapshot"),
        (2, "release 1.0.0, 1.0.1"),
        (1, None),
        (6, "its commit is not in this clone, so its age is not known"),
    ]


@pytest.mark.parametrize("seed", range(10))
def test_deletes_nothing_protected_from_a_random_repository(seed):
    chance = random.Random(seed)
    for _ in range(50):
        images = []
        for number in range(chance.randrange(12)):
            tags = ONE.tags if chance.random() < 0.8 else ()
            others = chance.sample(["1.0.0", "2.10.3", "latest", "x"], chance.choice([0, 0, 0, 1, 2]))
            images.append(image(number, *tags, *others))
        dates = {found.digest: chance.randrange(5) for found in images if chance.random() < 0.9}
        needed = {found.digest: "needed" for found in images if chance.random() < 0.2}
        keep = chance.randrange(1, 6)
        plan = retention.plan(images, dates, needed, keep)
        old = [found for found, why in plan if not why]
        assert all(found.tags == ONE.tags and found.digest in dates.keys() - needed for found in old)
        kept = [
            dates[found.digest] for found, why in plan if why and ONE.tags[0] in found.tags and found.digest in dates
        ]
        least = min(keep, len(kept) + len(old))
        assert len(kept) >= least
        assert all(sum(date >= dates[found.digest] for date in kept) >= least for found in old)


# The age of an image


def test_dates_an_image_by_the_registry_or_else_by_its_newest_commit(repository):
    one, two = repository.commit({"a": "1"}), repository.commit({"a": "2"})
    tags = [f"1.0.0-SNAPSHOT-{name}" for name in (one, two, "0" * 40)]
    pushed = registry.Image(digest(1), (tags[0],), 5.0)
    images = [pushed, image(2, *tags), image(3, tags[0]), image(4, tags[2]), image(5, "1.0.0")]
    assert retention.dates(images) == {digest(1): 5.0, digest(2): repository.clock, digest(3): repository.clock - 60}
    assert retention.dates([]) == {}


# What the host needs


def entry(name, live, previous):
    """The status of an environment; a number stands for the digest of that image."""
    live, previous = (digest(value) if isinstance(value, int) else value for value in (live, previous))
    return {"environment": name, "digest": live, "previous": previous, **NOTHING}


def status(dev=1, prod=2, previous=(None, None)):
    return json.dumps({"environments": [entry("dev", dev, previous[0]), entry("prod", prod, previous[1])]})


class Host:
    """A target that reports this status."""

    def __init__(self, answer):
        self.answer = answer

    def ask(self, verb):
        assert verb == "status"
        return self.answer


def needed(answer):
    return retention.needed(statuses.environments(Host(answer)))


def test_needs_the_live_and_the_previous_images():
    assert needed(status(previous=(3, 4))) == {
        digest(1): "dev serves it",
        digest(2): "prod serves it",
        digest(3): "dev would roll back to it",
        digest(4): "prod would roll back to it",
    }
    assert needed(status(1, 1, (1, None))) == {digest(1): "prod serves it"}


def test_fails_when_no_environment_has_a_live_image():
    with pytest.raises(CommandError, match="cannot determine which images are needed: nothing was deleted") as raised:
        needed(status(None, None, (3, 4)))
    assert raised.value.remedy == "make deploy-dev"


LISTS = ["[]", "{}", "[1]", '[{"environment": "dev"}, {"environment": "prod"}]', json.dumps([entry("dev", 1, None)])]


@pytest.mark.parametrize(
    "answer",
    [
        *["", "null", "[]", "{}", "not JSON", status()[:-5], *[f'{{"environments": {entries}}}' for entries in LISTS]],
        *[status("sha256:short"), status(""), status(1, "latest"), status(1, 2, ("x", None))],
        status(1, 2, (None, digest(10).upper())),
    ],
)
def test_fails_when_the_status_is_malformed(answer):
    with pytest.raises(CommandError, match=r"cannot (read|determine)(?s:.*)invalid status"):
        needed(answer)


DEV, PROD = {digest(1): "dev serves it"}, {digest(2): "prod serves it"}
CLUSTER = {digest(5): "prod serves it", digest(6): "prod would roll back to it"}


@pytest.mark.parametrize(
    ("prod_at", "hosts_prod", "expected", "asked"),
    [("host", 2, DEV | PROD, ["dev"]), ("cluster", None, DEV | CLUSTER, ["dev", "prod"])],
)
def test_needs_the_images_of_prod_where_it_runs(monkeypatch, prod_at, hosts_prod, expected, asked):
    """A host whose prod has moved to a cluster, or was never there, does not report the images that prod needs."""
    cluster = Host(json.dumps({"environments": [entry("prod", 5, 6)]}))
    places = {"dev": Host(status(1, hosts_prod)), "prod": cluster}
    calls = []
    monkeypatch.setenv("DELIVERY_PROD", prod_at)
    monkeypatch.setattr(retention.targets, "for_environment", lambda name: calls.append(name) or places[name])
    assert retention.needed(retention.environments()) == expected
    assert calls == asked
