"""The settings of prod on a cluster: who may read them, what pods get, and what is left."""

import json
from pathlib import Path

import pytest
import yaml
from delivery import settings
from delivery.cluster_settings import ClusterSettings, ports
from fakes import settings_in

ROOT = Path(__file__).parents[2]
POINTER = "configmap/book-shop-settings"
FIRST = {"SECRET_KEY": "the-key", "DATABASE_URL": "postgresql://shop_a:the-password@db.example.org/shop"}
HOSTS = FIRST | {"ALLOWED_HOSTS": "shop.example"}


def name(values):
    """The name of the Secret with these values."""
    return f"book-shop-env-{settings.version(values)}"


def secrets(cluster):
    """{name: {setting: value}} of the cluster's Secrets."""
    return {
        key.removeprefix("secret/"): settings_in(found)
        for key, found in cluster.world.kubernetes.objects.items()
        if key.startswith("secret/")
    }


def live_secret(cluster):
    """The name of the Secret of the live pods."""
    return f"book-shop-env-{cluster.environment.live_settings()}"


def allowed_ports(cluster):
    """The ports of the servers that the pods may reach in addition."""
    policy = cluster.world.kubernetes.objects.get("networkpolicy.networking.k8s.io/servers")
    return [port["port"] for port in policy["spec"]["egress"][0]["ports"]] if policy else []


def test_a_deploy_reads_no_secret_and_gives_the_pods_the_stored_settings(cluster):
    cluster.world.kubernetes.forbidden.add("secret")
    cluster.deploy(1).must_succeed()
    cluster.deploy(2).must_succeed()
    cluster.rollback().must_succeed()
    assert (cluster.serves(), live_secret(cluster)) == (1, name(FIRST))


def test_a_new_value_is_live_and_stored_and_the_manifests_of_the_state_have_no_value(cluster):
    cluster.deployed(1)
    cluster.run("set", "ALLOWED_HOSTS", stdin="shop.example").must_succeed()
    assert (cluster.serves(), live_secret(cluster)) == (1, name(HOSTS))
    assert secrets(cluster)[name(HOSTS)] == HOSTS
    data = cluster.world.kubernetes.objects[POINTER]["data"]
    assert data["secret"] == name(HOSTS)
    assert json.loads(data["changes"])["ALLOWED_HOSTS"]["actor"] == "unknown"
    assert cluster.world.kubernetes.objects[f"secret/{name(HOSTS)}"]["immutable"]
    assert "the-password" not in cluster.environment.state.load().manifests
    shown = {entry["name"]: entry for entry in json.loads(cluster.run("settings", "values").out)}
    assert shown["ALLOWED_HOSTS"]["value"] == "shop.example"
    assert "value" not in shown["SECRET_KEY"]
    cluster.run("unset", "ALLOWED_HOSTS")
    cluster.deploy(2).must_succeed()


def test_without_a_live_image_a_value_is_stored_and_the_next_deploy_applies_it(cluster):
    cluster.deployed(1)
    cluster.world.kubernetes.delete("deployment.apps/book-shop")
    cluster.run("set", "ALLOWED_HOSTS", stdin="shop.example").must_succeed()
    cluster.world.kubernetes.forbidden.add("secret")
    cluster.deploy(2).must_succeed()
    assert live_secret(cluster) == name(HOSTS)


def test_a_release_that_does_not_answer_the_address_of_the_load_balancer_names_the_setting(cluster):
    cluster.deployed(1)
    cluster.world.web.unknown = {cluster.world.address}
    remedy = "make set-prod SETTING=PUBLIC_URL"
    for result in (cluster.deploy(2), cluster.run("set", "ALLOWED_HOSTS", stdin="shop.example")):
        result.must_fail("the shop does not answer at 'http://cluster.example.org/version'", "status 400", remedy)
    cluster.world.web.unknown = ()
    assert cluster.serves() == 1


@pytest.mark.parametrize(
    "arguments",
    [("set", "ALLOWED_HOSTS"), ("unset", "ALLOWED_HOSTS"), ("settings", "values"), ("rotate", "secret-key")],
)
def test_the_missing_right_of_a_deployer_is_reported_before_anything_changes(cluster, arguments):
    cluster.deployed(1)
    cluster.world.kubernetes.forbidden.add("secret")
    with cluster.unchanged():
        right = "get secrets" if arguments[0] == "settings" else "create secrets"
        cluster.run(*arguments, stdin="x").must_fail(f"may not run '{arguments[0]}' on the cluster", right)


