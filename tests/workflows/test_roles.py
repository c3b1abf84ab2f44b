"""The role and the GitHub environment of each deploying job, as act evaluates the expressions of the workflows.

act ignores `environment`. GitHub's runner (WorkflowTemplateConverter) takes an empty name for no environment.
"""

import json
import re
import shutil
import subprocess

import pytest
import workflows
import yaml
from delivery.targets import base

ENVIRONMENTS = {"AWS_ROLE": "the-role"}
BRANCHES = {"DEV_AWS_ROLE": "role-of-dev", "PROD_AWS_ROLE": "role-of-prod"}


def expressions():
    """{workflow: (environment, role)} of each deploying job."""
    for file, workflow in workflows.workflows().items():
        for name, job in workflow["jobs"].items():
            if "environment" in job:
                (role,) = (role for step in job["steps"] if (role := step.get("with", {}).get("role-to-assume")))
                yield f"{file}/{name}", f"{job['environment']['name']} {role}"


def evaluated(directory, verb, variables):
    """{job: "environment role"} for a run with this input and these variables of the repository or environment."""
    step = {"run": "printenv | grep ^JOB_", "env": {f"JOB_{i}": text for i, (_, text) in enumerate(expressions())}}
    job = {"runs-on": "ubuntu-24.04", "steps": [step]}
    dispatch = {"workflow_dispatch": {"inputs": {"verb": {"type": "string"}}}}
    (directory / "probe.yml").write_text(yaml.safe_dump({"on": dispatch, "jobs": {"probe": job}}))
    (directory / "event.json").write_text(json.dumps({"inputs": {"verb": verb}, "ref": "refs/heads/main"}))
    command = ["act", "workflow_dispatch", "-W", "probe.yml", "-e", "event.json", "-P", "ubuntu-24.04=-self-hosted"]
    command += [word for name, value in variables.items() for word in ("--var", f"{name}={value}")]
    command += ["--no-cache-server", "--action-cache-path", str(directory / "cache")]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = dict(re.findall(r"JOB_(\d+)=(.*)", done.stdout))
    return {name: found[str(number)] for number, (name, _) in enumerate(expressions())}


def test_the_workflows_run_no_verb_that_their_role_may_not_send():
    kinds = {verb: form["document"] for verb, form in base.verbs().items()}
    text = "\n".join(path.read_text() for path in workflows.DIRECTORY.glob("*.y*ml"))
    targets = {word for line in re.findall(r"\bmake ([^\n|&;]*)", text) for word in line.split()}
    assert {"deploy-dev", "rollback-prod"} <= targets
    named = {target: kinds.get(re.sub("-(dev|prod)$", "", target)) for target in targets}
    assert {target: kind for target, kind in named.items() if kind not in (None, "environment")} == {}
    inputs = workflows.workflows()["operate.yml"]["on"]["workflow_dispatch"]["inputs"]
    offered = {kinds.get(re.sub("-(dev|prod)$", "", option)) for option in inputs["verb"]["options"]}
    assert offered <= {None, "environment"}


@pytest.mark.parametrize(
    ("verb", "variables", "dev", "prod", "operate"),
    [
        ("status-dev", ENVIRONMENTS, "dev the-role", "prod the-role", "dev the-role"),
        ("rollback-prod", ENVIRONMENTS, "dev the-role", "prod the-role", "prod the-role"),
        ("status-dev", BRANCHES, " role-of-dev", " role-of-prod", " role-of-dev"),
        ("rollback-prod", BRANCHES, " role-of-dev", " role-of-prod", " role-of-prod"),
    ],
)
def test_a_job_has_an_environment_or_the_role_of_its_branch(tmp_path, verb, variables, dev, prod, operate):
    assert shutil.which("act"), "act is missing: make setup installs it"
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert evaluated(tmp_path, verb, variables) == {
        "dev.yml/deploy": dev,
        "main.yml/deploy": prod,
        "main.yml/release": prod,
        "operate.yml/operate": operate,
    }
