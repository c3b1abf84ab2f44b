"""terraform/ without AWS: its format, its own tests, and the commands that its Systems Manager documents run."""

import base64
import gzip
import json
import os
import re
import subprocess

import infra
import pytest
import yaml
from delivery import application

CLUSTER = infra.ROOT / "terraform/cluster"
COMMANDS = infra.ROOT / "terraform/commands"
VERBS = json.loads((infra.ROOT / "scripts/delivery/verbs.json").read_text())
ROOTS = {"terraform": 10, "terraform/cluster": 7}  # and how many tests each has


# Slow: Terraform prepares both roots, and the AWS provider takes seconds to start.
@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    made = infra.Infra(tmp_path_factory.mktemp("infra"))
    for root in ROOTS:
        made.init(root)
    with made.one_provider():
        yield made


def test_the_format_is_terraforms_own(shop):
    shop.terraform("fmt", "-check", "-recursive", "-diff")


@pytest.mark.parametrize("root", ROOTS)
def test_the_configuration_is_valid(shop, root):
    assert "Success" in shop.terraform("validate", "-no-color", root=root)[0]


@pytest.mark.parametrize("root", ROOTS)
def test_its_own_tests_pass(shop, root):
    passed = shop.terraform("test", "-no-color", root=root)[0].rstrip().splitlines()[-1]
    assert passed == f"Success! {ROOTS[root]} passed, 0 failed."


def test_the_subnets_are_those_that_the_network_policy_names():
    cidrs = dict(re.findall(r'^    (\w+) += "(10[0-9./]+)"$', (CLUSTER / "network.tf").read_text(), re.MULTILINE))
    policies = yaml.safe_load_all((infra.ROOT / "k8s/overlays/cluster/network.yaml").read_text())
    named = re.findall(r"10\.[0-9./]+", str(list(policies)))
    assert named == [cidrs["public"], cidrs["database"]]


def test_the_group_of_the_access_entries_is_the_one_that_the_roles_are_bound_to():
    group = f"{application.NAME}-deployers"  # terraform/cluster/tests/design.tftest.hcl has it too
    documents = yaml.safe_load_all((infra.ROOT / "scripts/cluster/k8s/deploys.yaml").read_text())
    bound = [subject["name"] for found in documents if found["kind"] == "RoleBinding" for subject in found["subjects"]]
    assert set(bound) == {group}


@pytest.fixture(scope="module")
def command():
    return infra.commands_of(infra.documents()["dev"])


@pytest.fixture
def host(tmp_path, command):
    """Verbs that print what they get and fail with 7, in a directory of their own."""
    made = Host(tmp_path, command)
    for name in (*VERBS, "bootstrap"):
        made.program(name, f'printf "%s|" {name} "$DELIVERY_ACTOR" "$@"; echo progress >&2; exit 7')
    return made


class Host:
    def __init__(self, directory, command):
        self.directory, self.command = directory, command
        (directory / "bin").mkdir()

    def program(self, name, body):
        (self.directory / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
        (self.directory / "bin" / name).chmod(0o755)

    def run(self, **parameters):
        """Runs the documents' command as the agent does: values in SSM_* variables, /bin/sh."""
        script = self.command.replace("/opt/book-shop/bin", str(self.directory / "bin"))
        environment = {"PATH": os.environ["PATH"]} | {f"SSM_{name}": value for name, value in parameters.items()}
        return subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("parameters", "called"),
    [
        ({"Verb": "deploy", "Environment": "dev", "Image": "r@sha256:1"}, "deploy|me|dev|r@sha256:1|"),
        ({"Verb": "deploy", "Environment": "prod", "Image": "r@sha256:1"}, "deploy|me|prod|r@sha256:1|"),
        ({"Verb": "rollback", "Environment": "dev", "Image": "r@sha256:1"}, "rollback|me|dev|r@sha256:1|"),
        ({"Verb": "rollback", "Environment": "prod", "Image": ""}, "rollback|me|prod|"),
        ({"Verb": "plan", "Environment": "dev", "Image": "r@sha256:1"}, "plan|me|dev|r@sha256:1|"),
        ({"Verb": "history", "Environment": "dev", "Lines": "20"}, "history|me|dev|20|"),
        ({"Verb": "logs", "Environment": "prod", "Lines": "5", "Image": "", "Dump": "latest"}, "logs|me|prod|5|"),
        ({"Verb": "logs", "Environment": "prod"}, "logs|me|prod|100|"),
        ({"Verb": "status", "Environment": "prod"}, "status|me|"),
        ({"Verb": "status"}, "status|me|"),
        ({"Verb": "backup", "Environment": "", "Dump": "x"}, "backup|me|"),
        ({"Verb": "backup", "Environment": "prod"}, "backup|me|prod|"),
        ({"Verb": "backups", "Environment": "dev"}, "backups|me|"),
        ({"Verb": "restore", "Environment": "dev", "Dump": "20261125T031500Z"}, "restore|me|dev|20261125T031500Z|"),
        ({"Verb": "restore", "Environment": "prod"}, "restore|me|prod|latest|"),
    ],
)
def test_a_command_runs_its_verb_and_keeps_the_exit_status(host, parameters, called):
    done = host.run(Actor="me", **parameters)
    merged = VERBS[parameters["Verb"]].get("merge_output", False)
    expected = (f"{called}progress\n", "") if merged else (called, "progress\n")
    assert (done.stdout, done.stderr, done.returncode) == (*expected, 7)