def test_secrets_are_deleted_unless_kubernetes_can_return_to_them(cluster):
    kubernetes = cluster.world.kubernetes
    cluster.deployed(1)
    template = {"spec": {"containers": [{"envFrom": [{"secretRef": {"name": "book-shop-env-aaaaaaaaaa"}}]}]}}
    kubernetes.replica_sets.append({"spec": {"template": template}})
    for old in ("book-shop-env", "book-shop-env-aaaaaaaaaa", "book-shop-env-bbbbbbbbbb", "book-shop-env-of-another"):
        kubernetes._store({"kind": "Secret", "metadata": {"name": old}, "data": {}})
    cluster.run("set", "ALLOWED_HOSTS", stdin="shop.example").must_succeed()
    cluster.world.pass_time(60)
    cluster.run("set", "ALLOWED_HOSTS", stdin="other.example").must_succeed()
    stored = name(HOSTS | {"ALLOWED_HOSTS": "other.example"})
    kept = {"book-shop-env-aaaaaaaaaa", "book-shop-env-of-another", stored}
    assert kept <= set(secrets(cluster))
    assert not {"book-shop-env", "book-shop-env-bbbbbbbbbb", name(FIRST)} & set(secrets(cluster))


def test_a_value_that_pods_are_not_ready_with_is_not_stored(cluster):
    cluster.deployed(1)
    cluster.world.before("kubernetes.wait_for_rollout", lambda: cluster.world.push(1, "never-ready"))
    cluster.run("set", "ALLOWED_HOSTS", stdin="shop.example").must_fail("keeps its previous settings")
    assert cluster.world.kubernetes.objects[POINTER]["data"]["secret"] == name(FIRST)


def test_a_cluster_without_versioned_settings_is_refused_with_the_command_that_creates_them(cluster):
    del cluster.world.kubernetes.objects[POINTER]
    cluster.deploy(1).must_fail("the cluster has no settings", "make cluster-setup")


def test_a_lost_secret_is_an_error_and_not_a_cluster_without_settings(cluster):
    cluster.deployed(1)
    del cluster.world.kubernetes.objects[f"secret/{name(FIRST)}"]
    cluster.run("set", "ALLOWED_HOSTS", stdin="x.example").must_fail("the settings of the cluster are lost")


def test_pods_reach_the_servers_that_the_settings_name(cluster):
    cluster.deployed(1)
    url = "postgresql://shop_b:another@db.example.org:6432/shop"
    during = []
    cluster.world.before("kubernetes.wait_for_rollout", lambda: during.extend(allowed_ports(cluster)))
    cluster.run("set", "DATABASE_URL", stdin=url).must_succeed()
    assert (during, allowed_ports(cluster)) == ([6432], [6432])
    cluster.run("set", "DATABASE_URL", stdin=FIRST["DATABASE_URL"]).must_succeed()
    assert allowed_ports(cluster) == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (FIRST, set()),
        ({"DATABASE_URL": "postgresql://a:b@c:25060/d"}, {25060}),
        (FIRST | {"EMAIL_PORT": "2525"}, set()),
        (FIRST | {"EMAIL_HOST": "m", "EMAIL_PORT": "2525"}, {2525}),
        (FIRST | {"EMAIL_HOST": "m"}, {587}),
        (FIRST | {"EMAIL_HOST": "m", "EMAIL_SECURITY": "tls"}, {465}),
        (FIRST | {"EMAIL_HOST": "m", "EMAIL_SECURITY": "none"}, {25}),
    ],
)
def test_the_ports_are_those_of_the_database_and_of_the_mail_server(values, expected):
    assert ports(values) == expected


def test_a_change_that_lost_the_lock_does_not_replace_a_newer_one(cluster):
    store = ClusterSettings(cluster.world.kubernetes)
    newer = {key: settings.Setting(value) for key, value in HOSTS.items()}
    cluster.world.before("kubernetes.replace", lambda: ClusterSettings(cluster.world.kubernetes).save(newer))
    with pytest.raises(Exception, match="kubectl replace"):
        store.save({"SECRET_KEY": settings.Setting("older")})
    assert settings.values(store.load()) == HOSTS


def test_deployers_may_get_the_name_of_the_secret_and_have_no_right_that_shows_a_value():
    files = ("scripts/host/k8s/namespace.yaml", "scripts/cluster/k8s/deploys.yaml")
    manifests = [found for file in files for found in yaml.safe_load_all((ROOT / file).read_text())]
    assert not [found for found in manifests if found["kind"].startswith("ClusterRole")]
    rules = [rule for found in manifests for rule in found.get("rules", ())]
    assert {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": ["book-shop-settings"],
        "verbs": ["get"],
    } in rules
    for rule in rules:
        shown = {"*", "secrets", "serviceaccounts/token"} & set(rule["resources"])
        shown |= {"pods/exec", "pods/attach", "pods/ephemeralcontainers"} & set(rule["resources"])
        assert not shown, rule
        assert "book-shop-settings" not in rule.get("resourceNames", ()) or rule["verbs"] == ["get"]
        # Without names, a rule for ConfigMaps would allow to change this one.
        assert "configmaps" not in rule["resources"] or rule.get("resourceNames")
