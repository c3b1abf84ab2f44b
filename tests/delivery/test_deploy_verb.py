"""make deploy and make rollback: which image the host is given. test_deploy.py tests what it does with that."""

import pytest
from laptop import VERSION

DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
ENVIRONMENTS = pytest.mark.parametrize("environment", ["dev", "prod"])


@pytest.fixture(params=["0.9.0", "{0}@{1}"], ids=["by its tag", "by its digest"])
def named(request, shop):
    """(what a user calls an image, its digest)."""
    digest = shop.push("0.9.0", {VERSION: "0.9.0"})
    return request.param.format(shop.reference, digest), digest


@ENVIRONMENTS
def test_deploys_heads_snapshot_to_dev_and_heads_release_to_prod(shop, local_host, environment):
    digests = {"dev": shop.push(), "prod": shop.push("1.0.0", shop.labels() | {"a": "b"})}
    result = shop.verb("deploy", environment)
    result.must_print(shop.image(digests[environment]))
    asked = "==> the host's status\n" if environment == "dev" else ""
    assert result.err == f"{asked}==> the host's deploy\nthe answer of deploy {environment}\n"
    assert local_host.live(environment) == digests[environment]


@ENVIRONMENTS
def test_deploys_a_named_image(shop, local_host, named, environment):
    shop.verb("deploy", environment, named[0]).must_print(shop.image(named[1]))
    assert local_host.live(environment) == named[1]


@ENVIRONMENTS
def test_rolls_back_to_the_previous_image(shop, local_host, environment):
    local_host.entries[environment] |= {"digest": OTHER, "previous": DIGEST}
    shop.verb("rollback", environment).must_print("", f"the answer of deploy {environment}")
    assert local_host.live(environment) == DIGEST


def test_rolls_back_to_a_named_image(shop, local_host, named):
    shop.verb("rollback", "prod", named[0]).must_print("")
    assert local_host.live("prod") == named[1]


@pytest.mark.parametrize(
    "arguments", [["deploy", "prod", "0.9.0"], ["rollback", "prod"], ["rollback", "prod", "0.9.0"]]
)
def test_prints_the_plan_and_changes_nothing(shop, local_host, monkeypatch, arguments):
    digest = shop.push("0.9.0", {VERSION: "0.9.0"})
    local_host.entries["prod"] |= {"digest": OTHER, "previous": digest}
    monkeypatch.setenv("DELIVERY_PLAN", "1")
    shop.verb(*arguments).must_print(f"prod: {OTHER} -> {shop.image(digest)}")
    assert local_host.live("prod") == OTHER
    local_host.failures["plan"] = (3, "no kubectl")
    shop.verb(*arguments).must_fail("no kubectl", status=3)
    local_host.entries["prod"]["previous"] = None
    if arguments == ["rollback", "prod"]:
        shop.verb(*arguments).must_fail("nothing to roll back to", "remedy: make history-prod")


@pytest.mark.parametrize("command", ["deploy dev", "rollback dev", "promote", "prune"])
def test_refuses_another_plan_than_1(shop, local_host, monkeypatch, command):
    monkeypatch.setenv("DELIVERY_PLAN", "yes")
    shop.verb(*command.split()).must_fail("invalid DELIVERY_PLAN 'yes'", "unset DELIVERY_PLAN", status=2)
    assert local_host.calls == []


@pytest.mark.parametrize(
    ("command", "tag", "remedy"),
    [
        ("deploy dev", None, "make image push"),
        ("deploy prod", "1.0.0", "make promote"),
        ("rollback prod 0.8.0", "0.8.0", "make history-dev history-prod"),
    ],
)
def test_names_what_makes_a_missing_tag(shop, local_host, command, tag, remedy):
    missing = f"{shop.reference} has no tag {tag or shop.snapshot()}"
    shop.verb(*command.split()).must_fail(missing, f"remedy: {remedy}")
    assert local_host.calls == []


@ENVIRONMENTS
@pytest.mark.parametrize(
    "name",
    ["", "a b", "$(reboot)", "../1.0.0", "1.0.0\n", "{}@sha256:abc", f"@{DIGEST}", f"localhost:1/other@{DIGEST}"],
)
@pytest.mark.parametrize("verb", ["deploy", "rollback"])
def test_refuses_what_is_not_an_image_of_the_shop_and_asks_nobody(shop, local_host, verb, name, environment):
    if (verb, name) != ("rollback", ""):  # which is none: the previous image
        name = name.format(shop.reference)
        reason = f"this shop's repository is {shop.reference}" if "other" in name else ""
        shop.verb(verb, environment, name).must_fail(f"{verb}: ", f"why: {reason}", "remedy: ", status=2)
    assert (shop.requests(), local_host.calls) == ([], [])


def test_refuses_a_snapshot_in_prod_and_asks_nobody(shop, local_host):
    shop.push()
    before = shop.requests()
    messages = (f"'{shop.snapshot()}' is not a release", "production runs releases only", "remedy: make promote")
    shop.verb("deploy", "prod", shop.snapshot()).must_fail(*messages, status=2)
    assert (shop.requests(), local_host.calls) == (before, [])
