"""The manifests as kubectl renders them, on a host and in a cluster."""

import copy
import subprocess
from pathlib import Path

import pod_security
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PLURALS = {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses"}


def documents(text):
    return [document for document in yaml.safe_load_all(text) if document]


def render(overlay):
    command = ["kubectl", "kustomize", str(ROOT / "k8s/overlays" / overlay)]
    return documents(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.fixture(scope="module")
def cluster():
    return {(found["kind"], found["metadata"]["name"]): found for found in render("cluster")}


def pods(rendered):
    return {
        found["kind"]: found["spec"]["template"]["spec"] for found in rendered if found["kind"] in ("Deployment", "Job")
    }


def selected(selector, labels):
    return selector.get("matchLabels", {}).items() <= labels.items()


@pytest.mark.parametrize("overlay", ["single-node", "cluster"])
def test_every_pod_is_what_pod_security_restricted_takes(overlay):
    found = pods(render(overlay))
    assert set(found) == {"Deployment", "Job"}
    assert {kind: pod_security.violations(pod) for kind, pod in found.items()} == {"Deployment": [], "Job": []}


def put(tree, path, value):
    *way, last = path
    for step in way:
        tree = tree.setdefault(step, {}) if isinstance(tree, dict) else tree[step]
    tree[last] = value


CONTAINER = ("containers", 0, "securityContext")


@pytest.mark.parametrize(
    ("path", "value", "violation"),
    [
        (("hostNetwork",), True, "hostNetwork"),
        (("hostPID",), True, "hostPID"),
        (("hostIPC",), True, "hostIPC"),
        (("volumes",), [{"name": "x", "hostPath": {"path": "/"}}], "volume hostPath"),
        (("securityContext", "sysctls"), [{"name": "kernel.msgmax", "value": "1"}], "sysctl kernel.msgmax"),
        (("securityContext", "runAsNonRoot"), None, "web: runAsNonRoot"),
        (("securityContext", "runAsUser"), 0, "pod: runAsUser 0"),
        (("securityContext", "seccompProfile"), {}, "web: seccompProfile"),
        (("securityContext", "seccompProfile"), {"type": "Unconfined"}, "pod: seccompProfile"),
        (("securityContext", "seLinuxOptions"), {"type": "spc_t"}, "pod: seLinuxOptions"),
        (("securityContext", "windowsOptions"), {"hostProcess": True}, "pod: hostProcess"),
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
    pod = copy.deepcopy(cluster["Deployment", "book-shop"]["spec"]["template"]["spec"])
    put(pod, path, value)
    assert violation in pod_security.violations(pod)


def test_a_deploy_applies_all_there_is_and_its_roles_let_it(cluster):
    components = {key: found["metadata"]["labels"]["app.kubernetes.io/component"] for key, found in cluster.items()}
    assert {key for key, component in components.items() if component != "web"} == {("Job", "book-shop-migration")}
    assert {found["metadata"]["namespace"] for found in cluster.values()} == {"book-shop"}
    texts = [
        (ROOT / path).read_text() for path in ("scripts/host/k8s/namespace.yaml", "scripts/cluster/k8s/deploys.yaml")
    ]
    rules = [rule for text in texts for found in documents(text) if found["kind"] == "Role" for rule in found["rules"]]
    for found in cluster.values():
        group = found["apiVersion"].rpartition("/")[0]
        resource = PLURALS.get(found["kind"], found["kind"].lower() + "s")
        fitting = [rule for rule in rules if group in rule["apiGroups"] and resource in rule["resources"]]
        assert any({"get", "create", "patch", "delete"} <= set(rule["verbs"]) for rule in fitting), resource
    for rule in rules:  # nothing that reads secrets, runs commands in pods or gives more rights
        assert not {"secrets", "pods/exec", "roles", "rolebindings", "*"} & {*rule["resources"], *rule["verbs"]}


def test_the_namespace_enforces_the_profile():
    (namespace,) = (
        found
        for found in documents((ROOT / "scripts/host/k8s/namespace.yaml").read_text())
        if found["kind"] == "Namespace"
    )
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_budget_autoscaler_and_service_mean_the_web_pods_and_no_others(cluster):
    labels = {
        kind: cluster[kind, name]["spec"]["template"]["metadata"]["labels"]
        for kind, name in cluster
        if kind in ("Deployment", "Job")
    }
    for selector in (
        cluster["PodDisruptionBudget", "book-shop"]["spec"]["selector"],
        {"matchLabels": cluster["Service", "book-shop"]["spec"]["selector"]},
        *(rule["labelSelector"] for rule in spread(cluster)),
    ):
        assert (selected(selector, labels["Deployment"]), selected(selector, labels["Job"])) == (True, False)
    target = cluster["HorizontalPodAutoscaler", "book-shop"]["spec"]["scaleTargetRef"]
    deployment = cluster["Deployment", "book-shop"]
    assert (target["kind"], target["name"], target["apiVersion"]) == (
        "Deployment",
        "book-shop",
        deployment["apiVersion"],
    )
    assert "replicas" not in deployment["spec"]  # a deploy would set back what the autoscaler has set


def spread(cluster):
    return cluster["Deployment", "book-shop"]["spec"]["template"]["spec"]["topologySpreadConstraints"]


def test_pods_are_spread_over_nodes_and_zones_and_a_drain_takes_one_at_a_time(cluster):
    assert {rule["topologyKey"]: (rule["maxSkew"], rule["whenUnsatisfiable"]) for rule in spread(cluster)} == {
        "kubernetes.io/hostname": (1, "DoNotSchedule"),
        "topology.kubernetes.io/zone": (1, "ScheduleAnyway"),
    }
    budget = cluster["PodDisruptionBudget", "book-shop"]["spec"]
    least = cluster["HorizontalPodAutoscaler", "book-shop"]["spec"]["minReplicas"]
    assert budget["maxUnavailable"] < least


@pytest.mark.parametrize("overlay", ["single-node", "cluster"])
def test_the_grace_period_is_longer_than_pre_stop_and_graceful_timeout(overlay):
    pod = pods(render(overlay))["Deployment"]
    (web,) = pod["containers"]
    wait = web["lifecycle"]["preStop"]["sleep"]["seconds"]
    settings = (ROOT / "book-shop/gunicorn.conf.py").read_text()
    graceful = int(settings.partition("graceful_timeout = ")[2].split()[0])
    assert wait + graceful < pod["terminationGracePeriodSeconds"]


def test_the_shop_knows_its_own_address_besides_the_names_of_the_secret(cluster):
    (web,) = cluster["Deployment", "book-shop"]["spec"]["template"]["spec"]["containers"]
    order = [variable["name"] for variable in web["env"]]
    value = next(variable["value"] for variable in web["env"] if variable["name"] == "ALLOWED_HOSTS")
    assert value == "$(NAMES),$(POD_ADDRESS)"
    assert order.index("ALLOWED_HOSTS") > max(
        order.index("NAMES"), order.index("POD_ADDRESS")
    )  # or it stays as written
    assert web["envFrom"] == [{"secretRef": {"name": "book-shop-env"}}]  # DATABASE_URL and the key


def test_the_network_lets_through_what_is_named_and_nothing_else(cluster):
    web = cluster["Deployment", "book-shop"]["spec"]["template"]["metadata"]["labels"]
    job = cluster["Job", "book-shop-migration"]["spec"]["template"]["metadata"]["labels"]
    policies = {name: found["spec"] for (kind, name), found in cluster.items() if kind == "NetworkPolicy"}
    assert policies.pop("nothing") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}

    def allowed(labels, direction):
        key = "from" if direction == "ingress" else "to"
        return {
            (peer["ipBlock"]["cidr"], port["protocol"], port["port"])
            for policy in policies.values()
            if selected(policy["podSelector"], labels)
            for rule in policy.get(direction, [])
            for peer in rule.get(key, [{"ipBlock": {"cidr": "any"}}])
            for port in rule["ports"]
        }

    out = {("any", "UDP", 53), ("any", "TCP", 53), ("10.30.16.0/20", "TCP", 5432)}
    assert (allowed(web, "ingress"), allowed(web, "egress")) == ({("10.30.0.0/20", "TCP", "http")}, out)
    assert (allowed(job, "ingress"), allowed(job, "egress")) == (set(), out)


def test_the_way_in_leads_to_the_web_pods_and_not_to_their_metrics(cluster):
    (rule,) = cluster["Ingress", "book-shop"]["spec"]["rules"]
    ways = {way["path"]: way["backend"]["service"]["name"] for way in rule["http"]["paths"]}
    assert ways == {"/metrics": "not-found", "/": "book-shop"}
    assert not any(name == "not-found" for kind, name in cluster if kind == "Service")
