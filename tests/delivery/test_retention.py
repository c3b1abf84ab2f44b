import itertools
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


def snapshot(number, *more, pushed=None):
    """Image number, under its snapshot tag and more."""
    return registry.Image(digest(number), (f"1.0.0-SNAPSHOT-{commit(number)}", *more), pushed)


def gone(images, dates=None, needed=(), keep=1):
    """The numbers of the images that may go. Where a test doesn't say, a larger number is newer."""
    dates = {image.digest: int(image.digest[7:], 16) for image in images} if dates is None else dates
    plan = retention.plan(images, dates, dict.fromkeys(map(digest, needed), "needed"), keep)
    assert sorted(image for image, _ in plan) == sorted(images)
    return [int(image.digest[7:], 16) for image, why in plan if not why]


# The plan


def test_the_newest_stay_and_the_rest_goes_newest_first():
    images = [snapshot(number) for number in (3, 1, 4, 2, 5)]
    assert gone(images, keep=2) == [3, 2, 1]
    assert gone(images, keep=5) == gone(images, keep=9) == []


def test_a_release_stays_however_old_and_counts_as_one_of_the_newest():
    images = [snapshot(1, "1.0.0"), snapshot(2), snapshot(3, "0.9.0"), snapshot(4)]
    assert gone(images, keep=1) == [2]
    assert gone([snapshot(1), snapshot(2), snapshot(3, "1.0.0")], keep=1) == [2, 1]


@pytest.mark.parametrize("tag", ["1.0.0", "latest", "1.0.0-rc1", "v1.0.0", "1.0.0-SNAPSHOT-abc", "01.0.0", "1.0"])
def test_one_tag_that_is_no_snapshots_keeps_the_image(tag):
    images = [snapshot(1, tag), registry.Image(digest(2), (tag,)), snapshot(9)]
    assert gone(images) == []


def test_an_image_without_a_tag_stays():
    assert gone([registry.Image(digest(1), ()), snapshot(9)]) == []


def test_what_is_needed_stays():
    assert gone([snapshot(number) for number in (1, 2, 3, 9)], needed=[1, 3]) == [2]


def test_an_image_whose_age_is_not_known_stays():
    assert gone([snapshot(number) for number in (1, 2, 9)], dates={digest(2): 2, digest(9): 9}) == [2]


def test_an_image_under_two_snapshot_tags_is_one():
    both = registry.Image(digest(1), (f"1.0.0-SNAPSHOT-{commit(1)}", f"1.0.0-SNAPSHOT-{commit(2)}"))
    assert gone([both, snapshot(9)]) == [1]


def test_why_each_stays():
    images = [
        snapshot(1),
        snapshot(2, "1.0.0", "1.0.1"),
        snapshot(3, "latest"),
        registry.Image(digest(4), ()),
        snapshot(5),
        snapshot(6),
        snapshot(7),
    ]
    dates = {digest(number): number for number in (1, 2, 3, 4, 5, 7)}
    plan = retention.plan(images, dates, {digest(5): "dev serves it"}, 1)
    assert [(int(image.digest[7:], 16), why) for image, why in plan] == [
        (7, "one of the newest 1"),
        (5, "dev serves it"),
        (4, "without a tag it may be a part of another image"),
        (3, "latest is not the tag of a snapshot"),
        (2, "release 1.0.0, 1.0.1"),
        (1, None),
        (6, "its commit is not in this clone, so its age is not known"),
    ]


def test_whatever_the_repository_holds_nothing_protected_goes():
    chance = random.Random(7)
    tags = ["1.0.0", "2.10.3", "latest", "x"]
    for _ in range(500):
        images = []
        for number in range(chance.randrange(12)):
            names = [f"1.0.0-SNAPSHOT-{commit(number)}"] if chance.random() < 0.8 else []
            images.append(
                registry.Image(digest(number), (*names, *chance.sample(tags, chance.choice([0, 0, 0, 1, 2]))))
            )
        dates = {image.digest: chance.randrange(5) for image in images if chance.random() < 0.9}
        needed = {image.digest: "needed" for image in images if chance.random() < 0.2}
        keep = chance.randrange(1, 6)
        plan = retention.plan(images, dates, needed, keep)
        old = {image.digest for image, why in plan if not why}
        for image in images:
            if image.digest in old:
                assert image.tags
                assert all(tag.startswith("1.0.0-SNAPSHOT-") for tag in image.tags)
                assert image.digest not in needed
                assert image.digest in dates
        dated = [image for image in images if retention.commits(image) and image.digest in dates]
        assert len([image for image in dated if image.digest not in old]) >= min(keep, len(dated))
        stays = {image.digest: dates[image.digest] for image in dated if image.digest not in old}
        for lost in old:
            assert sum(date >= dates[lost] for date in stays.values()) >= min(keep, len(stays))


