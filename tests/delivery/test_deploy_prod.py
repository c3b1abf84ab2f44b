"""prod: a rollout by Kubernetes, on the host or on a cluster."""

import tempfile

import pytest
from delivery import compositions
from fakes import REPOSITORY, image, image_in, labelled

POLICY = labelled("NetworkPolicy", "no-one", denies=True)


@pytest.fixture(params=["prod", "cluster"])
def prod(request, tmp_path, monkeypatch):
    """prod on each target; no temporary file is left."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    yield request.getfixturevalue("cluster") if request.param == "cluster" else request.getfixturevalue("host").prod
    assert list(temporary.iterdir()) == []


def objects(place):
    return {key for key in place.world.kubernetes.objects if not key.startswith(("lease", "configmap"))}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("no-manifests", f"'{image(2)}' carries no manifests"),
        ("broken-manifests", f"the manifests in '{image(2)}' do not build\n  why: no such resource"),
    ],
)
def test_an_image_without_usable_manifests_is_refused_before_any_change(prod, fault, message):
    prod.deployed(1)
    before = prod.snapshot()
    result = prod.deploy(2, fault)
    assert result.status == 1
    assert message in result.err
    assert prod.snapshot() == before


def test_without_kubernetes_nothing_is_changed(host):
    host.prod.deployed(1)
    before = host.prod.snapshot()
    host.world.kubernetes.outage = 10**6
    result = host.prod.deploy(2)
    host.world.kubernetes.outage = 0
    assert result.status == 1
    assert "Kubernetes does not answer: nothing was changed" in result.err
    assert "remedy: systemctl status k3s" in result.err
    assert host.prod.snapshot() == before


def test_a_failed_migration_shows_its_pod_and_is_removed(prod):
    prod.deployed(1)
    result = prod.deploy(2, "migration")
    assert "CrashLoopBackOff" in result.err
    assert "the last 20 lines of 2\n" in result.err
    assert "job.batch/book-shop-migration" not in objects(prod)
    assert {image_in(pod) for pod in prod.world.kubernetes.pods("app.kubernetes.io/component=web")} == {image(1)}


def test_a_migration_that_hangs_is_given_up_at_the_limit(prod, monkeypatch):
    prod.deployed(1)
    monkeypatch.setenv("DELIVERY_MIGRATION_LIMIT", "20")
    before = prod.world.now
    assert prod.deploy(2, "migration-hangs").status == 1
    assert 20 <= prod.world.now - before < 40
    assert "job.batch/book-shop-migration" not in objects(prod)


@pytest.mark.parametrize("fault", ["crash", "never-ready", "wrong-revision"])
def test_the_last_lines_of_a_failed_release_are_shown(prod, fault):
    prod.deployed(1)
    result = prod.deploy(2, fault)
    assert result.err.count("the last 20 lines of 2\n") == 2
    assert "==> revert the rollout" in result.err


def test_a_revert_that_fails_is_reported_and_completed_by_the_next_deploy(prod):
    prod.deployed(1)

    def break_api():
        prod.world.failures["kubernetes.apply"] = "the API server is broken"

    prod.world.before("kubernetes.wait_for_rollout", break_api)
    result = prod.deploy(2, "never-ready")
    assert result.status == 1
    assert "the rollout could not be reverted, the next deploy does that" in result.err
    assert "the rollout failed" in result.err
    assert prod.history()[-1] == ("unknown", "deploy", 2, "failed")
    assert prod.serves() == 1
    prod.world.failures.clear()
    prod.deployed(1)
    assert prod.environment.live() == image(1)


@pytest.mark.parametrize("outage", [1, 3, 10])
@pytest.mark.parametrize("call", ["wait_for_rollout", "pods"])
def test_a_restart_of_kubernetes_is_waited_for(prod, outage, call):
    prod.deployed(1)
    prod.world.before(f"kubernetes.{call}", lambda: setattr(prod.world.kubernetes, "outage", outage))
    result = prod.deploy(2)
    assert result.status == 0, result.err
    assert prod.serves() == 2


def test_a_restart_of_kubernetes_during_the_migration_is_waited_for(prod):
    prod.deployed(1)
    jobs = []
    get = prod.world.kubernetes.get

    def get_once(kind, name):
        if kind == "job" and not jobs:
            jobs.append(name)
            prod.world.kubernetes.outage = 3
        return get(kind, name)

    prod.world.kubernetes.get = get_once
    assert prod.deploy(2).status == 0
    assert jobs


def test_images_that_prod_does_not_need_are_removed_from_the_store_of_kubernetes(host):
    host.prod.deployed(1, 2, 3)

    def stored():
        return sorted(int(digest[-5:], 16) for digest in host.world.containerd.store.values())

    assert stored() == [2, 2, 2, 3, 3, 3]  # each has three names
    assert host.world.docker.pulled == [image(2), image(3)]
    host.dev.deployed(7)
    assert stored() == [2, 2, 2, 3, 3, 3]
    host.world.containerd.store["registry.example.org/pause@sha256:00001"] = "sha256:00001"
    host.prod.deployed(4)
    assert stored() == [1, 3, 3, 3, 4, 4, 4]


# Objects that only a newer release has.

EXTRA = {
    "cluster": ["Service", "Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Ingress", "NetworkPolicy"],
    "prod": ["Service", "Deployment"],
}
EVERY_KIND = [pytest.param(target, kind, id=f"{target}-{kind}") for target, kinds in EXTRA.items() for kind in kinds]


def extra(kind):
    """An object of a release; a Deployment runs something else than the shop."""
    template = {"metadata": {"labels": {}}, "spec": {"containers": [{"image": image(9)}]}}
    return labelled(kind, "extra", template=template) if kind == "Deployment" else labelled(kind, "extra")


@pytest.mark.parametrize(("prod", "kind"), EVERY_KIND, indirect=["prod"])
def test_objects_that_only_another_release_has_are_deleted(prod, kind):
    prod.world.push(9)
    prod.deployed(1)
    base = objects(prod)
    assert prod.deploy(2, objects=[extra(kind)]).status == 0
    assert len(objects(prod) - base) == 1

    assert prod.rollback().status == 0  # a rollback deletes it
    assert objects(prod) == base

    assert prod.deploy(3, "never-ready", objects=[extra(kind)]).status == 1  # a failed rollout as well
    assert objects(prod) == base

    prod.world.push(2, objects=[extra(kind)])
    prod.deployed(2, 4)  # and a deploy of a release that no longer has it
    assert objects(prod) == base


def test_a_policy_that_blocks_the_shop_is_reverted(cluster):
    cluster.deployed(1)
    result = cluster.deploy(2, objects=[POLICY])
    assert result.status == 1
    assert "the release does not answer" in result.err
    assert cluster.serves() == 1


def test_a_rollback_deletes_the_fault_before_it_waits_for_the_rollout(cluster):
    """A policy that begins to block once its release is live would make the rollback fail as well."""
    cluster.deployed(1)
    policy = labelled("NetworkPolicy", "no-one")
    assert cluster.deploy(2, objects=[policy]).status == 0
    cluster.world.kubernetes.objects["networkpolicy.networking.k8s.io/no-one"]["spec"]["denies"] = True
    assert cluster.serves() is None
    gone = []
    name = "networkpolicy.networking.k8s.io/no-one"
    cluster.world.before(
        "kubernetes.wait_for_rollout", lambda: gone.append(name not in cluster.world.kubernetes.objects)
    )
    assert cluster.rollback().status == 0
    assert gone == [True]
    assert cluster.serves() == 1


def test_a_release_without_the_policy_that_blocks_the_live_one_becomes_live(cluster):
    cluster.deployed(1)
    assert cluster.deploy(2, objects=[labelled("NetworkPolicy", "no-one")]).status == 0
    cluster.world.kubernetes.objects["networkpolicy.networking.k8s.io/no-one"]["spec"]["denies"] = True
    assert cluster.serves() is None
    assert cluster.deploy(3).status == 0
    assert cluster.serves() == 3


def test_a_deploy_keeps_the_objects_of_the_live_release_until_the_switch(cluster):
    cluster.deployed(1)
    assert cluster.deploy(2, objects=[extra("Service")]).status == 0
    there = []
    name = "service/extra"
    cluster.world.before("kubernetes.wait_for_rollout", lambda: there.append(name in cluster.world.kubernetes.objects))
    cluster.deployed(3)
    assert there == [True]


def test_objects_that_belong_to_no_release_stay(cluster):
    cluster.world.kubernetes._store(labelled("Service", "monitoring", component="monitoring"))
    cluster.deployed(1, 2)
    cluster.deploy(3, "never-ready")
    assert "service/monitoring" in objects(cluster)


def test_a_first_deploy_that_fails_deletes_all_that_it_made(cluster):
    cluster.deploy(1, "never-ready", objects=[extra("Service"), POLICY])
    assert {key for key in objects(cluster) if not key.startswith("job")} == set()


def test_on_a_host_a_kind_that_its_account_may_not_change_is_refused_and_reverted(host):
    host.prod.deployed(1)
    before = objects(host.prod)
    result = host.prod.deploy(2, objects=[POLICY])
    assert result.status == 1
    assert host.prod.serves() == 1
    assert objects(host.prod) == before


# The address of a cluster.


def cluster_url(url):
    return compositions.cluster_environments("the-cluster", REPOSITORY, "ann", url)["prod"].url()


def test_the_address_is_given_or_that_of_the_ingress(cluster):
    assert cluster_url(None) == ""
    cluster.deployed(1)
    assert cluster_url(None) == "http://cluster.example.org"
    assert cluster_url("https://shop.example.org") == "https://shop.example.org"


@pytest.mark.parametrize("point", [{"hostname": "a.example.org"}, {"ip": "192.0.2.1"}])
def test_a_load_balancer_has_a_name_or_an_address(cluster, point):
    cluster.deployed(1)
    ingress = cluster.world.kubernetes.objects["ingress.networking.k8s.io/book-shop"]
    ingress["status"]["loadBalancer"]["ingress"] = [point]
    assert cluster_url(None) == f"http://{next(iter(point.values()))}"


def test_a_cluster_without_an_address_is_reverted(cluster):
    cluster.deployed(1)
    cluster.world.address = None
    result = cluster.deploy(2)
    assert result.status == 1
    assert "the Ingress, which has no address, did not answer" in result.err
    assert cluster.environment.live() == image(1)
    cluster.world.address = "cluster.example.org"
    cluster.deployed(3)
    assert cluster.serves() == 3


@pytest.mark.parametrize("missing", ["lease.coordination.k8s.io", "configmap"])
def test_a_cluster_that_was_not_set_up(cluster, missing):
    del cluster.world.kubernetes.objects[f"{missing}/book-shop-deploys"]
    result = cluster.deploy(1)
    assert result.status == 1
    assert "remedy: make cluster-setup" in result.err
    assert objects(cluster) == set()


def test_a_cluster_keeps_the_last_500_entries(cluster):
    cluster.deployed(1)
    config_map = cluster.world.kubernetes.objects["configmap/book-shop-deploys"]
    config_map["data"]["deploys.jsonl"] = "".join(f'{{"environment": "prod", "line": {n}}}\n' for n in range(1, 601))
    cluster.deployed(2)
    lines = config_map_lines(cluster)
    assert len(lines) == 500
    assert '"line": 102' in lines[0]


def config_map_lines(cluster):
    return cluster.world.kubernetes.objects["configmap/book-shop-deploys"]["data"]["deploys.jsonl"].splitlines()
