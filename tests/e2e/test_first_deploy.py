"""The README's "On AWS, from an empty account and repository", as a new user walks it: its commands, in their order.

AWS, GitHub and its runners are fakes: moto and Systems Manager, github_fake behind the real gh, act. The image is real,
and so is the container that serves it. Nothing else is prepared than what the README names: credentials for AWS and
GitHub, and an empty repository.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import fake_systems_manager
import github_fake
import loopback
import oci
import pytest
import token_registry

ROOT = Path(__file__).parents[2]
HEADING = "## On AWS, from an empty account and repository\n"
ADDRESS = "203.0.113.7"  # of the fake host
ECR, BASE = "public.ecr.aws", "first-deploy-base"
# The real engine. Its images of public.ecr.aws are in the registry of the test, and the pinned base image is BASE.
DOCKER = """#!{python}
import os, subprocess, sys
arguments, real, upstream = sys.argv[1:], {real!r}, {upstream!r}
if arguments[:1] == ["login"]:
    open(os.environ["DOCKER_CONFIG"] + "/password", "w").write(sys.stdin.read())
elif arguments[:1] == ["push"]:
    if open(os.environ["DOCKER_CONFIG"] + "/password").read() != "a password":
        sys.exit("denied: no password")
    there = arguments[-1].replace("public.ecr.aws", upstream)
    subprocess.run([real, "tag", arguments[-1], there], check=True)
    sys.exit(subprocess.run([real, "push", there]).returncode)
elif "RepoDigests" in " ".join(arguments):
    done = subprocess.run([real, *arguments], stdout=subprocess.PIPE, text=True)
    print(done.stdout.replace(upstream, "public.ecr.aws"), end="")
    sys.exit(done.returncode)
elif arguments[:2] == ["buildx", "build"]:
    os.execv(real, [real, *arguments[:2], "--build-arg", "BASE_IMAGE=" + {base!r}, *arguments[2:]])
else:
    os.execv(real, [real, *arguments])
"""
VERB = '#!/bin/sh\nexec "{python}" "{program}" "{directory}" "$(basename "$0")" "$@"\n'
CREDENTIALS = """name: credentials
inputs: {role-to-assume: {required: true}, aws-region: {required: true}}
runs:
  using: composite
  steps:
    - run: echo "credentials of $ROLE"
      shell: bash
      env: {ROLE: "${{ inputs.role-to-assume }}"}
