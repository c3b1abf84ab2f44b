"""The host and the cluster refuse a deploy that would go back: a lower version, or an image that was rolled back."""

import json

import pytest
from conftest import run_verb
from fakes import API, Killed, image, revision

VERSIONS = {1: "1.0.0", 2: "1.1.0", 3: "1.10.0"}
UNORDERED = ("unordered", "the reason, in words: é")


def name(place, number):
    """The tag of an image in this environment."""
    version = VERSIONS[number]
    return version if place.name == "prod" else f"{version}-SNAPSHOT-{revision(number)}"


def digest(number):
    return image(number).partition("@")[2]


@pytest.fixture
def releases(place):
    """The environment, with an image of each version in the registry."""
    for number, version in VERSIONS.items():
        place.world.push(number, version=version)
    return place


def refused(place, verb, number, *messages):
    """Asserts that a deploy or a plan is refused and changes nothing."""
    with place.unchanged():
        place.run(verb, image(number)).must_fail(*messages)


@pytest.mark.parametrize("verb", ["deploy", "plan"])
@pytest.mark.parametrize(("live", "older"), [(2, 1), (3, 2), (3, 1)])
def test_a_lower_version_is_refused_with_the_deploy_that_superseded_it(releases, act_as, verb, live, older):
    releases.deployed(older)
    act_as("ann")
    releases.deployed(live)
    time = releases.environment.state.history()[-1]["time"]
    refused(
        releases, verb, older,
        f"{name(releases, older)} is older than {name(releases, live)} in {releases.name}: nothing was changed",
        f"its version '{VERSIONS[older]}' is lower than {VERSIONS[live]}. ann made {name(releases, live)}",
        f" live at {time}",
        f"remedy: make rollback-{releases.name} TO={name(releases, older)}",
    )  # fmt: skip
    releases.rollback(older).must_succeed()


def test_a_lower_version_that_was_never_live_needs_force(releases):
    releases.deployed(2)
    remedy = f"remedy: make deploy-{releases.name} IMAGE={name(releases, 1)} FORCE=1 REASON="
    refused(releases, "deploy", 1, "is older than", remedy)
    releases.world.push(1, "migration", version="1.0.0")
    releases.run("deploy", image(1), *UNORDERED).must_fail("the migration failed")
    refused(releases, "deploy", 1, remedy)  # a failed deploy is nothing to roll back to


def test_an_older_image_that_waits_for_the_lock_is_refused_and_a_newer_one_goes_on(releases):
    releases.deployed(1)
    releases.locked_for(25, "deploy of ann", then=lambda: releases.deployed(3))
    releases.run("deploy", image(2)).must_fail("is older than")
    assert releases.serves() == 3
    releases.world.push(4, version="2.0.0")
    releases.locked_for(25, "deploy of ann", then=lambda: None)
    releases.deployed(4)


@pytest.mark.parametrize("again", ["deploy", "plan"])
def test_an_image_that_was_rolled_back_returns_only_on_request(releases, act_as, again):
    releases.deployed(1, 2)
    act_as("ann")
    releases.rollback().must_succeed()
    messages = (f"{name(releases, 2)} was rolled back in {releases.name}", "ann went back from it to 1.0.0 at 20")
    refused(releases, again, 2, *messages, f"make rollback-{releases.name} TO={name(releases, 2)}")
    releases.rollback(2).must_succeed()
    releases.deployed(2)  # live already
    releases.deployed(3)
    releases.rollback().must_succeed()
    refused(releases, "deploy", 3, "was rolled back")
    assert releases.serves() == 2


def test_an_image_that_a_rollback_has_skipped_does_not_return(releases, act_as):
    """The run of a release between the faulty one and the one to which a user went back is started again."""
    releases.deployed(1, 2, 3)
    act_as("ann")
    releases.rollback(1).must_succeed()
    remedy = f"make rollback-{releases.name} TO={name(releases, 2)}"
    for number in (2, 3):
        refused(releases, "deploy", number, "was rolled back", "ann went back from it to 1.0.0 at 20")
    refused(releases, "deploy", 2, remedy)
    releases.rollback(2).must_succeed()
    refused(releases, "deploy", 3, "was rolled back")


def test_an_image_that_was_rolled_back_is_deployed_to_a_host_that_was_built_again(releases):
    """Nothing runs there, and `make demo` or the next run of the pipeline deploys the newest commit."""
    releases.deployed(1, 2)
    releases.rollback().must_succeed()
    releases.world.docker.containers.clear()
    releases.world.kubernetes.objects.pop(f"{API['Deployment']}/book-shop", None)
    releases.deployed(2)


def test_a_newer_version_is_deployed_after_a_rollback(releases):
    releases.deployed(1, 2)
    releases.rollback().must_succeed()
    releases.deployed(3)
    assert (releases.serves(), releases.remembered()) == (3, (3, 1))


def test_a_deploy_that_was_killed_and_rolled_back_does_not_return(releases):
    """The killed deploy is in no history; the rollback's entry names what it replaced."""
    releases.deployed(1)
    saved = releases.world.save()
    steps = 0
    while releases.environment.live() != image(2):  # the first kill after which the new image is live
        steps += 1
        releases.world.restore(saved)
        releases.world.kill_at = steps
        with pytest.raises(Killed):
            releases.run("deploy", image(2))
        releases.world.revive()
    releases.rollback().must_succeed()
    assert releases.environment.state.history()[-1]["replaced"] == digest(2)
    releases.run("deploy", image(2)).must_fail("was rolled back")


