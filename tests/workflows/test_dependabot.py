"""What Dependabot is configured to update, compared with the files that it can read."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
UPDATES = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
TRACKED = [Path(name) for name in subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()]
# Dependabot reads an image on a FROM line. It ignores names of stages, and variables.
PINNED_FROM = re.compile(r"(?m)^FROM +\S+@sha256:[0-9a-f]{64}")


def directories(ecosystem):
    """The directories that Dependabot searches for an ecosystem."""
    (update,) = (update for update in UPDATES if update["package-ecosystem"] == ecosystem)
    return update.get("directories") or [update["directory"]]


def holding(name, pattern=""):
    """The directories of the tracked files with this name and content."""
    files = (path for path in TRACKED if path.name == name and path.parts[0] != "tests")
    return [f"/{path.parent}" for path in files if re.search(pattern, (ROOT / path).read_text())]


@pytest.mark.parametrize("update", UPDATES, ids=[update["package-ecosystem"] for update in UPDATES])
def test_updates_arrive_weekly_as_one_pull_request_to_dev(update):
    assert update["target-branch"] == "dev"
    assert update["schedule"] == {"interval": "weekly"}
    assert [group["patterns"] for group in update["groups"].values()] == [["*"]]


def test_every_dockerfile_with_a_base_image_is_searched():
    assert directories("docker") == holding("Dockerfile", PINNED_FROM)


def test_every_digest_of_a_dockerfile_is_where_dependabot_reads_it():
    dockerfiles = [(ROOT / path).read_text() for path in TRACKED if path.name == "Dockerfile"]
    digests = sum(text.count("@sha256:") for text in dockerfiles)
    assert digests == sum(len(PINNED_FROM.findall(text)) for text in dockerfiles) > 0


def test_every_root_of_terraform_and_the_workflows_are_searched():
    assert directories("terraform") == holding(".terraform.lock.hcl")
    assert directories("github-actions") == ["/"]
