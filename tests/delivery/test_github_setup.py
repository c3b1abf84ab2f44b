"""make github: the settings of the GitHub repository."""

import json
import types

import pytest
from delivery import github_setup

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
+ variable of prod: URL=http://192.0.2.1
+ rules main: deletion, non_fast_forward, required_status_checks
+ rules dev: deletion, non_fast_forward
+ rules releases: deletion, update
""".splitlines()
CHOSEN = {"protected_branches": False, "custom_branch_policies": True}


@pytest.fixture
def infra(shop, hub, monkeypatch):
    """What `scripts/infra output` reports, which may be changed: `output` by name, and the exit `status`."""
    made = types.SimpleNamespace(output=dict(INFRA), status=0)

    def run(command, **_):
        assert command == ["scripts/infra", "output"]
        stdout = json.dumps({name: {"value": value} for name, value in made.output.items()})
        return types.SimpleNamespace(returncode=made.status, stdout=stdout)

    monkeypatch.setattr(github_setup, "subprocess", types.SimpleNamespace(run=run, PIPE=None))
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    return made


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
        assert environment["variables"] == {"AWS_ROLE": INFRA["roles"][name], "URL": INFRA["urls"][name]}
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
    hub.fails("POST", "rulesets", 403)  # as for a private repository without a plan
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
