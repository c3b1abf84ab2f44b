"""A copy of what scripts/infra works on: a test runs the real script and leaves nothing behind in the work tree."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
GITHUB = ("GITHUB_REPOSITORY", "TF_VAR_github_repository")  # for scripts/infra, for Terraform by itself


def documents():
    """{"dev": content} of the Systems Manager documents that run the host's verbs, from terraform/verbs.tf."""
    with tempfile.TemporaryDirectory() as directory:
        return evaluate("local.contents", Path(directory))


def evaluate(expression, directory, **variables):
    """The value of an expression of variables.tf and verbs.tf, in a root without provider and state.

    `variables` are strings as in the environment: TF_VAR_<name>.
    """
    root = directory / "terraform"
    root.mkdir()
    for name in ("variables.tf", "verbs.tf", "commands"):
        (root / name).symlink_to(ROOT / "terraform" / name)
    (directory / "scripts").symlink_to(ROOT / "scripts")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    given = {f"TF_VAR_{name}": value for name, value in {"github_repository": "acme/shop", **variables}.items()}
    options = {"input": f"jsonencode({expression})\n", "env": clean | given, "capture_output": True, "text": True}
    done = subprocess.run(["terraform", f"-chdir={root}", "console"], check=True, **options)
    return json.loads(json.loads(done.stdout))


def commands_of(content):
    """The shell script that a document runs."""
    (step,) = content["mainSteps"]
    return "\n".join(step["inputs"]["runCommand"])


class Infra:
    def __init__(self, directory, environment=None):
        self.directory = Path(directory)
        for name in ("nginx", "scripts", "terraform"):
            leave = shutil.ignore_patterns(".terraform", ".build", "__pycache__")
            shutil.copytree(ROOT / name, self.directory / name, ignore=leave)
        shutil.copy(ROOT / "application.json", self.directory)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DELIVERY_", "TF_"))}
        self.environment = clean | {"PATH": path, **dict.fromkeys(GITHUB, "acme/shop")} | (environment or {})

    def run(self, *command, text="", status=0):
        """Runs a program there and returns (stdout, stderr); fails when it ends with another status."""
        options = {"cwd": self.directory, "env": self.environment, "capture_output": True, "text": True}
        done = subprocess.run(command, input=text, **options)
        assert done.returncode == status, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout, done.stderr

    def infra(self, *arguments, **more):
        return self.run("scripts/infra", *arguments, **more)

    def terraform(self, *arguments, root="terraform", **more):
        return self.run("terraform", f"-chdir={root}", *arguments, **more)

    def init(self, root="terraform"):
        """What scripts/infra does before it calls Terraform, without a backend."""
        script = f". scripts/lib/say.sh; . scripts/lib/terraform.sh; terraform_init {root} -backend=false"
        self.run("bash", "-euc", script)
        self.write_install_script()

    @contextlib.contextmanager
    def one_provider(self):
        """Lets all of Terraform's commands share one process of the provider: it takes seconds to start, and
        `terraform test` starts several for each run. It may not be configured there: all of its calls are mocked."""
        (program,) = (self.directory / "terraform/.terraform/providers").glob("*/*/*/*/*/terraform-provider-*")
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        with subprocess.Popen([program, "-debug"], env=self.environment, **streams) as provider:
            while not (found := re.search("TF_REATTACH_PROVIDERS='(.*)'", line := provider.stdout.readline())):
                assert line, "the provider does not start"
            usual = self.environment
            self.environment = usual | {"TF_REATTACH_PROVIDERS": found[1]}
            try:
                yield
            finally:
                self.environment = usual
                provider.terminate()

    def write_install_script(self):
        """What scripts/infra writes for Terraform."""
        build = self.directory / "terraform/.build"
        build.mkdir(exist_ok=True)
        words = (
            *("@URL@", "@SHA256@", "@REPOSITORY@", "@ALLOWED_HOSTS@", "@AWS_REGION@", "@PARAMETERS@", "@TRANSFER@"),
            *("@PUBLIC_URL_PROD@", "@PUBLIC_URL_DEV@"),
        )
        (build / "user-data").write_text(self.run("scripts/user-data", *words)[0])
        self.run("sh", "-c", "scripts/host-archive >terraform/.build/host-files.tar.gz")
