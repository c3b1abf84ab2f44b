"""The subject of the repository's OIDC tokens, which scripts/infra passes to Terraform."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import github_fake
import infra
import pytest
from delivery import github_subject
from delivery.cli import CommandError
from delivery.github_errors import NotInPlan

SCRIPTS = Path(__file__).parents[2] / "scripts"
VARIABLE, SUBJECTS = "TF_VAR_github_subject_prefix", "TF_VAR_github_subjects"
PRIVATE = {"private": True, "plan": "free"}


@pytest.fixture
def repository(hub, monkeypatch):
    """GitHub, and the settings of `make infra` for its repository."""
    for name in (VARIABLE, SUBJECTS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITHUB_REPOSITORY", github_fake.REPOSITORY)
    return hub


def answers(hub, **subject):
    """From here on GitHub gives this answer about the subjects; none is a 404."""
    with hub.changing() as state:
        state["subject"] = subject


@pytest.mark.parametrize(
    ("answer", "prefix"),
    [
        (github_fake.SUBJECT, "repo:acme@12/shop@34"),  # although use_immutable_subject is false
        ({"use_default": True, "sub_claim_prefix": "repo:Acme/Shop"}, "repo:Acme/Shop"),
        ({"use_default": True}, "repo:acme/shop"),  # GitHub Enterprise Server, and GitHub before 2026
        ({}, "repo:acme/shop"),
        ({"use_default": True, "include_claim_keys": ["ref"]}, "repo:acme/shop"),  # ignored with the default
        ({"use_default": False, "include_claim_keys": ["repo", "context"]}, "repo:acme/shop"),
        (
            {
                "use_default": False,
                "include_claim_keys": ["repo", "context"],
                "sub_claim_prefix": "repo:acme@12/shop@34",
            },
            "repo:acme@12/shop@34",
        ),
        (
            {"use_default": False, "include_claim_keys": ["repository_owner_id", "repository_id", "context"]},
            "repository_owner_id:12:repository_id:34",
        ),
        (
            {
                "use_default": False,
                "include_claim_keys": ["repository_owner", "repo", "repository_visibility", "context"],
            },
            "repository_owner:acme:repo:acme/shop:repository_visibility:public",
        ),
    ],
)
def test_the_prefix_is_githubs(repository, answer, prefix):
    answers(repository, **answer)
    assert github_subject.for_terraform() == prefix


def test_letters_are_those_of_github_and_not_those_of_the_user(repository, monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "ACME/Shop")
    answers(repository)
    assert github_subject.for_terraform() == "repo:acme/shop"


@pytest.mark.parametrize(
    "keys",
    [
        ["repository_owner", "context"],  # every repository of the owner has it
        ["repository_visibility", "context"],
        ["repo"],  # no environment: dev and prod would be the same
        ["context", "repo"],
        ["repo", "ref"],
        ["repo", "job_workflow_ref", "context"],
        [],
        None,
    ],
)
def test_refuses_a_form_that_a_role_cannot_trust_and_names_a_command_that_resets_it(repository, keys):
    answers(repository, use_default=False, include_claim_keys=keys)
    with pytest.raises(CommandError, match="acme/shop has its own form of subjects") as raised:
        github_subject.for_terraform()
    command = raised.value.remedy.partition(";")[0]
    assert command == "gh api --method PUT repos/acme/shop/actions/oidc/customization/sub -F use_default=true"
    repository.ask("PUT", "actions/oidc/customization/sub", {"use_default": True})
    assert github_subject.for_terraform() == github_fake.IMMUTABLE


@pytest.mark.parametrize("prefix", ["repo:*", "acme/shop", "repo:acme/shop:environment:x", ""])
def test_an_odd_prefix_is_not_passed_on(repository, prefix):
    answers(repository, use_default=True, sub_claim_prefix=prefix)
    if prefix:
        with pytest.raises(CommandError, match="form of subjects"):
            github_subject.for_terraform()
    else:
        assert github_subject.for_terraform() == "repo:acme/shop"


@pytest.mark.parametrize(
    "answer",
    [
        ["repo"],
        "repo:acme/shop",
        7,
        {"use_default": True, "sub_claim_prefix": 7},
        {"use_default": False, "include_claim_keys": "context"},
        {"use_default": False, "include_claim_keys": [["repo"], "context"]},
    ],
)
def test_an_answer_of_another_form_is_an_error_with_the_command_that_prints_it(repository, answer):
    with repository.changing() as state:
        state["subject"] = answer
    with pytest.raises(CommandError, match="invalid answer from GitHub") as raised:
        github_subject.for_terraform()
    assert raised.value.remedy.startswith("gh api repos/acme/shop/actions/oidc/customization/sub prints it; ")
    assert VARIABLE in raised.value.remedy


@pytest.mark.parametrize("answer", [None, [], "acme", {}, {"full_name": "acme/shop", "id": 34, "owner": None}])
def test_a_repository_without_the_fields_that_are_read_is_an_error(repository, monkeypatch, answer):
    monkeypatch.setattr(github_subject.github, "ask", lambda *_: answer)
    with pytest.raises(CommandError, match="invalid answer from GitHub") as raised:
        github_subject.for_terraform()
    assert "owner.id" in raised.value.why


def test_a_prefix_that_is_set_is_taken_without_a_request(repository, monkeypatch):
    monkeypatch.setenv(VARIABLE, "repo:mine/own")
    assert github_subject.for_terraform() == "repo:mine/own"
    assert repository.requests() == []


@pytest.mark.parametrize("subjects", [None, "", '{dev="environment:dev",prod="environment:prod"}'])
def test_refuses_a_private_repository_without_a_plan(repository, monkeypatch, subjects):
    if subjects is not None:
        monkeypatch.setenv(SUBJECTS, subjects)
    with repository.changing() as state:
        state |= PRIVATE
    with pytest.raises(NotInPlan, match="acme/shop has no environments and no rulesets") as raised:
        github_subject.for_terraform()
    # One of the remedies, as it is printed: the branches decide.
    setting = re.search(r"export (TF_VAR_github_subjects=.*)", raised.value.remedy)[1]
    name, _, value = shlex.split(setting)[0].partition("=")
    monkeypatch.setenv(name, value)
    assert value == '{dev="ref:refs/heads/dev",prod="ref:refs/heads/main"}'
    assert github_subject.for_terraform() == github_fake.IMMUTABLE
    # Another one: the repository becomes public.
    monkeypatch.delenv(name)
    with repository.changing() as state:
        state["private"] = False
    assert github_subject.for_terraform() == github_fake.IMMUTABLE


def test_accepts_a_private_repository_with_a_plan(repository):
    with repository.changing() as state:
        state |= {"private": True, "plan": "team"}
    assert github_subject.for_terraform() == github_fake.IMMUTABLE


def test_terraform_reads_the_setting_of_the_branches_as_it_is_printed(repository, tmp_path):
    with repository.changing() as state:
        state |= PRIVATE
    with pytest.raises(NotInPlan) as raised:
        github_subject.for_terraform()
    setting = re.search(r"export TF_VAR_github_subjects=(.*)", raised.value.remedy)[1]
    (value,) = shlex.split(setting)
    assert infra.evaluate("var.github_subjects", tmp_path, github_subjects=value) == github_subject.BRANCHES


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"PATH": "{empty}"}, "gh not found"),
        ({"GH_TOKEN": "", "GH_HOST": ""}, "not logged in to GitHub"),
        ({"HTTP_PROXY": "http://127.0.0.1:1"}, "GitHub doesn't answer"),
    ],
)
def test_without_github_it_names_the_variable_to_set(tmp_path, settings, what):
    """By the real gh, as scripts/infra calls it."""
    (tmp_path / "empty").mkdir()
    environment = {
        "PATH": str(Path(shutil.which("gh")).parent), "PYTHONPATH": str(SCRIPTS), "HOME": str(tmp_path),
        "GITHUB_REPOSITORY": "acme/shop", "GH_HOST": "github.localhost", "GH_TOKEN": "a-token", "NO_PROXY": "x.invalid",
    }  # fmt: skip
    environment |= {name: value.format(empty=tmp_path / "empty") for name, value in settings.items()}
    command = [sys.executable, "-m", "delivery", "github-subject"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"github-subject: {what}" in done.stderr
    name, _, value = re.search(r"export (\S+=[^\s,]+)", done.stderr)[1].partition("=")
    done = subprocess.run(command, env=environment | {name: value}, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "repo:acme/shop\n", "")
