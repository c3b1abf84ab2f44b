"""make prune: which images stay in the registry. test_retention.py tests the decisions."""

import pytest

UNKNOWN = f"1.0.0-SNAPSHOT-{'0' * 40}"


class Images(list):
    """(digest, tag) of snapshots, the oldest first."""

    def __init__(self, shop, count):
        self.shop = shop
        for number in range(count):
            shop.commit({"book-shop/x": str(number)})
            self.append((shop.push(), shop.snapshot()))

    def left(self):
        """The numbers of those that are still in the registry."""
        return [number for number, (digest, tag) in enumerate(self) if self.shop.digest(tag) == digest]


def serve(host, dev, prod, previous=None):
    host.entries["dev"] |= {"digest": dev, "previous": previous}
    host.entries["prod"]["digest"] = prod


@pytest.fixture
def images(shop, local_host):
    """Six snapshots and one of a commit that is not here. The oldest is released and live in prod; dev serves the
    third and served the second."""
    made = Images(shop, 6)
    shop.push("0.9.0", shop.labels("HEAD~5"))
    serve(local_host, made[2][0], made[0][0], made[1][0])
    made.append((shop.push(UNKNOWN, {"a": "b"}), UNKNOWN))
    return made


def test_lists_what_can_be_deleted_and_why_the_rest_stays(shop, images):
    before = shop.writes()
    result = shop.verb("prune", "2")
    names = [f"{digest} {tag}" for digest, tag in images]
    # The registry lists the tags in any order.
    assert result.out.replace(f"{images[0][1]},0.9.0", f"0.9.0,{images[0][1]}").splitlines() == [
        f"keep   {names[5]} (one of the newest 2)",
        f"keep   {names[4]} (one of the newest 2)",
        f"delete {names[3]}",
        f"keep   {names[2]} (dev serves it)",
        f"keep   {names[1]} (dev would roll back to it)",
        f"keep   {images[0][0]} 0.9.0,{images[0][1]} (release 0.9.0)",
        f"keep   {names[6]} (its commit is not in this clone, so its age is not known)",
    ]
    assert result.err.endswith("==> 1 of 7 images can be deleted: make prune-now KEEP=2\n")
    assert shop.writes() == before


def test_deletes_them_once(shop, images, monkeypatch):
    monkeypatch.setenv("DELIVERY_PLAN", "1")
    plan = shop.verb("prune", "-y", "2")
    assert plan.err.endswith("==> 1 of 7 images can be deleted: make prune-now KEEP=2\n")
    assert images.left() == [0, 1, 2, 3, 4, 5, 6]
    monkeypatch.delenv("DELIVERY_PLAN")
    shop.verb("prune", "-y", "2").must_print(plan.out.strip(), "==> deleting 1 of 7 images")
    assert images.left() == [0, 1, 2, 4, 5, 6]
    assert shop.digest("0.9.0") == images[0][0]
    writes = shop.writes()
    again = shop.verb("prune", "-y", "2")
    assert again.err.endswith("==> 0 of 6 images can be deleted\n")
    assert "delete" not in again.out
    assert shop.writes() == writes


def test_keeps_ten_by_default(shop, local_host):
    images = Images(shop, 12)
    serve(local_host, images[11][0], images[11][0])
    assert "KEEP" not in shop.verb("prune").err
    shop.verb("prune", "-y")
    assert images.left() == list(range(2, 12))


def test_deletes_nothing_from_an_empty_repository(shop, local_host):
    serve(local_host, "sha256:" + "0" * 64, "sha256:" + "0" * 64)
    shop.verb("prune", "-y").must_print("", "==> 0 of 0 images can be deleted")


@pytest.mark.parametrize(
    ("fault", "messages"),
    [
        (
            "fails",
            [
                "cannot determine which images are needed",
                "the status verb failed with exit status 3",
                "remedy: make status",
            ],
        ),
        ("no prod", ["nothing was deleted", "prod has no live image, or does not report it", "make deploy-prod"]),
        ("no dev", ["nothing was deleted", "dev has no live image"]),
        ("unreadable", ["cannot read the status of the target", "invalid status: "]),
    ],
)
def test_deletes_nothing_when_the_live_images_are_not_known(shop, images, local_host, monkeypatch, fault, messages):
    if fault == "fails":
        local_host.failures["status"] = (3, "no kubectl")
    elif fault == "unreadable":
        monkeypatch.setattr(local_host, "status", lambda: "{")
    else:
        local_host.entries[fault[3:]]["digest"] = None
    shop.verb("prune", "-y", "1").must_fail(*messages)
    assert images.left() == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(("host", "registry"), [("local", "public.ecr.aws/a1b2c3d4"), ("aws", "localhost:5000")])
def test_asks_no_host_about_the_registry_of_another_one(shop, local_host, monkeypatch, host, registry):
    monkeypatch.setenv("DELIVERY_HOST", host)
    monkeypatch.setenv("DELIVERY_REPOSITORY", f"{registry}/book-shop")
    unknown = f"DELIVERY_HOST={host} does not run images of {registry}/book-shop"
    other = "another host may need them"
    shop.verb("prune", "-y").must_fail(unknown, other, status=2)
    assert local_host.calls == []
