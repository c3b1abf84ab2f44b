"""make github: the settings of the GitHub repository."""

import json
import types

import boto3
import fake_aws
import fake_eks
import github_fake
import moto
import pytest
from delivery import github_setup
from program import Program

INFRA = {
    "name": "x",
    "repository": "public.ecr.aws/a1b2c3d4/book-shop",
    "documents": {"dev": "my-shop-dev", "prod": "my-shop-prod"},
    "roles": {"dev": "arn:aws:iam::1:role/dev", "prod": "arn:aws:iam::1:role/prod"},
    "urls": {"dev": "http://192.0.2.1:8080", "prod": "http://192.0.2.1"},
}
ALL = """\
+ variable: HOST=aws
+ variable: NAME=my-shop
+ variable: AWS_REGION=eu-central-1
+ variable: REPOSITORY=public.ecr.aws/a1b2c3d4/book-shop
+ environment dev: only from chosen branches
+ environment dev: from branch dev
+ environment dev: from branch main
+ variable of dev: AWS_ROLE=arn:aws:iam::1:role/dev
+ variable of dev: URL=http://192.0.2.1:8080
+ environment prod: only from chosen branches
+ environment prod: from branch main
+ variable of prod: AWS_ROLE=arn:aws:iam::1:role/prod
+ variable of prod: PROD=host
+ variable of prod: URL=http://192.0.2.1
+ rules main: deletion, non_fast_forward, required_status_checks
+ rules dev: deletion, non_fast_forward
+ rules releases: deletion, update
""".splitlines()
CHOSEN = {"protected_branches": False, "custom_branch_policies": True}
ENVIRONMENTS = {"dev": "environment:dev", "prod": "environment:prod"}
BRANCHES = {"dev": "ref:refs/heads/dev", "prod": "ref:refs/heads/main"}
SUB = "token.actions.githubusercontent.com:sub"


def trust(*subjects):
    """The trust policy of a role as terraform/github.tf writes it."""
    condition = {"StringEquals": {SUB: subjects[0] if len(subjects) == 1 else [*subjects]}}
    statement = {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def infra(shop, hub, monkeypatch):
    """What `scripts/infra output` reports, which may be changed: `output` by name, and the exit `status`; and AWS with
    the `iam` of the roles, which trust environments of the repository."""
    fake_aws.use_test_credentials(monkeypatch, AWS_REGION="eu-central-1")
    monkeypatch.delenv("TF_VAR_github_subject_prefix", raising=False)
    with moto.mock_aws():
        iam = boto3.client("iam")
        for name, context in ENVIRONMENTS.items():
            subject = f"{github_fake.IMMUTABLE}:{context}"
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(subject))
        yield fake_infra(iam, monkeypatch)


def fake_infra(iam, monkeypatch):
    made = types.SimpleNamespace(output=dict(INFRA), status=0, iam=iam)

    def run(command, **_):
        assert command == ["scripts/infra", "output"]
        stdout = json.dumps({name: {"value": value} for name, value in made.output.items()})
        return types.SimpleNamespace(returncode=made.status, stdout=stdout)

    monkeypatch.setattr(github_setup, "subprocess", types.SimpleNamespace(run=run, PIPE=None))
    return made


def set_trust(infra, prefix, contexts):
    """Lets each role trust one subject."""
    for name, context in contexts.items():
        infra.iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust(f"{prefix}:{context}"))


def shown(changes):
    """What is printed about changes that are made."""
    question = "Make these changes? Type yes to continue: "
    return "\n".join(["==> changes in acme/shop:", *changes, question]) + "".join(f"==> {c}\n" for c in changes)


