"""plan, history, logs and status: they report, and change nothing that is live or remembered."""

import json
import os
from pathlib import Path

import pytest
from fakes import WEB, image, number_of, revision


@pytest.mark.parametrize(("live", "shown"), [((), "none"), ((1,), image(1))])
def test_a_plan_names_both_images_the_migrations_and_the_difference(place, live, shown):
    place.deployed(*live)
    place.world.push(2)
    before = place.snapshot()
    result = place.run("plan", image(2))
    assert result.status == 0
    heading = f"image: {shown}\n    -> {image(2)} (commit {revision(2)})\nPlanned operations of 2\n"
    assert result.out.startswith(heading)
    if place.name == "prod" and live:
        assert '+deployment.apps/book-shop: {"template": ' in result.out
        assert "manifests: no difference" in place.run("plan", image(1)).out
    assert place.snapshot() == before
    assert place.holder() is None


def test_a_plan_of_an_image_that_cannot_be_pulled_fails(place):
    place.deployed(1)
    before = place.snapshot()
    result = place.run("plan", image(2))
    assert (result.status, result.out) == (1, "")
    assert f"cannot pull '{image(2)}'" in result.err
    assert place.snapshot() == before


def test_a_plan_of_migrations_that_fails_shows_the_last_lines_of_its_pod(cluster):
    cluster.world.push(1, "migration")
    result = cluster.run("plan", image(1))
    assert result.status == 1
    assert "the migrations could not be planned" in result.err
    assert "Planned operations of 1" in result.err
    assert not [key for key in cluster.world.kubernetes.objects if key.startswith("job")]


def test_a_plan_needs_kubernetes(host):
    host.world.push(1)
    host.world.kubernetes.outage = 10**6
    result = host.prod.run("plan", image(1))
    assert result.status == 1
    assert "Kubernetes does not answer" in result.err


def test_a_plan_refuses_an_image_of_another_repository(place):
    assert place.run("plan", image(1).replace("book-shop", "other")).status == 2


CALLS = {  # in the middle of a plan or a deploy
    "dev": ("docker.run: meanwhile",),
    "prod": ("kubernetes.get", "kubernetes.apply", "docker.copy_from_image"),
}


@pytest.mark.parametrize(("outer", "inner"), [("plan", "deploy"), ("deploy", "plan")])
def test_a_plan_and_a_deploy_run_at_the_same_time(place, monkeypatch, outer, inner):
    """One is run in the middle of the other, as a process of its own."""
    processes = iter(range(1000, 2000))
    for call in CALLS[place.name]:
        place.deployed(1)
        place.world.push(2)
        results = {}

        def run_inner(results=results):
            monkeypatch.setattr(os, "getpid", lambda: next(processes))
            results[inner] = place.run(inner, image(2))

        place.world.before(call, run_inner)
        results[outer] = place.run(outer, image(2))
        assert {verb: result.status for verb, result in results.items()} == {"plan": 0, "deploy": 0}, results
        assert "Planned operations of 2\n" in results["plan"].out
        assert place.serves() == 2
        assert place.world.postgres.databases[f"book_shop_{place.name}"]["schema"] == 2


def test_the_history_starts_with_the_oldest_entry(place, act_as):
    assert place.run("history") == (0, "", "")
    place.deployed(1, 2, 3)
    act_as("ann")
    place.deploy(4, "migration")
    place.rollback()
    before = place.snapshot()
    entries = [json.loads(line) for line in place.run("history").out.splitlines()]
    assert [(e["actor"], e["verb"], e["commit"], number_of(e["digest"]), e["result"]) for e in entries] == [
        ("unknown", "deploy", revision(1), 1, "ok"),
        ("unknown", "deploy", revision(2), 2, "ok"),
        ("unknown", "deploy", revision(3), 3, "ok"),
        ("ann", "deploy", revision(4), 4, "failed"),
        ("ann", "rollback", revision(2), 2, "ok"),
    ]
    last = [json.loads(line)["verb"] for line in place.run("history", "2").out.splitlines()]
    assert last == ["deploy", "rollback"]
    assert place.snapshot() == before


def test_each_environment_has_its_own_history(host):
    host.dev.deployed(1)
    host.prod.deployed(2)
    for place, number in ((host.dev, 1), (host.prod, 2)):
        (line,) = place.run("history").out.splitlines()
        assert number_of(json.loads(line)["digest"]) == number


def test_the_logs_are_those_of_the_live_image(place):
    result = place.run("logs")
    assert result.status == 1
    assert f"{place.name} has no live image\n  remedy: make deploy-{place.name}" in result.err
    place.deployed(1)
    sources = 1 if place.name == "dev" else 2  # a slot, or pods
    assert place.run("logs").out == "the last 100 lines of 1\n" * sources
    place.deployed(2)
    place.world.pass_time(60)
    for lines in ("5", "99999"):
        assert place.run("logs", lines).out == f"the last {lines} lines of 2\n" * sources
    assert place.run("logs", "5", "--since=1h").out == "the last 5 lines since 1h of 2\n" * sources


def test_logs_with_a_text_are_the_last_lines_that_contain_it(host, monkeypatch):
    host.dev.deployed(1)
    text = "".join(f"{number} {word}\n" for number in range(5) for word in ("a.c", "abc"))
    monkeypatch.setattr(host.world.docker, "logs", lambda name, lines, *_: text if lines == "all" else "")
    host.run("logs", "dev", "2", "--grep=a.c").must_print("3 a.c\n4 a.c")
    host.run("logs", "dev", "--grep=A.C").must_print("")


