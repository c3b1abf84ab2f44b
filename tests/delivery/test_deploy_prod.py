"""prod: a rollout by Kubernetes, on the host or on a cluster."""

import tempfile

import pytest
from delivery import compositions
from fakes import REPOSITORY, image, image_in, labelled, number_of

POLICY = "networkpolicy.networking.k8s.io/no-one"
BLOCKING_POLICY = labelled("NetworkPolicy", "no-one", denies=True)


@pytest.fixture(params=["prod", "cluster"])
def prod(request, tmp_path, monkeypatch):
    """prod on each target; no temporary file is left."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    yield request.getfixturevalue("cluster") if request.param == "cluster" else request.getfixturevalue("host").prod
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("no-manifests", f"'{image(2)}' carries no manifests"),
        ("broken-manifests", f"the manifests in '{image(2)}' do not build\n  why: no such resource"),
    ],
)
def test_an_image_without_usable_manifests_is_refused_before_any_change(prod, fault, message):
    prod.deployed(1)
    with prod.unchanged():
        prod.deploy(2, fault).must_fail(message)


def test_without_kubernetes_nothing_is_changed(host, world):
    host.prod.deployed(1)
    with host.prod.unchanged():
        world.kubernetes.outage = 10**6
        result = host.prod.deploy(2)
        world.kubernetes.outage = 0
    result.must_fail("Kubernetes does not answer: nothing was changed", "remedy: systemctl status k3s")


def test_the_job_of_a_failed_migration_is_removed(prod, world):
    prod.deployed(1)
    prod.deploy(2, "migration").must_fail()
    assert "job.batch/book-shop-migration" not in prod.objects()
    assert {image_in(pod) for pod in world.kubernetes.pods("app.kubernetes.io/component=web")} == {image(1)}


def test_a_migration_that_hangs_is_ended_at_the_limit(prod, world, monkeypatch):
    prod.deployed(1)
    monkeypatch.setenv("DELIVERY_MIGRATION_LIMIT", "20")
    before = world.now
    prod.deploy(2, "migration-hangs").must_fail()
    assert 20 <= world.now - before < 40
    assert "job.batch/book-shop-migration" not in prod.objects()


def test_a_revert_that_fails_is_reported_and_completed_by_the_next_deploy(prod, world):
    prod.deployed(1)
    api_breaks = {"kubernetes.apply": "the API server is broken"}
    world.before("kubernetes.wait_for_rollout", lambda: world.failures.update(api_breaks))
    prod.deploy(2, "never-ready").must_fail(
        "the rollout could not be reverted; the next deploy reverts it", "the rollout failed"
    )
    assert prod.history()[-1] == ("unknown", "deploy", 2, "failed")
    assert prod.serves() == 1
    world.failures.clear()
    prod.deployed(1)
    assert prod.environment.live() == image(1)


@pytest.mark.parametrize("outage", [1, 3, 10])
@pytest.mark.parametrize("call", ["wait_for_rollout", "pods"])
def test_a_deploy_waits_for_a_restart_of_kubernetes(prod, world, outage, call):
    prod.deployed(1)
    world.before(f"kubernetes.{call}", lambda: setattr(world.kubernetes, "outage", outage))
    prod.deployed(2)
    assert prod.serves() == 2


def test_a_deploy_waits_for_a_restart_of_kubernetes_during_the_migration(prod, world):
    prod.deployed(1)
    restarts = []

    def restart():
        restarts.append(world.now)
        world.kubernetes.outage = 3

    world.before("kubernetes.apply", lambda: world.before("kubernetes.get", restart))  # the first look at the job
    prod.deployed(2)
    assert restarts


def test_images_that_prod_does_not_need_are_removed_from_the_store_of_kubernetes(host, world):
    host.prod.deployed(1, 2, 3)

    def stored():
        return sorted(map(number_of, world.containerd.store.values()))

    assert stored() == [2, 2, 2, 3, 3, 3]  # each has three names
    assert world.docker.pulled == [image(2), image(3)]
    host.dev.deployed(7)
    assert stored() == [2, 2, 2, 3, 3, 3]
    world.containerd.store["registry.example.org/pause@sha256:00001"] = "sha256:00001"
    host.prod.deployed(4)
    assert stored() == [1, 3, 3, 3, 4, 4, 4]


# Objects that only a newer release has.

ON_A_CLUSTER = ["HorizontalPodAutoscaler", "PodDisruptionBudget", "Ingress", "NetworkPolicy"]
EVERY_KIND = [(target, kind) for target in ("prod", "cluster") for kind in ("Service", "Deployment")]
EVERY_KIND += [("cluster", kind) for kind in ON_A_CLUSTER]


def extra(kind):
    """An object of a release; a Deployment runs something else than the shop."""
    template = {"metadata": {"labels": {}}, "spec": {"containers": [{"image": image(9)}]}}
    return labelled(kind, "extra", **({"template": template} if kind == "Deployment" else {}))


@pytest.mark.parametrize(("prod", "kind"), EVERY_KIND, indirect=["prod"])
def test_objects_that_only_another_release_has_are_deleted(prod, world, kind):
    world.push(9)
    prod.deployed(1)
    base = prod.objects()
    prod.deploy(2, objects=[extra(kind)]).must_succeed()
    assert len(prod.objects() - base) == 1

    prod.rollback().must_succeed()  # a rollback deletes it
    assert prod.objects() == base

    prod.deploy(3, "never-ready", objects=[extra(kind)]).must_fail()  # a failed rollout as well
    assert prod.objects() == base

    prod.deploy(5, objects=[extra(kind)]).must_succeed()
    prod.deployed(4)  # and a deploy of a release that no longer has it
    assert prod.objects() == base


def test_a_policy_that_blocks_the_shop_is_reverted(cluster):
    cluster.deployed(1)
    cluster.deploy(2, objects=[BLOCKING_POLICY]).must_fail("the release does not answer")
    assert cluster.serves() == 1


@pytest.fixture
def blocked(cluster):
    """A cluster whose live release 2 has a policy that has begun to block it; release 1 has none."""
    cluster.deployed(1)
    cluster.deploy(2, objects=[labelled("NetworkPolicy", "no-one")]).must_succeed()
    cluster.world.kubernetes.objects[POLICY]["spec"]["denies"] = True
    assert cluster.serves() is None
    return cluster


def test_a_rollback_deletes_the_fault_before_it_waits_for_the_rollout(blocked):
    """The policy would make the rollback fail as well."""
    seen = []
    blocked.world.before("kubernetes.wait_for_rollout", lambda: seen.append(POLICY in blocked.objects()))
    blocked.rollback().must_succeed()
    assert (seen, blocked.serves()) == ([False], 1)


def test_a_release_without_the_policy_that_blocks_the_live_one_becomes_live(blocked):
    blocked.deployed(3)
    assert blocked.serves() == 3


def test_a_deploy_keeps_the_objects_of_the_live_release_until_the_switch(cluster):
    cluster.deployed(1)
    cluster.deploy(2, objects=[extra("Service")]).must_succeed()
    seen = []
    cluster.world.before("kubernetes.wait_for_rollout", lambda: seen.append("service/extra" in cluster.objects()))
    cluster.deployed(3)
    assert seen == [True]


def test_objects_that_belong_to_no_release_stay(cluster):
    cluster.world.kubernetes._store(labelled("Service", "monitoring", component="monitoring"))
    cluster.deployed(1, 2)
    cluster.deploy(3, "never-ready")
    assert "service/monitoring" in cluster.objects()


def test_a_first_deploy_that_fails_deletes_all_that_it_made(cluster):
    cluster.deploy(1, "never-ready", objects=[extra("Service"), BLOCKING_POLICY])
    assert {key for key in cluster.objects() if not key.startswith("job")} == set()


def test_on_a_host_a_kind_that_its_account_may_not_change_is_refused_and_reverted(host):
    host.prod.deployed(1)
    before = host.prod.objects()
    host.prod.deploy(2, objects=[BLOCKING_POLICY]).must_fail()
    assert (host.prod.serves(), host.prod.objects()) == (1, before)


# The address of a cluster.


def cluster_url(url=None):
    return compositions.cluster_environments("the-cluster", REPOSITORY, "ann", url)["prod"].url()


def test_the_address_is_given_or_that_of_the_ingress(cluster):
    assert cluster_url() == ""
    cluster.deployed(1)
    assert cluster_url() == "http://cluster.example.org"
    assert cluster_url("https://shop.example.org") == "https://shop.example.org"


@pytest.mark.parametrize(("kind", "value"), [("hostname", "a.example.org"), ("ip", "192.0.2.1")])
def test_a_load_balancer_has_a_name_or_an_address(cluster, kind, value):
    cluster.deployed(1)
    ingress = cluster.world.kubernetes.objects["ingress.networking.k8s.io/book-shop"]
    ingress["status"]["loadBalancer"]["ingress"] = [{kind: value}]
    assert cluster_url() == f"http://{value}"


def test_a_deploy_to_a_cluster_without_an_address_is_reverted(cluster):
    cluster.deployed(1)
    cluster.world.address = None
    cluster.deploy(2).must_fail("the release does not answer", "the Ingress has no address", "describe ingress")
    assert cluster.environment.live() == image(1)
    cluster.world.address = "cluster.example.org"
    cluster.deployed(3)
    assert cluster.serves() == 3


@pytest.mark.parametrize("missing", ["lease.coordination.k8s.io", "configmap"])
def test_a_cluster_that_was_not_set_up(cluster, missing):
    del cluster.world.kubernetes.objects[f"{missing}/book-shop-deploys"]
    cluster.deploy(1).must_fail("remedy: make cluster-setup")
    assert cluster.objects() == set()


def test_a_cluster_keeps_the_last_500_entries(cluster):
    cluster.deployed(1)
    data = cluster.world.kubernetes.objects["configmap/book-shop-deploys"]["data"]
    data["deploys.jsonl"] = "".join(f'{{"environment": "prod", "line": {n}}}\n' for n in range(1, 601))
    cluster.deployed(2)
    history = cluster.environment.state.history()
    assert (len(history), history[0]["line"]) == (500, 102)