def test_shows_all_changes_and_makes_them_after_a_yes(shop, hub, infra):
    result = shop.verb("github-setup", stdin="yes\n")
    result.must_print("acme/shop")
    assert result.err == shown(ALL)
    state = hub.state
    repository = "public.ecr.aws/a1b2c3d4/book-shop"
    expected = {"HOST": "aws", "NAME": "my-shop", "AWS_REGION": "eu-central-1", "REPOSITORY": repository}
    assert state["variables"] == expected
    for name, branches in {"dev": ["dev", "main"], "prod": ["main"]}.items():
        environment = state["environments"][name]
        target = {"PROD": "host"} if name == "prod" else {}
        assert environment["variables"] == {"AWS_ROLE": INFRA["roles"][name], "URL": INFRA["urls"][name]} | target
        assert [policy["name"] for policy in environment["policies"]] == branches
        assert environment["deployment_branch_policy"] == CHOSEN
    rules = [(rule["name"], rule["target"], rule["conditions"]["ref_name"]["include"]) for rule in state["rulesets"]]
    assert rules == [
        ("main", "branch", ["refs/heads/main"]), ("dev", "branch", ["refs/heads/dev"]),
        ("releases", "tag", ["refs/tags/v*"]),
    ]  # fmt: skip
    assert {rule["enforcement"] for rule in state["rulesets"]} == {"active"}
    assert state["rulesets"][0]["rules"][2]["parameters"]["required_status_checks"] == [{"context": "check"}]


def test_changes_nothing_the_second_time(shop, hub, infra):
    shop.verb("github-setup", "-y")
    writes, state = hub.writes(), hub.state
    result = shop.verb("github-setup")
    result.must_print("acme/shop")
    assert result.err == "==> nothing to change\n"
    assert (hub.writes(), hub.state) == (writes, state)


@pytest.mark.parametrize("answer", ["no\n", "y\n", "Yes\n", "\n", "yes please\n", ""])
def test_changes_nothing_without_confirmation(shop, hub, infra, answer):
    shop.verb("github-setup", stdin=answer).must_fail("\n".join(ALL), "not confirmed: nothing was changed")
    assert hub.writes() == []


def test_restores_what_was_changed_and_leaves_the_rest_alone(shop, hub, infra):
    shop.verb("github-setup", "-y")
    expected, before = hub.state, len(hub.writes())
    with hub.changing() as state:
        state["variables"] |= {"HOST": "local", "MINE": "1"}
        del state["environments"]["prod"]["variables"]["AWS_ROLE"]
        state["environments"]["prod"]["policies"].append({"id": 77, "name": "*", "type": "branch"})
        state["environments"]["dev"]["policies"].append({"id": 78, "name": "main", "type": "tag"})
        state["rulesets"][0]["enforcement"] = "disabled"
        state["rulesets"][1]["rules"].pop()
        state["rulesets"].append({"id": 79, "name": "mine"})
    shop.verb("github-setup", "-y").must_print("acme/shop", "~ variable: HOST=aws (was local)")
    expected["variables"]["MINE"] = "1"
    expected["rulesets"].append({"id": 79, "name": "mine"})
    assert hub.state == expected
    assert len(hub.writes()) == before + 6


def test_closes_an_environment_and_keeps_its_reviewers_and_waiting_time(shop, hub, infra):
    reviewers = {"type": "required_reviewers", "prevent_self_review": True}
    rules = [
        {"type": "wait_timer", "wait_timer": 5},
        reviewers | {"reviewers": [{"type": "User", "reviewer": {"id": 7, "login": "me"}}]},
        {"type": "branch_policy"},
    ]
    open_environment = {"variables": {}, "policies": [], "deployment_branch_policy": None, "protection_rules": rules}
    with hub.changing() as state:
        state["environments"]["prod"] = open_environment
    shop.verb("github-setup", "-y").must_print("acme/shop", "~ environment prod: only from chosen branches")
    prod = hub.state["environments"]["prod"]
    assert prod["deployment_branch_policy"] == CHOSEN
    kept = reviewers | {"reviewers": [{"type": "User", "reviewer": {"id": 7}}]}
    assert prod["protection_rules"] == [rules[0], kept]


def test_makes_the_remaining_changes_after_a_refusal(shop, hub, infra):
    hub.fails("POST", "rulesets", 403)
    refusal = ("GitHub denied the request", "POST rulesets", "a fault of the test")
    shop.verb("github-setup", "-y").must_fail(*refusal)
    hub.fails()
    result = shop.verb("github-setup", stdin="yes\n")
    result.must_print("acme/shop")
    assert result.err == shown(ALL[-3:])