@pytest.mark.parametrize(
    "hostile", ["$(touch x)", "`id`", "a; id", "a\nid", "' || id", '" || id', "-h", "* ?", "${IFS}"]
)
def test_a_value_reaches_the_verb_letter_for_letter(host, hostile):
    done = host.run(Verb="plan", Environment="dev", Actor="me", Image=hostile)
    assert done.stdout == f"plan|me|dev|{hostile}|"


@pytest.mark.parametrize("verb", ["bootstrap", "../bin/status", "deploy dev", "", "*", "forms", "status --json"])
def test_only_the_declared_verbs_run(host, verb):
    done = host.run(Verb=verb)
    assert done.stdout == ""
    assert done.returncode == 2


@pytest.mark.parametrize("verb", ["deploy-dev", "rollback-prod", "plan-dev", "history-prod", "restore-dev"])
def test_a_verb_of_an_old_checkout_says_that_the_checkout_is_old(host, verb):
    done = host.run(Verb=verb, Image="r@sha256:1")
    assert (done.stdout, done.returncode) == ("", 1)
    assert f"{verb}: this checkout is older than the host" in done.stderr
    assert done.stderr.endswith("Update it: git pull\n")


def test_an_agent_too_old_to_hand_over_parameters_is_named(host):
    done = host.run()
    assert done.returncode == 2
    assert "3.3.2746.0" in done.stderr


@pytest.mark.parametrize("first_boot", [0, 1])
def test_the_install_command_waits_for_the_first_boot_and_runs_the_script(host, first_boot):
    host.program("cloud-init", f"echo cloud-init $* >&2; exit {first_boot}")
    host.program("flock", 'echo flock "$5" >&2; shift 5; exec "$@"')
    text = b'import os, sys\nprint("installed {{x}}", len(sys.argv), oct(os.umask(0)))\nsys.exit(3)\n'
    packed = base64.b64encode(gzip.compress(text)).decode()
    script = f"{(COMMANDS / 'install.sh').read_text()}run_install '{packed}'\n"
    place = host.directory
    environment = {"PATH": f"{place / 'bin'}:{os.environ['PATH']}", "TMPDIR": str(place)}
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("installed {{x}} 1 0o77\n", 3)
    again = ["the first boot's install failed: once more"] if first_boot else []
    assert done.stderr.splitlines() == ["cloud-init status --wait", *again, "flock /run/lock/book-shop-install"]
    assert [path.name for path in place.iterdir()] == ["bin"]


def test_an_install_that_never_gets_its_turn_is_named(host):
    host.program("cloud-init", "")
    host.program("flock", "exit 75")
    packed = base64.b64encode(gzip.compress(b"")).decode()
    script = f"{(COMMANDS / 'install.sh').read_text()}run_install '{packed}'\n"
    environment = {"PATH": f"{host.directory / 'bin'}:{os.environ['PATH']}", "TMPDIR": str(host.directory)}
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True)
    assert (done.stderr, done.returncode) == ("another install has run for 15 minutes. See: ps -ef\n", 75)