# When an image came


def test_the_registrys_own_date_comes_first_and_then_the_newest_commits(repository):
    one, two = repository.commit({"a": "1"}), repository.commit({"a": "2"})
    tags = [f"1.0.0-SNAPSHOT-{name}" for name in (one, two, "0" * 40)]
    images = [
        registry.Image(digest(1), (tags[0],), 5.0),
        registry.Image(digest(2), (tags[0], tags[1], tags[2])),
        registry.Image(digest(3), (tags[0],)),
        registry.Image(digest(4), (tags[2],)),
        registry.Image(digest(5), ("1.0.0",)),
    ]
    dates = {digest(1): 5.0, digest(2): repository.clock, digest(3): repository.clock - 60}
    assert retention.dates(images) == dates
    assert retention.dates([]) == {}


# What the host needs


def status(dev=1, prod=2, previous=(None, None), **more):
    names = [digest(number) if isinstance(number, int) else number for number in (dev, prod, *previous)]
    environments = [
        {"environment": "dev", "digest": names[0], "previous": names[2], **NOTHING},
        {"environment": "prod", "digest": names[1], "previous": names[3], **NOTHING},
    ]
    return json.dumps({"environments": environments, "host_files": "x"} | more)


class Host:
    """A target that reports this status."""

    def __init__(self, answer):
        self.answer = answer

    def ask(self, verb):
        assert verb == "status"
        return self.answer


def needed(answer):
    return retention.needed(statuses.environments(Host(answer)))


def test_what_is_served_and_what_a_rollback_would_bring_back_is_needed():
    assert needed(status(previous=(3, 4))) == {
        digest(1): "dev serves it",
        digest(2): "prod serves it",
        digest(3): "dev would roll back to it",
        digest(4): "prod would roll back to it",
    }
    assert needed(status(1, 1, (1, None))) == {digest(1): "prod serves it"}


@pytest.mark.parametrize(("dev", "prod"), list(itertools.product([1, None], [2, None])))
def test_an_environment_that_serves_nothing_may_be_one_that_is_down(dev, prod):
    if dev and prod:
        needed(status(dev, prod))
        return
    with pytest.raises(CommandError, match="what the host needs is not known: nothing is deleted") as raised:
        needed(status(dev, prod, (3, 4)))
    assert raised.value.remedy == ("make deploy-prod" if dev else "make deploy-dev")


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "null",
        "[]",
        "{}",
        "not JSON",
        '{"environments": []}',
        '{"environments": {}}',
        '{"environments": [1]}',
        json.dumps({"environments": json.loads(status())["environments"][:1]}),
        json.dumps({"environments": [{"environment": "dev"}, {"environment": "prod"}]}),
        status("sha256:short"),
        status(""),
        status(1, "latest"),
        status(1, 2, ("x", None)),
        status(1, 2, (None, 5)).replace(digest(5), digest(5).upper()),
        status()[:-5],
    ],
)
def test_a_status_that_can_not_be_read_deletes_nothing(answer):
    with pytest.raises(CommandError, match=r"is not known(?s:.*)its status can't be read"):
        needed(answer)


@pytest.mark.parametrize(("prod_at", "asked"), [("host", ["host"]), ("cluster", ["host", "cluster"])])
def test_prods_images_are_known_where_prod_runs(monkeypatch, prod_at, asked):
    """A host whose prod has moved to a cluster, or was never there, says nothing of the images that prod needs."""
    hosts_prod = 2 if prod_at == "host" else None
    places = {"dev": Host(status(1, hosts_prod)), "prod": Host(status(1, hosts_prod))}
    if prod_at == "cluster":
        _, entry = json.loads(status(None, 5, (None, 6)))["environments"]
        places["prod"] = Host(json.dumps({"environments": [entry]}))
    calls = []

    def for_environment(name):
        calls.append("cluster" if prod_at == "cluster" and name == "prod" else "host")
        return places[name]

    monkeypatch.setenv("DELIVERY_PROD", prod_at)
    monkeypatch.setattr(retention.targets, "for_environment", for_environment)
    prod = {digest(2): "prod serves it"}
    if prod_at == "cluster":
        prod = {digest(5): "prod serves it", digest(6): "prod would roll back to it"}
    assert retention.needed(retention.environments()) == {digest(1): "dev serves it"} | prod
    assert calls == asked