@pytest.mark.parametrize(
    ("output", "status", "region", "messages"),
    [
        ({}, 0, "eu-central-1", ["the infrastructure does not exist or is incomplete", "remedy: make infra"]),
        (INFRA | {"documents": {}}, 0, "eu-central-1", ["the infrastructure does not exist or is incomplete"]),
        ({}, 3, "eu-central-1", []),
        (INFRA, 0, "", ["AWS_REGION is not set"]),
    ],
    ids=["no infrastructure", "half of it", "Terraform fails", "no region"],
)
def test_changes_nothing_without_infrastructure_or_region(
    shop, hub, infra, monkeypatch, output, status, region, messages
):
    infra.output, infra.status = output, status
    monkeypatch.setenv("AWS_REGION", region)
    shop.verb("github-setup", "-y").must_fail(*messages, status=status or 1)
    assert hub.writes() == []


def change_trust(infra, kind):
    """Makes a role that the jobs of the repository cannot assume, or that others can assume as well."""
    ours = f"{github_fake.IMMUTABLE}:environment:dev"
    if kind == "no role":
        infra.iam.delete_role(RoleName="dev")
        return
    subjects = {
        "names instead of ids": ["repo:acme/shop:environment:dev"],
        "other letters": [ours.replace("acme", "Acme")],
        "another repository": ["repo:acme@12/shop@35:environment:dev"],
        "the other environment": [ours.replace("dev", "prod")],
        "another branch": [f"{github_fake.IMMUTABLE}:ref:refs/heads/feature"],
        "one more": [ours, "repo:acme@12/other@56:environment:dev"],
        "a pattern": ["repo:acme@12/*"],
    }[kind]
    infra.iam.update_assume_role_policy(RoleName="dev", PolicyDocument=trust(*subjects))


STALE = ["names instead of ids", "other letters", "another repository", "the other environment", "another branch"]


@pytest.mark.parametrize("kind", [*STALE, "one more", "a pattern", "no role"])
def test_changes_nothing_while_a_role_does_not_trust_exactly_its_jobs(shop, hub, infra, kind):
    change_trust(infra, kind)
    what = "the AWS roles do not trust the jobs of this repository"
    shop.verb("github-setup", "-y").must_fail(
        what, f"dev: the jobs present {github_fake.IMMUTABLE}:", "remedy: make infra"
    )
    assert hub.writes() == []


def test_names_the_setting_that_made_a_role_trust_jobs_of_no_workflow(shop, hub, infra, monkeypatch):
    set_trust(infra, github_fake.IMMUTABLE, BRANCHES | {"dev": "ref:refs/heads/develop"})
    monkeypatch.setenv("TF_VAR_github_subjects", '{dev="ref:refs/heads/develop",prod="ref:refs/heads/main"}')
    shop.verb("github-setup", "-y").must_fail("the AWS roles do not trust", "remedy: unset TF_VAR_github_subjects, or")
    assert hub.writes() == []


def test_finds_a_role_that_is_stale_after_a_rename_of_the_repository(shop, hub, infra):
    shop.verb("github-setup", "-y").must_print("acme/shop")
    before = hub.writes()
    with hub.changing() as state:
        state["subject"]["sub_claim_prefix"] = "repo:acme@12/store@34"
    why = "dev: the jobs present repo:acme@12/store@34:environment:dev, the role trusts repo:acme@12/shop@34:"
    shop.verb("github-setup", "-y").must_fail(why, "remedy: make infra")
    assert hub.writes() == before


FREE = {"private": True, "plan": "free"}


def test_refuses_a_private_repository_whose_plan_has_no_environments_before_it_changes_anything(shop, hub, infra):
    with hub.changing() as state:
        state |= FREE
    what = "acme/shop has no environments and no rulesets"
    shop.verb("github-setup", "-y").must_fail(
        what, "gh repo edit acme/shop --visibility public", "TF_VAR_github_subjects"
    )
    assert hub.writes() == []


