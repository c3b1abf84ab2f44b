"""The manifests as kubectl renders them, on a host and in a cluster."""

import copy
import functools
import ipaddress
import json
import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pod_security
import pytest
import yaml
from delivery import cluster_certificate
from delivery.cluster_certificate import Certificate

ROOT = Path(__file__).parents[2]
PLURALS = {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses"}


def documents(text):
    return [document for document in yaml.safe_load_all(text) if document]


@functools.cache
def render(overlay):
    """The manifests of a target, by kind and name."""
    return by_name(kustomize(ROOT / "k8s/overlays" / overlay))


def kustomize(directory):
    command = ["kubectl", "kustomize", str(directory)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def by_name(text):
    return {(found["kind"], found["metadata"]["name"]): found for found in documents(text)}


@pytest.fixture
def cluster():
    return render("cluster")


@pytest.fixture(params=["single-node", "cluster"])
def templates(request):
    """The pods of a target by kind: Deployment and Job."""
    return templates_of(render(request.param))


def templates_of(rendered):
    found = {kind: found["spec"]["template"] for (kind, _), found in rendered.items() if kind in ("Deployment", "Job")}
    assert set(found) == {"Deployment", "Job"}
    return found


def web_pod(rendered):
    return templates_of(rendered)["Deployment"]["spec"]


def selects(selector, template):
    return selector.get("matchLabels", {}).items() <= template["metadata"]["labels"].items()


@pytest.mark.parametrize("kind", ["Deployment", "Job"])
def test_pod_security_restricted_admits_every_pod(templates, kind):
    assert pod_security.violations(templates[kind]["spec"]) == []


POD, CONTAINER = ("securityContext",), ("containers", 0, "securityContext")


@pytest.mark.parametrize(
    ("path", "value", "violation"),
    [
        (("hostNetwork",), True, "hostNetwork"),
        (("hostPID",), True, "hostPID"),
        (("hostIPC",), True, "hostIPC"),
        (("volumes",), [{"name": "x", "hostPath": {"path": "/"}}], "volume hostPath"),
        ((*POD, "sysctls"), [{"name": "kernel.msgmax", "value": "1"}], "sysctl kernel.msgmax"),
        ((*POD, "runAsNonRoot"), None, "web: runAsNonRoot"),
        ((*POD, "runAsUser"), 0, "pod: runAsUser 0"),
        ((*POD, "seccompProfile"), {}, "web: seccompProfile"),
        ((*POD, "seccompProfile"), {"type": "Unconfined"}, "pod: seccompProfile"),
        ((*POD, "seLinuxOptions"), {"type": "spc_t"}, "pod: seLinuxOptions"),
        ((*POD, "windowsOptions"), {"hostProcess": True}, "pod: hostProcess"),
        ((*CONTAINER, "runAsNonRoot"), False, "web: runAsNonRoot"),
        ((*CONTAINER, "runAsUser"), 0, "web: container: runAsUser 0"),
        ((*CONTAINER, "seccompProfile"), {"type": "Unconfined"}, "web: container: seccompProfile"),
        ((*CONTAINER, "appArmorProfile"), {"type": "Unconfined"}, "web: container: appArmorProfile"),
        ((*CONTAINER, "allowPrivilegeEscalation"), None, "web: allowPrivilegeEscalation"),
        ((*CONTAINER, "privileged"), True, "web: privileged"),
        ((*CONTAINER, "capabilities"), {}, "web: capabilities"),
        ((*CONTAINER, "capabilities"), {"drop": ["ALL"], "add": ["SYS_ADMIN"]}, "web: capabilities"),
        ((*CONTAINER, "procMount"), "Unmasked", "web: procMount"),
        (("containers", 0, "ports", 0, "hostPort"), 80, "web: hostPort"),
        (("containers", 0, "livenessProbe", "httpGet", "host"), "10.0.0.1", "web: host of a probe"),
        (("initContainers",), [{"name": "first"}], "first: capabilities"),
    ],
)
def test_the_profiles_rules_find_what_breaks_them(cluster, path, value, violation):
    pod = parent = copy.deepcopy(web_pod(cluster))
    for step in path[:-1]:
        parent = parent.setdefault(step, {}) if isinstance(parent, dict) else parent[step]
    parent[path[-1]] = value
    assert violation in pod_security.violations(pod)


def test_a_deploy_applies_every_manifest_and_its_roles_permit_that(cluster):
    components = {key: found["metadata"]["labels"]["app.kubernetes.io/component"] for key, found in cluster.items()}
    assert {key for key, component in components.items() if component != "web"} == {("Job", "book-shop-migration")}
    assert {found["metadata"]["namespace"] for found in cluster.values()} == {"book-shop"}
    paths = ("scripts/host/k8s/namespace.yaml", "scripts/cluster/k8s/deploys.yaml")
    roles = [found for path in paths for found in documents((ROOT / path).read_text()) if found["kind"] == "Role"]
    rules = [rule for role in roles for rule in role["rules"]]
    for found in cluster.values():
        group = found["apiVersion"].rpartition("/")[0]
        resource = PLURALS.get(found["kind"], found["kind"].lower() + "s")
        fitting = [rule for rule in rules if group in rule["apiGroups"] and resource in rule["resources"]]
        assert any({"get", "create", "patch", "delete"} <= set(rule["verbs"]) for rule in fitting), resource
    for rule in rules:  # nothing that reads secrets, runs commands in pods or gives more rights
        assert not {"secrets", "pods/exec", "roles", "rolebindings", "*"} & {*rule["resources"], *rule["verbs"]}


def test_the_namespace_enforces_the_profile():
    found = documents((ROOT / "scripts/host/k8s/namespace.yaml").read_text())
    (labels,) = (document["metadata"]["labels"] for document in found if document["kind"] == "Namespace")
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_budget_service_and_spread_select_the_web_pods_and_no_others(cluster):
    templates = templates_of(cluster)
    for selector in (
        cluster["PodDisruptionBudget", "book-shop"]["spec"]["selector"],
        {"matchLabels": cluster["Service", "book-shop"]["spec"]["selector"]},
        *(rule["labelSelector"] for rule in web_pod(cluster)["topologySpreadConstraints"]),
    ):
        assert selects(selector, templates["Deployment"])
        assert not selects(selector, templates["Job"])


def test_the_autoscaler_alone_decides_the_number_of_web_pods(cluster):
    deployment = cluster["Deployment", "book-shop"]
    assert cluster["HorizontalPodAutoscaler", "book-shop"]["spec"]["scaleTargetRef"] == {
        "kind": "Deployment", "name": "book-shop", "apiVersion": deployment["apiVersion"],
    }  # fmt: skip
    assert "replicas" not in deployment["spec"]  # a deploy would set back what the autoscaler has set


def test_pods_are_spread_over_nodes_and_zones(cluster):
    rules = web_pod(cluster)["topologySpreadConstraints"]
    assert {rule["topologyKey"]: (rule["maxSkew"], rule["whenUnsatisfiable"]) for rule in rules} == {
        "kubernetes.io/hostname": (1, "DoNotSchedule"),
        "topology.kubernetes.io/zone": (1, "ScheduleAnyway"),
    }


def test_a_drain_of_a_node_leaves_pods_running(cluster):
    least = cluster["HorizontalPodAutoscaler", "book-shop"]["spec"]["minReplicas"]
    assert cluster["PodDisruptionBudget", "book-shop"]["spec"]["maxUnavailable"] < least


def test_the_grace_period_is_longer_than_pre_stop_and_graceful_timeout(templates):
    pod = templates["Deployment"]["spec"]
    wait = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    settings = (ROOT / "book-shop/gunicorn.conf.py").read_text()
    graceful = int(settings.partition("graceful_timeout = ")[2].split()[0])
    assert wait + graceful < pod["terminationGracePeriodSeconds"]


def test_the_shop_knows_its_own_address_and_the_names_of_the_secret(cluster):
    (web,) = web_pod(cluster)["containers"]
    order = [variable["name"] for variable in web["env"]]
    names = order.index("ALLOWED_HOSTS")
    assert web["env"][names]["value"] == "$(NAMES),$(POD_ADDRESS)"
    assert names > max(order.index("NAMES"), order.index("POD_ADDRESS"))  # Kubernetes expands only earlier variables
    assert web["envFrom"] == [{"secretRef": {"name": "book-shop-env"}}]  # DATABASE_URL and the key


@pytest.mark.parametrize(
    ("kind", "direction", "peers", "expected"),
    [
        ("Deployment", "ingress", "from", {("any", "TCP", "http")}),
        ("Job", "ingress", "from", set()),
        ("Deployment", "egress", "to", {("any", "UDP", 53), ("any", "TCP", 53), ("any", "TCP", 5432)}),
        ("Job", "egress", "to", {("any", "UDP", 53), ("any", "TCP", 53), ("any", "TCP", 5432)}),
    ],
)
def test_the_network_lets_through_what_is_named_and_nothing_else(cluster, kind, direction, peers, expected):
    policies = {name: found["spec"] for (kind, name), found in cluster.items() if kind == "NetworkPolicy"}
    assert policies.pop("nothing") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert expected == {
        (peer["ipBlock"]["cidr"], port["protocol"], port["port"])
        for policy in policies.values()
        if selects(policy["podSelector"], templates_of(cluster)[kind])
        for rule in policy.get(direction, [])
        for peer in rule.get(peers, [{"ipBlock": {"cidr": "any"}}])
        for port in rule["ports"]
    }


@pytest.mark.parametrize("overlay", ["single-node", "cluster"])
def test_the_image_names_no_address_of_a_network(overlay):
    """The manifests are part of the image, which runs on any cluster."""
    text = yaml.safe_dump_all(render(overlay).values())
    found = {
        ipaddress.ip_network(name, strict=False) for name in re.findall(r"[0-9]+(?:\.[0-9]+){3}(?:/[0-9]+)?", text)
    }
    assert {network for network in found if not network.is_link_local} == set()


def test_the_ingress_leads_to_the_web_pods_and_not_to_their_metrics(cluster):
    (rule,) = cluster["Ingress", "book-shop"]["spec"]["rules"]
    services = {path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
    assert services == {"/metrics": "not-found", "/": "book-shop"}
    assert ("Service", "not-found") not in cluster


# As scripts/check: of the Kubernetes on the host.
BOOTSTRAP = (ROOT / "scripts/host/bin/bootstrap-kubernetes").read_text()
KUBERNETES = re.search(r"^k3s_version=v(1\.[0-9]+)\.", BOOTSTRAP, re.MULTILINE)[1] + ".0"
CERTIFICATES = [Certificate(name, value) for name, value in cluster_certificate.EXAMPLES.items()]


@pytest.mark.parametrize("certificate", CERTIFICATES, ids=["acm", "cert-manager"])
def test_the_ingress_with_a_certificate_is_valid_and_leads_to_the_same_services(cluster, tmp_path, certificate):
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s")
    patches = cluster_certificate.patches(certificate, "https://shop.example")
    kustomization = {"resources": ["k8s/overlays/cluster"], "patches": patches}
    (tmp_path / "kustomization.yaml").write_text(json.dumps(kustomization))
    text = kustomize(tmp_path)
    rendered = by_name(text)
    changed = {key for key, found in rendered.items() if found != cluster[key]}
    assert (set(rendered), changed) == (set(cluster), {("Ingress", "book-shop")})
    before, after = cluster["Ingress", "book-shop"], rendered["Ingress", "book-shop"]
    assert before["metadata"]["annotations"].items() < after["metadata"]["annotations"].items()
    (without_host,) = before["spec"]["rules"]
    assert [rule["http"] for rule in after["spec"]["rules"]] == [without_host["http"]] * len(after["spec"]["rules"])
    kubernetes_validate.validate(after, KUBERNETES, strict=True)


def test_an_image_without_an_ingress_is_not_patched(tmp_path):
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s")
    for certificate in CERTIFICATES:
        patches = cluster_certificate.patches(certificate, "https://shop.example")
        kustomization = {"resources": ["k8s/overlays/single-node"], "patches": patches}
        (tmp_path / "kustomization.yaml").write_text(json.dumps(kustomization))
        assert by_name(kustomize(tmp_path)) == render("single-node")


def test_challenges_of_cert_manager_reach_their_pods_and_no_deploy_deletes_that_policy(cluster):
    (policy,) = documents((ROOT / "scripts/cluster/k8s/cert-manager.yaml").read_text())
    kubernetes_validate.validate(policy, KUBERNETES, strict=True)
    assert policy["spec"] == {
        "podSelector": {"matchLabels": {"acme.cert-manager.io/http01-solver": "true"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": [{"protocol": "TCP", "port": 8089}]}],
    }
    assert "app.kubernetes.io/component" not in policy["metadata"]["labels"]
    assert not any(selects(policy["spec"]["podSelector"], template) for template in templates_of(cluster).values())