def test_a_forced_deploy_goes_back_and_its_reason_is_in_the_history(releases, act_as):
    releases.deployed(1, 3)
    act_as("ann")
    releases.run("deploy", image(1), *UNORDERED).must_succeed()
    assert releases.serves() == 1
    entry = releases.environment.state.history()[-1]
    assert (entry["verb"], entry["actor"], entry["reason"]) == ("deploy", "ann", UNORDERED[1])
    assert (entry["version"], entry["replaced"]) == ("1.0.0", digest(3))
    assert UNORDERED[1] in json.loads(releases.run("history").out.splitlines()[-1])["reason"]
    refused(releases, "deploy", 3, "was rolled back")  # as after a rollback
    releases.run("plan", image(3), "unordered").must_succeed()
    releases.run("deploy", image(3), *UNORDERED).must_succeed()


def test_a_forced_deploy_that_goes_forward_withdraws_nothing(releases):
    releases.deployed(1)
    releases.run("deploy", image(2), *UNORDERED).must_succeed()
    refused(releases, "deploy", 1, "is older than")


def test_prod_runs_one_image_of_a_version(releases):
    releases.deployed(2)
    releases.world.push(4, version="1.1.0")
    if releases.name == "dev":
        releases.deployed(4)
    else:
        refused(releases, "deploy", 4, "prod serves another image of 1.1.0", digest(4), "remedy: bump the version")


@pytest.mark.parametrize("version", ["", "unknown", "1.2.0-rc1", "2"])
def test_an_image_without_a_version_does_not_replace_a_release(releases, version):
    releases.world.push(4, version=version)
    releases.deployed(4)  # nothing was live
    releases.deployed(1)
    refused(releases, "deploy", 4, f"its version '{version}' is lower than 1.0.0", f"TO={image(4)}")


def test_the_live_image_is_compared_even_if_it_does_not_run(host):
    """A crash must not make an old commit the newest one."""
    for number, version in VERSIONS.items():
        host.world.push(number, version=version)
    host.dev.deployed(2)
    host.world.docker.containers.clear()
    assert host.dev.environment.live() is None
    host.dev.deploy(1).must_fail("is older than")
    host.dev.deployed(3)


def test_an_older_hosts_history_and_a_missing_live_image_do_not_stop_a_deploy(releases):
    """Its entries have no version, so that the labels of the image count; they are pulled if required."""
    releases.deployed(2)
    without = [
        {key: value for key, value in past.items() if key not in ("version", "replaced")}
        for past in releases.environment.state.history()
    ]
    lines = "".join(json.dumps(past) + "\n" for past in without)
    if releases.kind == "cluster":
        releases.world.kubernetes.objects["configmap/book-shop-deploys"]["data"]["deploys.jsonl"] = lines
    else:
        (releases.paths.state / "deploys.jsonl").write_text(lines)
    releases.world.docker.pulled.remove(image(2))
    releases.run("deploy", image(1)).must_fail("is older than")
    del releases.world.registry[image(2)]
    releases.world.docker.pulled.remove(image(2))
    if releases.name == "prod":  # dev's container cannot run without its image
        releases.world.push(2, version="")
        releases.deployed(3)


def test_dev_takes_the_order_that_the_laptop_has_compared_with_the_live_image(host):
    """A commit of another branch may have a lower version. If another image is live by now, it is compared again."""
    for number, version in VERSIONS.items():
        host.world.push(number, version=version)
    host.dev.run("deploy", image(2), "none").must_succeed()
    with host.dev.unchanged():
        changed = host.dev.run("deploy", image(1), digest(3))
        changed.must_fail("the live image of dev has changed", f"{digest(2)} is live", digest(3), status=3)
        host.dev.run("deploy", image(1), "none").must_fail("has changed", status=3)
    host.dev.run("deploy", image(1), digest(2)).must_succeed()
    host.dev.rollback().must_succeed()
    with host.dev.unchanged():
        host.dev.run("deploy", image(1), digest(2)).must_fail("was rolled back")


@pytest.mark.parametrize(
    "arguments",
    [
        ("unordered",), (f"sha256:{1:064x}", "a reason"), ("none", "a reason"), ("unordered", ""), ("unordered", "-x"),
        ("unordered", "a\nb"), ("unordered", "a\033[2J"), ("unordered", "a\u202eb"), ("unordered", "a" * 201),
        ("unordered", " a"), ("unordered", "x{{ssm:secret}}"), ("",), ("UNORDERED", "a"), ("sha256:1",), ("1.0.0",),
    ],
)  # fmt: skip
def test_arguments_of_another_form_are_wrong_usage(releases, arguments):
    releases.deployed(2)
    with releases.unchanged():
        assert releases.run("deploy", image(1), *arguments).status == 2


def test_the_status_names_the_image_that_a_deploy_is_compared_with(releases):
    def current():
        answer = releases.run("status") if releases.kind == "cluster" else run_verb("status")
        entries = json.loads(answer.out)["environments"]
        return next(entry["current"] for entry in entries if entry["environment"] == releases.name)

    assert current() is None
    releases.deployed(2)
    assert current() == {"image": image(2), "version": "1.1.0", "commit": revision(2)}