@pytest.mark.parametrize("plan", [{"private": True, "plan": "team"}, {"private": False, "plan": "free"}])
def test_a_paid_plan_or_a_public_repository_has_environments(shop, hub, infra, plan):
    with hub.changing() as state:
        state |= plan
    result = shop.verb("github-setup", "-y")
    result.must_print("acme/shop", *ALL)


def test_roles_that_trust_branches_need_variables_of_the_repository_only(shop, hub, infra):
    set_trust(infra, github_fake.IMMUTABLE, BRANCHES)
    with hub.changing() as state:
        state |= FREE
    shop.verb("github-setup", "-y").must_print("acme/shop", "no branch rules: acme/shop is private")
    state = hub.state
    assert state["variables"] == {
        **{"HOST": "aws", "NAME": "my-shop", "AWS_REGION": "eu-central-1", "REPOSITORY": INFRA["repository"]},
        **{"DEV_AWS_ROLE": INFRA["roles"]["dev"], "PROD_AWS_ROLE": INFRA["roles"]["prod"]},
        "PROD": "host",
    }
    assert (state["environments"], state["rulesets"]) == ({}, [])
    shop.verb("github-setup", "-y").must_print("acme/shop", "nothing to change")


def test_roles_that_trust_branches_have_rules_where_the_plan_has_them(shop, hub, infra):
    set_trust(infra, github_fake.IMMUTABLE, BRANCHES)
    shop.verb("github-setup", "-y").must_print("acme/shop", *ALL[-3:])
    assert hub.state["environments"] == {}


def test_environments_replace_the_variables_of_branches(shop, hub, infra):
    set_trust(infra, github_fake.IMMUTABLE, BRANCHES)
    with hub.changing() as state:
        state |= FREE
    shop.verb("github-setup", "-y").must_print("acme/shop")
    with hub.changing() as state:
        state["private"] = False
    set_trust(infra, github_fake.IMMUTABLE, ENVIRONMENTS)
    shop.verb("github-setup", "-y").must_print("acme/shop", "- variable: DEV_AWS_ROLE", "- variable: PROD_AWS_ROLE")
    assert not [name for name in hub.state["variables"] if name.endswith("AWS_ROLE")]
    assert hub.state["environments"]["dev"]["variables"]["AWS_ROLE"] == INFRA["roles"]["dev"]


def test_a_subject_whose_form_is_unknown_is_that_of_the_variable(shop, hub, infra, monkeypatch):
    with hub.changing() as state:
        state["subject"] |= {"use_default": False, "include_claim_keys": ["repo", "job_workflow_ref", "context"]}
    shop.verb("github-setup", "-y").must_fail("acme/shop has its own form of subjects: repo, job_workflow_ref, context")
    own = f"{github_fake.IMMUTABLE}:job_workflow_ref:x"
    monkeypatch.setenv("TF_VAR_github_subject_prefix", own)
    shop.verb("github-setup", "-y").must_fail(f"dev: the jobs present {own}:environment:dev")
    set_trust(infra, own, ENVIRONMENTS)
    shop.verb("github-setup", "-y").must_print("acme/shop")