"""
NOTHING = "name: nothing\nruns:\n  using: composite\n  steps: [{run: ':', shell: bash}]\n"


def printed():
    """The settings and the commands that the README prints, with the name of the fake repository."""
    text = (ROOT / "README.md").read_text().partition(HEADING)[2].partition("\n## ")[0]
    block = re.search("```\n(.*?)```", text, re.DOTALL)[1]
    exports = re.findall("`(export [^`]*)`", text.partition("```")[0])
    commands = [line.partition("#")[0].strip() for line in block.splitlines()]
    return [command.replace("owner/name", github_fake.REPOSITORY) for command in (*exports, *commands) if command]


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class World:
    """The user's clone, the repository on GitHub, the AWS account with its host, and GitHub's runners."""

    def __init__(self, place, cloud, certificate, closing):
        self.place, self.cloud, self.pushed = place, cloud, {}
        server, self.upstream = oci.serve(place / "registry")
        closing.callback(server.wait, timeout=30)
        closing.callback(server.terminate)
        front = closing(token_registry.TokenRegistry(self.upstream, certificate, ECR))
        self.manager = closing(fake_systems_manager.SystemsManager(place / "host"))
        cloud.ecr_public.upstream = self.upstream
        hub = closing(github_fake.server(place / "github").start())
        self.ports = {"dev": free_port(), "prod": free_port()}
        self.make_host()
        # Python programs reach the fake public.ecr.aws, and the containers of the fake host.
        ways = {(ECR, 443): front.port, (ADDRESS, 8080): self.ports["dev"], (ADDRESS, 80): self.ports["prod"]}
        loopback.redirect(place / "python", ways)
        self.make_programs()
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "DELIVERY_", "GITHUB_", "GIT_", "MAKE", "TF_"))
        } | {
            "PATH": f"{place}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(place / "python"),
            "HOME": str(place / "home"),
            "SSL_CERT_FILE": certificate[0],
            "GIT_CONFIG_NOSYSTEM": "1",
            "GH_HOST": "github.localhost",
            "GH_TOKEN": "a-token",
            "HTTP_PROXY": f"http://{hub.address}",  # of gh alone
            "NO_PROXY": "nowhere.invalid",
            "no_proxy": f"localhost,127.0.0.1,{ADDRESS},{ECR}",
        }
        self.cloud_environment = {name: value for name, value in self.cloud.environment.items() if "REGION" not in name}
        self.make_clone()

    def make_host(self):
        directory = self.place / "host"
        (directory / "opt/book-shop/bin").mkdir(parents=True)
        (directory / "ports.json").write_text(json.dumps(self.ports))
        (directory / "registry").write_text(self.upstream)
        program = Path(oci.__file__).with_name("first_host.py")
        for verb in ("deploy", "history", "status"):
            path = directory / "opt/book-shop/bin" / verb
            path.write_text(VERB.format(python=sys.executable, program=program, directory=directory))
            path.chmod(0o755)

    def make_programs(self):
        for name in ("bin", "home"):
            (self.place / name).mkdir()
        # The base image of the local host, which a closed network builds, takes the place of the pinned one.
        closed = {**os.environ, "DELIVERY_CLOSED_NETWORK": "1"}
        command = ["scripts/local/base-image", "app"]
        base = subprocess.run(command, cwd=ROOT, env=closed, check=True, stdout=subprocess.PIPE, text=True).stdout
        text = f"FROM {base}LABEL book-shop.base=pinned\n"
        subprocess.run(["docker", "build", "--tag", BASE, "-"], input=text, check=True, capture_output=True, text=True)
        settings = {"python": sys.executable, "real": shutil.which("docker"), "upstream": self.upstream, "base": BASE}
        (self.place / "bin/docker").write_text(DOCKER.format(**settings))
        (self.place / "bin/docker").chmod(0o755)

    def make_clone(self):
        """A clone with an empty `origin`. Checks of the sources, which the walk does not need, pass at once."""
        for name, content in {"credentials": CREDENTIALS, "nothing": NOTHING}.items():
            (self.place / name).mkdir()
            (self.place / name / "action.yml").write_text(content)
        self.git("init", "-q", "--bare", "origin.git", at=self.place)
        self.git("clone", "-q", ROOT, "clone", at=self.place)
        self.clone = self.place / "clone"
        self.git("remote", "set-url", "origin", self.place / "origin.git")
        for verb in ("setup", "check"):
            (self.clone / "scripts" / verb).write_text("#!/bin/sh\n")
        for name, value in {"name": "t", "email": "t@example.com"}.items():
            self.git("config", f"user.{name}", value)
        self.git("commit", "-q", "-a", "-m", "checks pass")
        (self.clone / ".venv").symlink_to(Path(sys.executable).parents[1])

    def git(self, *arguments, at=None):
        command = ["git", *map(str, arguments)]
        settings = {"cwd": at or self.clone, "check": True, "capture_output": True, "text": True}
        return subprocess.run(command, **settings).stdout.strip()

    def run(self, command, exports):
        """Runs a command of the README's in the clone, and then what GitHub starts if it has pushed."""
        script = "\n".join([*exports, command])
        settings = {"cwd": self.clone, "env": self.environment | self.cloud_environment, "text": True}
        done = subprocess.run(
            ["bash", "-euc", script], input="yes\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **settings
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout}"
        refs = self.git("for-each-ref", "--format=%(refname:short) %(objectname)", at=self.place / "origin.git")
        now = dict(line.split() for line in refs.splitlines())
        changed = [branch for branch in now if now[branch] != self.pushed.get(branch)]
        self.pushed = now
        return done.stdout + "".join(self.pipeline(branch) for branch in changed)

    def pipeline(self, branch):
        """Runs the workflows that a push of the branch starts, in a clone of it, and returns their output."""
        runner = self.place / f"runner-{branch}"
        self.git("clone", "-q", "--branch", branch, self.place / "origin.git", runner, at=self.place)
        (runner / ".venv").symlink_to(Path(sys.executable).parents[1])
        shutil.copy(self.place / "python/sitecustomize.py", runner / "scripts")  # for PYTHONPATH=scripts
        commit = self.git("rev-parse", "HEAD", at=runner)
        event = self.place / f"{branch}.json"
        event.write_text(json.dumps({"ref": f"refs/heads/{branch}", "after": commit, "head_commit": {"id": commit}}))
        state = json.loads((self.place / "github/state.json").read_text())
        environment = {"dev": "dev", "main": "prod"}[branch]
        values = state["variables"] | state["environments"][environment]["variables"]
        names = subprocess.run(
            [sys.executable, "tests/lib/workflows.py", "push", branch],
            cwd=runner, check=True, stdout=subprocess.PIPE, text=True,
        ).stdout.split()  # fmt: skip
        assert names, branch
        output = ""
        for name in names:
            file = runner / ".github/workflows" / name
            text = file.read_text()
            file.write_text(re.sub("(?m)^  queue: max\n", "", text))  # act knows no queues
            stubs = {
                use: self.place / "nothing" for use in re.findall(r"uses: (\S+@\S+)", text) if "checkout" not in use
            }
            stubs |= {use: self.place / "credentials" for use in stubs if use.startswith("aws-actions/")}
            command = ["act", "push", "-W", file, "-e", event, "-P", "ubuntu-24.04=-self-hosted", "--no-cache-server"]
            command += [
                "--action-cache-path",
                self.place / "actions",
                "--actor",
                "somebody",
                "-s",
                "GITHUB_TOKEN=ghs_x",
            ]
            command += [word for key, value in values.items() for word in ("--var", f"{key}={value}")]
            command += [f"--local-repository={use}={stub}" for use, stub in stubs.items()]
            command += ["--env", f"GITHUB_REPOSITORY={github_fake.REPOSITORY}"]
            host = {"AWS_ENDPOINT_URL": self.manager.url}  # Run Command, which moto does not run
            settings = {"cwd": runner, "env": self.environment | self.cloud_environment | host, "text": True}
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **settings)
            assert done.returncode == 0, f"{name}:\n{done.stdout[-20000:]}"
            output += done.stdout
        self.check_roles(output, environment)
        return output

    def check_roles(self, output, environment):
        """AWS gives a job its role if the role trusts the subject of the job's token, and nothing else."""
        arns = set(re.findall(r"credentials of (arn:\S+)", output))
        assert arns, output[-5000:]
        for arn in arns:
            role = self.cloud.client("iam").get_role(RoleName=arn.rpartition("/")[2])["Role"]
            (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
            subject = statement["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]
            assert subject == f"{github_fake.IMMUTABLE}:environment:{environment}"

    def served(self, environment):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[environment]}/version") as answer:
            return json.load(answer)["version"]


class Closing(contextlib.ExitStack):
    def __call__(self, thing):
        self.callback(thing.close)
        return thing


@pytest.fixture(scope="module")
def world(tmp_path_factory, cloud, certificate):
    with Closing() as closing:
        made = World(tmp_path_factory.mktemp("first"), cloud, certificate, closing)
        yield made
        for environment in ("dev", "prod"):
            subprocess.run(["docker", "rm", "--force", f"first-deploy-{environment}"], capture_output=True)
        ours = ["docker", "image", "ls", "--quiet", f"--filter=reference={made.upstream}/*/*"]
        images = subprocess.run(ours, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
        subprocess.run(["docker", "image", "rm", "--force", *images], capture_output=True)


def test_the_printed_commands_lead_to_a_released_shop(world):
    exports, commands = [], []
    for line in printed():
        (exports if line.startswith("export ") else commands).append(line)
    assert commands[:2] == ["make infra", "make github"]
    outputs = {command: world.run(command, exports) for command in commands}

    version = ROOT.joinpath("book-shop/pyproject.toml").read_text().partition('version = "')[2].partition('"')[0]
    assert "==> the host is installed" in outputs["make infra"]
    assert {environment: world.served(environment) for environment in ("dev", "prod")} == {
        "dev": version,
        "prod": version,
    }
    state = json.loads((world.place / "github/state.json").read_text())
    assert state["tags"] == {f"v{version}": world.pushed["main"]}
    assert [release["tag_name"] for release in state["releases"]] == [f"v{version}"]
