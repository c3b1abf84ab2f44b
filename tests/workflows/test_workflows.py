"""The workflow files: what starts them, what they may, and that they hold checkout, credentials and make, no more."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import workflows

ROOT = Path(__file__).parents[2]
ALL = workflows.workflows()
JOBS = [(name, key, job) for name, workflow in ALL.items() for key, job in workflow["jobs"].items()]
STEPS = [(f"{name}/{key}", step) for name, key, job in JOBS for step in job["steps"]]
DEPLOYING = [(name, key, job) for name, key, job in JOBS if "environment" in job]
ACTIONS = {"actions/checkout", "actions/upload-artifact", "aws-actions/configure-aws-credentials"}
PINNED = re.compile(r"\s*- uses: ([\w-]+/[\w-]+)@[0-9a-f]{40} # v[0-9]+\.[0-9]+\.[0-9]+")
MAKE = re.compile(r'make [a-z0-9-]+( TO="\$VERSION")?')


def lint(*command):
    """Runs a linter on all workflow files; its words are shown when it finds fault."""
    assert shutil.which(command[0]), f"{command[0]} is missing: make setup installs it"
    files = sorted((ROOT / ".github/workflows").iterdir())
    done = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint():
    lint("actionlint")


def test_zizmor():
    lint("zizmor", "--offline", "--no-progress", "--persona", "auditor")


def test_there_are_the_four_workflows():
    assert list(ALL) == ["check.yml", "dev.yml", "main.yml", "operate.yml"]


@pytest.mark.parametrize(
    ("branch", "started"),
    [
        ("dev", ["dev.yml"]),
        ("main", ["main.yml"]),
        ("feature", []),  # its pull request starts check.yml
        ("feature/one", []),
        ("dev2", []),
        ("release/main", []),
    ],
)
def test_a_push_starts_the_workflow_of_its_branch(branch, started):
    assert [name for name, workflow in ALL.items() if workflows.starts(workflow, branch)] == started


def test_what_else_starts_a_workflow():
    others = {name: sorted(set(workflow["on"]) - {"push"}) for name, workflow in ALL.items()}
    assert others == {
        "check.yml": ["pull_request"],
        "dev.yml": [],
        "main.yml": [],
        "operate.yml": ["workflow_dispatch"],
    }
    assert ALL["check.yml"]["on"]["pull_request"] == {}  # to every branch


@pytest.mark.parametrize(("where", "step"), STEPS)
def test_a_step_is_an_action_or_one_line_of_make(where, step):
    assert ("run" in step) != ("uses" in step)
    assert set(step) <= {"run", "uses", "with", "env", "if"}
    if "run" in step:
        assert MAKE.fullmatch(step["run"]), where


def test_every_target_that_is_called_is_in_the_makefile():
    targets = set(re.findall(r"^([a-z0-9-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = {step["run"].split()[1] for _, step in STEPS if "run" in step}
    assert len(called) > 10
    assert called <= targets


def test_actions_are_few_and_pinned_with_their_version():
    lines = [line for file in (ROOT / ".github/workflows").iterdir() for line in file.read_text().splitlines()]
    uses = [line for line in lines if "uses:" in line]
    assert len(uses) == len([step for _, step in STEPS if "uses" in step])
    assert all(PINNED.fullmatch(line) for line in uses)
    assert {PINNED.fullmatch(line)[1] for line in uses} == ACTIONS
    assert len({line.strip() for line in uses}) == len(ACTIONS)  # one version of each


def test_the_checkout_leaves_no_token_behind_and_brings_the_history():
    for where, step in STEPS:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"] == {"fetch-depth": 0, "persist-credentials": False}, where


def test_nothing_is_permitted_that_a_job_does_not_need():
    assert all(workflow["permissions"] == {} for workflow in ALL.values())
    permissions = {f"{name}/{key}": job["permissions"] for name, key, job in JOBS}
    reads, deploys = {"contents": "read"}, {"contents": "read", "id-token": "write"}
    assert permissions == {
        "check.yml/check": reads,
        "check.yml/test": reads,
        "dev.yml/check": reads,
        "dev.yml/deploy": deploys,
        "main.yml/check": reads,
        "main.yml/deploy": deploys,
        "main.yml/release": {"contents": "write", "id-token": "write"},
        "operate.yml/operate": deploys,
    }


def test_nothing_is_secret():
    text = "".join(file.read_text() for file in (ROOT / ".github/workflows").iterdir())
    assert "secrets." not in text
    assert "AKIA" not in text
    assert not re.search(r"access-key", text)
    # What a stranger can choose: titles, branch names, messages.
    assert not re.search(r"github\.(event|head_ref|ref_name|actor)", text)


def test_an_input_reaches_make_as_a_variable_and_never_as_text():
    """GitHub replaces an expression in a command before the shell reads it."""
    assert not [where for where, step in STEPS if "${{" in step.get("run", "")]
    given = {step["run"]: step["env"] for _, step in STEPS if "inputs." in str(step.get("env"))}
    version = {"VERSION": "${{ inputs.version }}"}
    assert given == {f'make rollback-{name} TO="$VERSION"': version for name in ("dev", "prod")}


def test_every_job_has_a_time_limit_and_a_runner_that_does_not_move():
    for name, key, job in JOBS:
        assert 5 <= job["timeout-minutes"] <= 60, (name, key)
        assert job["runs-on"] == "ubuntu-24.04"


def test_deploys_to_one_environment_stand_in_one_queue_that_cancels_nothing():
    groups = {name: workflow["concurrency"] for name, workflow in ALL.items() if name != "check.yml"}
    either = "${{ inputs.verb == 'rollback-prod' && 'prod' || 'dev' }}"
    assert {name: concurrency.pop("group") for name, concurrency in groups.items()} == {
        "dev.yml": "dev",
        "main.yml": "prod",
        "operate.yml": either,
    }
    # Of the whole workflow: a later push can't overtake an earlier one in its checks. No push in the queue is dropped.
    assert all(concurrency == {"queue": "max", "cancel-in-progress": False} for concurrency in groups.values())
    assert not [job for _, _, job in JOBS if "concurrency" in job]
    environments = {(name, job["environment"]["name"]) for name, _, job in DEPLOYING}
    assert environments == {("dev.yml", "dev"), ("main.yml", "prod"), ("operate.yml", either)}


def test_what_deploys_takes_its_settings_from_variables_and_its_role_by_oidc():
    assert len(DEPLOYING) == 4
    for name, key, job in DEPLOYING:
        settings = {
            "AWS_REGION": "${{ vars.AWS_REGION }}",
            **{f"DELIVERY_{name}": f"${{{{ vars.{name} }}}}" for name in ("HOST", "NAME", "REPOSITORY")},
        }
        assert job["env"] == {**settings, "DELIVERY_STEPS": ".steps"}, (name, key)
        (credentials,) = (step for step in job["steps"] if step.get("uses", "").startswith("aws-actions/"))
        assert credentials["with"] == {"role-to-assume": "${{ vars.AWS_ROLE }}", "aws-region": "${{ vars.AWS_REGION }}"}
        assert job["environment"]["url"] == "${{ vars.URL }}"


def steps(name, key):
    """What a job runs, in its order."""
    return [step["run"].removeprefix("make ") for step in ALL[name]["jobs"][key]["steps"] if "run" in step]


def test_the_order_is_the_briefs():
    assert steps("dev.yml", "check") == steps("main.yml", "check") == ["check"]
    assert steps("dev.yml", "deploy") == ["image", "push", "deploy-dev", "smoke-dev", "summary"]
    promoting = ["release-check", "promote", "deploy-prod", "smoke-prod", "summary"]
    assert steps("main.yml", "deploy") == promoting
    assert steps("main.yml", "release") == ["release", "summary"]
    assert ALL["dev.yml"]["jobs"]["deploy"]["needs"] == ALL["main.yml"]["jobs"]["deploy"]["needs"] == "check"
    assert ALL["main.yml"]["jobs"]["release"]["needs"] == "deploy"
    always = [step for where, step in STEPS if step.get("if") == "always()"]
    assert [step["run"] for step in always] == ["make summary"] * 4


def test_both_networks_are_tested():
    job = ALL["check.yml"]["jobs"]["test"]
    assert job["env"] == {"DELIVERY_CLOSED_NETWORK": "${{ matrix.closed }}"}
    assert [entry["closed"] for entry in job["strategy"]["matrix"]["include"]] == ["", "1"]
    assert steps("check.yml", "test") == ["test-e2e"]


def test_check_runs_once_for_a_push_to_a_pull_request():
    jobs = ALL["check.yml"]["jobs"]
    assert [key for key, job in jobs.items() if {"check", "test"} & set(steps("check.yml", key))] == ["check"]
    assert "strategy" not in jobs["check"]
    assert jobs["test"]["needs"] == "check"


def test_by_hand_one_of_four_verbs_is_run():
    verbs = ALL["operate.yml"]["on"]["workflow_dispatch"]["inputs"]["verb"]["options"]
    assert verbs == ["status", "rollback-dev", "rollback-prod", "prune"]
    chosen = {step["if"]: step["run"] for step in ALL["operate.yml"]["jobs"]["operate"]["steps"] if "if" in step}
    runs = {"status": "status", "prune": "prune-now"}
    runs |= {f"rollback-{name}": f'rollback-{name} TO="$VERSION"' for name in ("dev", "prod")}
    expected = {f"inputs.verb == '{verb}'": f"make {target}" for verb, target in runs.items()}
    assert chosen == {**expected, "always()": "make summary"}


@pytest.mark.parametrize(
    ("on", "branch", "started"),
    [
        ("push", "any", True),
        (["push", "pull_request"], "any", True),
        ({"push": None}, "any/thing", True),
        ("pull_request", "any", False),
        ({"push": {"branches": ["a*"]}}, "ab", True),
        ({"push": {"branches": ["a*"]}}, "a/b", False),
        ({"push": {"branches": ["a**"]}}, "a/b", True),
        ({"push": {"branches": ["a.b"]}}, "axb", False),
        ({"push": {"branches-ignore": ["a"]}}, "a", False),
        ({"push": {"branches-ignore": ["a"]}}, "aa", True),
    ],
)
def test_the_reading_of_filters_itself(on, branch, started):
    assert workflows.starts({"on": workflows.normal(on)}, branch) is started


def test_a_filter_that_the_reading_does_not_know_is_an_error():
    for given in ({"tags": ["v*"]}, {"branches": ["!a"]}, {"paths": ["x"]}):
        with pytest.raises(ValueError, match="don't know"):
            workflows.starts({"on": {"push": given}}, "a")
