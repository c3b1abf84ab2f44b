"""The workflow files: what starts them, what they may do, and that each step is an action or one make target."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import workflows

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github/workflows").iterdir())
TEXT = "".join(file.read_text() for file in FILES)
ALL = workflows.workflows()
JOBS = {f"{name}/{key}": job for name, workflow in ALL.items() for key, job in workflow["jobs"].items()}
STEPS = [(name, step) for name, job in JOBS.items() for step in job["steps"]]
DEPLOYING = {name: job for name, job in JOBS.items() if "environment" in job}
# Each action, and its first major version for Node.js 24. GitHub's runners have no older Node.js.
ACTIONS = {
    "actions/cache": 5,
    "actions/checkout": 5,
    "actions/upload-artifact": 6,
    "aws-actions/configure-aws-credentials": 6,
}
PINNED = re.compile(r"\s*- uses: ([\w-]+/[\w-]+)@[0-9a-f]{40} # v([0-9]+)\.[0-9]+\.[0-9]+")
MAKE = re.compile(r'make [a-z0-9-]+( TO="\$VERSION")?')


@pytest.mark.parametrize("command", ["actionlint", "zizmor --offline --no-progress --persona auditor"])
def test_linters_find_no_fault(command):
    program, *options = command.split()
    assert shutil.which(program), f"{program} is missing: make setup installs it"
    files = [*FILES, ROOT / ".github/dependabot.yml"] if program == "zizmor" else FILES
    done = subprocess.run([program, *options, *files], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("branch", "started"),
    [
        ("dev", ["dev.yml"]),
        ("main", ["main.yml"]),
        *((branch, []) for branch in ("feature", "feature/one", "dev2", "release/main")),
    ],
)
def test_a_push_starts_the_workflow_of_its_branch(branch, started):
    assert [name for name, workflow in ALL.items() if workflows.starts(workflow, branch)] == started


def test_other_events_start_the_check_of_a_pull_request_the_review_and_the_verbs_by_hand():
    assert {name: sorted(set(workflow["on"]) - {"push"}) for name, workflow in ALL.items()} == {
        "cache.yml": ["schedule"],
        "check.yml": ["pull_request"],
        "dev.yml": [],
        "main.yml": [],
        "operate.yml": ["workflow_dispatch"],
        "review.yml": ["schedule", "workflow_dispatch"],
    }
    assert ALL["check.yml"]["on"]["pull_request"] == {}  # to every branch


@pytest.mark.parametrize(("where", "step"), STEPS)
def test_a_step_is_an_action_or_one_line_of_make(where, step):
    assert ("run" in step) != ("uses" in step)
    assert set(step) <= {"run", "uses", "with", "env", "if"}
    if "run" in step:
        assert MAKE.fullmatch(step["run"]), where


def test_every_target_is_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z0-9-]+):.*##", makefile, re.MULTILINE))
    targets |= {f"setup-{purpose}" for purpose in re.search("^purposes := (.*)$", makefile, re.MULTILINE)[1].split()}
    called = {step["run"].split()[1] for _, step in STEPS if "run" in step}
    assert len(called) > 10
    assert called <= targets


def test_actions_are_few_and_each_is_pinned_to_one_commit():
    uses = [line for line in TEXT.splitlines() if "uses:" in line]
    assert len(uses) == len([step for _, step in STEPS if "uses" in step])
    assert all(PINNED.fullmatch(line) for line in uses)
    assert {PINNED.fullmatch(line)[1] for line in uses} == set(ACTIONS)
    assert len({line.strip() for line in uses}) == len(ACTIONS)


def test_each_action_has_a_supported_runtime():
    pins = [PINNED.fullmatch(line) for line in TEXT.splitlines() if "uses:" in line]
    assert [pin[0].strip() for pin in pins if int(pin[2]) < ACTIONS[pin[1]]] == []


def test_the_checkout_has_the_history_and_leaves_no_token():
    for where, step in STEPS:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"] == {"fetch-depth": 0, "persist-credentials": False}, where


def test_a_job_has_only_the_permissions_that_it_needs():
    assert all(workflow["permissions"] == {} for workflow in ALL.values())
    reads, deploys = {"contents": "read"}, {"contents": "read", "id-token": "write"}
    assert {name: job["permissions"] for name, job in JOBS.items()} == {
        "cache.yml/keep": reads,
        "check.yml/check": reads,
        "check.yml/test": reads,
        "dev.yml/check": reads,
        "dev.yml/deploy": deploys,
        "main.yml/check": reads,
        "main.yml/deploy": deploys,
        "main.yml/release": {"contents": "write", "id-token": "write"},
        "operate.yml/operate": deploys,
        "review.yml/review": reads,
    }


@pytest.mark.parametrize(
    "pattern",
    [
        *(r"secrets\.(?!CLUSTER_KUBECONFIG )", "AKIA", "access-key"),
        r"github\.(event|head_ref|ref_name|actor)",  # a stranger can choose titles, branch names and messages
    ],
)
def test_no_secret_and_no_text_of_a_stranger_is_used(pattern):
    assert not re.search(pattern, TEXT)


def test_only_jobs_of_the_environment_prod_get_the_secret_of_a_cluster():
    secret = {name for name, job in JOBS.items() if "secrets." in str(job)}
    assert secret == {name for name, job in DEPLOYING.items() if "prod" in job["environment"]["name"]}
    given = {JOBS[name]["env"]["DELIVERY_CLUSTER_KUBECONFIG"] for name in secret}
    assert given == {"${{ secrets.CLUSTER_KUBECONFIG }}"}


def test_an_input_reaches_make_as_a_variable_and_never_as_text():
    """GitHub replaces an expression in a command before the shell reads it."""
    assert not [where for where, step in STEPS if "${{" in step.get("run", "")]
    given = {step["run"]: step["env"] for _, step in STEPS if "inputs." in str(step.get("env"))}
    version = {"VERSION": "${{ inputs.version }}"}
    assert given == {f'make rollback-{name} TO="$VERSION"': version for name in ("dev", "prod")}


@pytest.mark.parametrize("name", JOBS)
def test_a_job_has_a_time_limit_and_a_fixed_runner(name):
    assert 5 <= JOBS[name]["timeout-minutes"] <= 60
    assert JOBS[name]["runs-on"] == "ubuntu-24.04"


def test_deploys_to_an_environment_wait_in_one_queue_that_cancels_nothing():
    """It is one for the whole workflow: a later push cannot overtake an earlier one during the checks."""
    either = "${{ endsWith(inputs.verb, '-prod') && 'prod' || 'dev' }}"
    groups = {"dev.yml": "dev", "main.yml": "prod", "operate.yml": either}
    assert {name: workflow["concurrency"] for name, workflow in ALL.items() if name in groups} == {
        name: {"group": group, "queue": "max", "cancel-in-progress": False} for name, group in groups.items()
    }
    assert not [name for name, job in JOBS.items() if "concurrency" in job]
    environments = {(name.partition("/")[0], job["environment"]["name"]) for name, job in DEPLOYING.items()}
    names = {
        "dev.yml": "${{ !vars.DEV_AWS_ROLE && 'dev' || '' }}",
        "main.yml": "${{ !vars.PROD_AWS_ROLE && 'prod' || '' }}",
        "operate.yml": "${{ !vars.DEV_AWS_ROLE && (endsWith(inputs.verb, '-prod') && 'prod' || 'dev') || '' }}",
    }
    assert environments == set(names.items())


ROLES = {
    "dev.yml": "vars.DEV_AWS_ROLE || vars.AWS_ROLE",
    "main.yml": "vars.PROD_AWS_ROLE || vars.AWS_ROLE",
    "operate.yml": "endsWith(inputs.verb, '-prod') && vars.PROD_AWS_ROLE || vars.DEV_AWS_ROLE || vars.AWS_ROLE",
}


@pytest.mark.parametrize("name", DEPLOYING)
def test_a_deploying_job_has_its_settings_from_variables_and_its_role_by_oidc(name):
    job, role = JOBS[name], ROLES[name.partition("/")[0]]
    prod = ("PROD", "CLUSTER", "CLUSTER_URL") if "prod" in job["environment"]["name"] else ()
    settings = {f"DELIVERY_{name}": f"${{{{ vars.{name} }}}}" for name in ("HOST", "NAME", "REPOSITORY", *prod)}
    settings |= {"AWS_REGION": "${{ vars.AWS_REGION }}", "DELIVERY_STEPS": ".steps"}
    if name == "main.yml/deploy":
        settings["DELIVERY_RELEASE_FILE"] = ".release"
    assert {name: value for name, value in job["env"].items() if "secrets" not in value} == settings
    (credentials,) = (step for step in job["steps"] if step.get("uses", "").startswith("aws-actions/"))
    assert credentials["with"] == {"role-to-assume": f"${{{{ {role} }}}}", "aws-region": "${{ vars.AWS_REGION }}"}
    assert job["environment"]["url"] == "${{ vars.URL }}"


@pytest.mark.parametrize(
    ("name", "needs", "targets"),
    [
        ("dev.yml/check", None, "check"),
        ("dev.yml/deploy", "check", "image push deploy-dev smoke-dev summary"),
        ("main.yml/check", None, "check"),
        ("main.yml/deploy", "check", "release-check promote deploy-prod smoke-prod summary"),
        ("main.yml/release", "deploy", "release summary"),
        ("cache.yml/keep", None, "setup-deploy"),
        ("check.yml/check", None, "check"),  # once, and not for each network
        ("check.yml/test", "check", "test-e2e"),
        ("review.yml/review", None, "review"),
    ],
)
def test_a_job_runs_its_targets_in_order_after_the_job_that_it_needs(name, needs, targets):
    job = JOBS[name]
    assert [step["run"] for step in job["steps"] if "run" in step] == [f"make {target}" for target in targets.split()]
    assert job.get("needs") == needs
    assert ("strategy" in job) == (name == "check.yml/test")


def test_a_deploying_job_always_ends_with_a_summary():
    always = [step["run"] for _, step in STEPS if step.get("if") == "always()"]
    assert len(DEPLOYING) == 4
    assert always == ["make summary"] * 4


def test_the_review_runs_once_a_week():
    (schedule,) = ALL["review.yml"]["on"]["schedule"]
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", schedule["cron"])


def test_both_networks_are_tested():
    job = JOBS["check.yml/test"]
    assert job["env"] == {"DELIVERY_CLOSED_NETWORK": "${{ matrix.closed }}"}
    assert [entry["closed"] for entry in job["strategy"]["matrix"]["include"]] == ["", "1"]


def test_the_deploy_verbs_of_main_and_operate_find_their_packages_in_one_cache():
    """Only runs on main may write a cache that runs on main read (GitHub's scopes of caches)."""
    caches = {name: step["with"] for name, step in STEPS if step.get("uses", "").startswith("actions/cache@")}
    assert set(caches) == {"cache.yml/keep", "main.yml/deploy", "main.yml/release", "operate.yml/operate"}
    (settings,) = {json.dumps(given) for given in caches.values()}
    assert set(json.loads(settings)) == {"path", "key"}  # never the packages of another lock file
    key = json.loads(settings)["key"]
    assert json.loads(settings)["path"] == ".venv"
    assert {JOBS[name]["runs-on"] for name in caches} == {re.match("deploy-(ubuntu-[0-9.]+)-", key)[1]}
    assert "hashFiles('scripts/requirements.lock', 'scripts/setup')" in key


def test_one_of_five_verbs_is_run_by_hand():
    verbs = ALL["operate.yml"]["on"]["workflow_dispatch"]["inputs"]["verb"]["options"]
    rollbacks = {f"rollback-{name}": f'rollback-{name} TO="$VERSION"' for name in ("dev", "prod")}
    targets = {**rollbacks, "prune": "prune-now"}
    assert verbs == ["status-dev", "status-prod", *targets]
    chosen = {step["if"]: step["run"] for step in JOBS["operate.yml/operate"]["steps"] if "if" in step}
    expected = {f"inputs.verb == '{verb}'": f"make {target}" for verb, target in targets.items()}
    status = {"startsWith(inputs.verb, 'status-')": "make status"}
    assert chosen == {**status, **expected, "always()": "make summary"}


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
def test_filters_of_branches_are_read_as_github_reads_them(on, branch, started):
    assert workflows.starts({"on": workflows.normal(on)}, branch) is started


@pytest.mark.parametrize("unknown", [{"tags": ["v*"]}, {"branches": ["!a"]}, {"paths": ["x"]}])
def test_an_unknown_filter_is_an_error(unknown):
    with pytest.raises(ValueError, match="don't know"):
        workflows.starts({"on": {"push": unknown}}, "a")