def test_the_previous_logs_are_those_from_before_a_crash(place):
    place.deployed(1)
    place.run("logs", "100", "--previous").must_fail(f"{place.name} has no logs from before a crash")
    if place.name == "dev":
        place.world.docker.containers["book-shop-b"].restarted = "2026-11-25T03:15:00Z"
    else:
        place.world.kubernetes.crashed = [place.world.kubernetes.pods(WEB)[0]["metadata"]["name"]]
    assert place.run("logs", "100", "--previous").out == "the last 100 lines of the crashed one\n"


def test_the_logs_of_a_slot_that_crashes_are_those_of_its_last_run(host):
    host.dev.deployed(1)
    host.world.docker.containers["book-shop-b"].running = False
    for options in ((), ("--previous",)):
        host.run("logs", "dev", *options).must_print("the last 100 lines of 1")


def status(host):
    result = host.run("status")
    assert result.status == 0, result.err
    found = json.loads(result.out)
    assert found["host_files"] == "0123456789ab"
    return {entry.pop("environment"): entry for entry in found["environments"]}


NOTHING = dict.fromkeys(("version", "revision", "digest", "previous", "current", "deploying", "last", "last_backup"))
NOTHING |= {"settings_pending": None, "url": None, "asks_password": False}
NOTHING |= {"healthy": False, "backup_overdue": False}


def digest(number):
    return image(number).partition("@")[2]


def test_the_status_of_a_host(host):
    before = host.files()
    assert status(host) == {"dev": NOTHING, "prod": NOTHING}
    assert host.files() == before
    host.dev.deployed(1, 2)
    host.prod.deployed(1)
    dump = host.run("backup", "dev").out
    before = host.files()
    found = status(host)
    assert host.files() == before
    backup = Path(dump.strip()).stem
    for name, number, more in [("dev", 2, {"previous": digest(1), "last_backup": backup}), ("prod", 1, {})]:
        last = found[name]["last"]
        assert (last["verb"], number_of(last["digest"]), last["result"]) == ("deploy", number, "ok")
        live = {"version": "1.0.0", "healthy": True, "revision": revision(number), "digest": digest(number)}
        live |= {"settings_pending": False}
        current = {"image": image(number), "version": "", "commit": revision(number)}
        assert found[name] == NOTHING | live | {"last": last, "current": current} | more


def test_the_status_has_the_public_url(place):
    def url():
        result = place.run("status") if place.kind == "cluster" else place.host.run("status")
        return {entry["environment"]: entry["url"] for entry in json.loads(result.out)["environments"]}[place.name]

    place.deployed(1)
    place.run("set", "PUBLIC_URL", stdin="https://shop.example").must_succeed()
    assert url() == "https://shop.example"
    place.run("unset", "PUBLIC_URL").must_succeed()
    assert url() is None


def test_a_user_who_may_not_read_the_settings_of_a_cluster_sees_its_public_url(cluster):
    cluster.deployed(1)
    cluster.run("set", "PUBLIC_URL", stdin="https://shop.example").must_succeed()
    cluster.world.kubernetes.forbidden = {"secret"}
    (entry,) = json.loads(cluster.run("status").out)["environments"]
    assert (entry["url"], entry["asks_password"]) == ("https://shop.example", False)


def test_only_dev_asks_for_a_password(host):
    for place in (host.dev, host.prod):
        place.deployed(1)
        place.run("set", "PREVIEW_PASSWORD", stdin="a-password-of-12").must_succeed()
    assert {name: entry["asks_password"] for name, entry in status(host).items()} == {"dev": True, "prod": False}


def test_the_status_of_settings_that_cannot_be_read_has_no_url(host):
    (host.paths.settings / "prod.env").write_text("not a setting\n")
    found = status(host)
    assert (found["prod"]["url"], found["prod"]["asks_password"]) == (None, False)


def test_the_status_names_who_deploys_and_how_the_last_deploy_ended(host, act_as):
    host.dev.deployed(1)
    act_as("ann")
    host.dev.deploy(2, "crash")
    # The text in a lock file that no process holds means nothing.
    (host.paths.locks / "book-shop-prod").write_text("deploy prod x, by bob\n")
    assert status(host)["prod"]["deploying"] is None
    holder = "deploy prod x, by bob, process 1, since then"
    with host.prod.locked(holder):
        found = status(host)
    assert [found[name]["deploying"] for name in ("dev", "prod")] == [None, holder]
    assert (found["dev"]["last"]["actor"], found["dev"]["last"]["result"]) == ("ann", "failed")


def test_a_deploy_holds_the_lock_with_its_actor_and_process(place):
    place.world.push(1)
    holders = []
    place.world.before("docker.pull", lambda: holders.append(place.holder()))
    place.deployed(1)
    assert holders[0].startswith(f"deploy {place.name} {image(1)}, by unknown, process {os.getpid()}")
    assert place.holder() is None


def test_the_status_of_dev_needs_no_kubernetes(host):
    host.dev.deployed(1)
    host.world.kubernetes.outage = 10**6
    result = host.run("status")
    assert result.status == 0
    dev, prod = json.loads(result.out)["environments"]
    assert (dev["healthy"], prod["healthy"], prod["digest"]) == (True, False, None)
    assert "kubectl get failed" in result.err