ARN = "arn:aws:eks:eu-central-1:123456789012:cluster/my-shop"
INGRESS = {"status": {"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}}}
SETTINGS = {"data": {"secret": "book-shop-env-0000000000"}}
PLACE = ("PROD", "CLUSTER", "CLUSTER_URL", "URL")


@pytest.fixture
def cluster(infra, hub, tmp_path_factory, monkeypatch):
    """EKS with a cluster that serves prod, to which the role of prod may deploy, and kubectl."""
    certificate = {"endpoint": "https://10.0.0.1", "certificateAuthority": {"data": ""}}
    eks = fake_eks.Eks("my-shop", certificate)
    eks.deployers = {INFRA["roles"]["prod"]}
    eks.kubectl = Program(tmp_path_factory.mktemp("bin"), "kubectl")
    objects = {" get ingress ": json.dumps(INGRESS), " get configmap book-shop-settings ": json.dumps(SETTINGS)}
    for words, answer in ({"current-context": ARN} | objects).items():
        eks.kubectl.answers(words, answer)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("PATH", str(eks.kubectl.directory), prepend=":")
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    monkeypatch.setenv("AWS_ENDPOINT_URL_EKS", eks.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", fake_eks.KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", fake_eks.SECRET)
    monkeypatch.setenv("DELIVERY_PROD", "cluster")
    monkeypatch.setenv("DELIVERY_CLUSTER", ARN)
    yield eks
    eks.server.shutdown()


def place_of_prod(hub):
    """The variables that say where prod runs: of the environment prod, or of the repository if there is none."""
    environments = hub.state["environments"]
    variables = environments["prod"]["variables"] if environments else hub.state["variables"]
    return {name: variables[name] for name in PLACE if name in variables}


ON_CLUSTER = {"PROD": "cluster", "CLUSTER": ARN, "URL": "http://lb.example"}
ON_HOST = {"PROD": "host", "URL": INFRA["urls"]["prod"]}


def test_moves_prods_workflows_to_a_cluster_and_back(shop, hub, cluster, monkeypatch):
    shop.verb("github-setup", "-y").must_print("acme/shop", "+ variable of prod: PROD=cluster")
    assert place_of_prod(hub) == ON_CLUSTER
    monkeypatch.setenv("DELIVERY_CLUSTER_URL", "http://shop.example")
    result = shop.verb("github-setup", "-y")
    result.must_print("acme/shop", "~ variable of prod: URL=http://shop.example (was http://lb.example)")
    assert place_of_prod(hub) == ON_CLUSTER | {"CLUSTER_URL": "http://shop.example", "URL": "http://shop.example"}
    monkeypatch.setenv("DELIVERY_PROD", "host")
    shop.verb("github-setup", "-y").must_print("acme/shop", f"- variable of prod: CLUSTER={ARN}")
    assert place_of_prod(hub) == ON_HOST


def test_roles_that_trust_branches_deploy_to_a_cluster_by_variables_of_the_repository(shop, hub, infra, cluster):
    set_trust(infra, github_fake.IMMUTABLE, BRANCHES)
    shop.verb("github-setup", "-y").must_print("acme/shop", "+ variable: PROD=cluster")
    assert place_of_prod(hub) == {"PROD": "cluster", "CLUSTER": ARN}


def test_prod_stays_on_its_cluster_unless_the_host_is_asked_for(shop, hub, cluster, monkeypatch):
    shop.verb("github-setup", "-y")
    for name in ("DELIVERY_PROD", "DELIVERY_CLUSTER"):
        monkeypatch.delenv(name)
    cluster.denied = True  # no request reaches the cluster
    shop.verb("github-setup", "-y").must_print("acme/shop", f"prod stays on the cluster {ARN}", "make github PROD=host")
    assert place_of_prod(hub) == ON_CLUSTER


@pytest.mark.parametrize(("before", "after"), [(BRANCHES, ENVIRONMENTS), (ENVIRONMENTS, BRANCHES)])
def test_prod_stays_on_its_cluster_when_the_roles_trust_another_kind_of_jobs(
    shop, hub, infra, cluster, monkeypatch, before, after
):
    monkeypatch.setenv("DELIVERY_CLUSTER_URL", "http://shop.example")
    expected = {"PROD": "cluster", "CLUSTER": ARN, "CLUSTER_URL": "http://shop.example"}
    set_trust(infra, github_fake.IMMUTABLE, before)
    shop.verb("github-setup", "-y").must_print("acme/shop")
    for name in ("DELIVERY_PROD", "DELIVERY_CLUSTER", "DELIVERY_CLUSTER_URL"):
        monkeypatch.delenv(name)
    set_trust(infra, github_fake.IMMUTABLE, after)
    shop.verb("github-setup", "-y").must_print("acme/shop", f"prod stays on the cluster {ARN}")
    variables = hub.state["variables"] if after == BRANCHES else hub.state["environments"]["prod"]["variables"]
    assert {name: variables.get(name) for name in expected} == expected
    # The place that is used decides from now on, whatever the other one still has.
    monkeypatch.setenv("DELIVERY_PROD", "host")
    shop.verb("github-setup", "-y").must_print("acme/shop", "PROD=host (was cluster)")
    monkeypatch.delenv("DELIVERY_PROD")
    set_trust(infra, github_fake.IMMUTABLE, before)
    shop.verb("github-setup", "-y").must_print("acme/shop")
    variables = hub.state["variables"] if before == BRANCHES else hub.state["environments"]["prod"]["variables"]
    assert (variables["PROD"], variables.get("CLUSTER")) == ("host", None)


def test_a_kind_of_jobs_that_lacks_the_kubeconfig_of_the_cluster_is_refused(shop, hub, infra, cluster, monkeypatch):
    set_trust(infra, github_fake.IMMUTABLE, BRANCHES)
    monkeypatch.setenv("DELIVERY_CLUSTER", "elsewhere")
    cluster.kubectl.answers("current-context", "elsewhere")
    with hub.changing() as state:
        state["secrets"] = [{"name": "CLUSTER_KUBECONFIG"}]
    shop.verb("github-setup", "-y").must_print("acme/shop")
    before = hub.writes()
    monkeypatch.delenv("DELIVERY_PROD")
    set_trust(infra, github_fake.IMMUTABLE, ENVIRONMENTS)
    shop.verb("github-setup", "-y").must_fail("the environment prod has no secret CLUSTER_KUBECONFIG")
    assert hub.writes() == before


def test_a_cluster_elsewhere_needs_the_secret_with_its_kubeconfig(shop, hub, cluster, monkeypatch):
    monkeypatch.setenv("DELIVERY_CLUSTER", "elsewhere")
    cluster.kubectl.answers("current-context", "elsewhere")
    refusal = ("the environment prod has no secret CLUSTER_KUBECONFIG", "gh secret set CLUSTER_KUBECONFIG --env prod,")
    shop.verb("github-setup", "-y").must_fail(*refusal)
    assert hub.writes() == []
    monkeypatch.setenv("DELIVERY_PROD", "host")
    shop.verb("github-setup", "-y")
    with hub.changing() as state:
        state["environments"]["prod"]["secrets"] = [{"name": "CLUSTER_KUBECONFIG"}]
    monkeypatch.setenv("DELIVERY_PROD", "cluster")
    shop.verb("github-setup", "-y").must_print("acme/shop")
    assert place_of_prod(hub) == ON_CLUSTER | {"CLUSTER": "elsewhere"}


@pytest.mark.parametrize(
    ("settings", "status", "messages"),
    [
        ({"DELIVERY_CLUSTER": ""}, 2, ["DELIVERY_CLUSTER is not set", "make infra-cluster-output"]),
        ({"DELIVERY_PROD": "moon"}, 2, ["invalid DELIVERY_PROD 'moon'"]),
        ({"DELIVERY_CLUSTER": "another"}, 1, ["wrong cluster"]),
        ({"DELIVERY_CLUSTER": ARN.replace("my-shop", "gone")}, 1, ["no EKS cluster 'gone' in eu-central-1"]),
    ],
)
def test_changes_nothing_for_a_cluster_that_cannot_be_used(shop, hub, cluster, monkeypatch, settings, status, messages):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    shop.verb("github-setup", "-y").must_fail(*messages, status=status)
    assert hub.writes() == []


def test_changes_nothing_while_prods_role_has_no_access_to_the_cluster(shop, hub, cluster):
    cluster.deployers = {INFRA["roles"]["dev"]}
    messages = (f"the role '{INFRA['roles']['prod']}' may not deploy", "TF_VAR_deployer_role_arns")
    shop.verb("github-setup", "-y").must_fail(*messages)
    assert hub.writes() == []


def test_changes_nothing_while_prod_has_no_address_on_the_cluster(shop, hub, cluster):
    cluster.kubectl.answers(" get ingress ", "")
    shop.verb("github-setup", "-y").must_fail("prod has no address on the cluster", "make deploy-prod")
    assert hub.writes() == []
