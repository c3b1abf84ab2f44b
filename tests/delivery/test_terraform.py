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
VERBS = json.loads((infra.ROOT / "scripts/delivery/verbs.json").read_text())
ROOTS = {"terraform": 30, "terraform/cluster": 10}  # and how many tests each has


# Slow: Terraform prepares both roots, and the AWS provider takes seconds to start.
@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    made = infra.Infra(tmp_path_factory.mktemp("infra"))
    for root in ROOTS:
        made.init(root)
    with made.one_provider():
        yield made


def test_the_files_have_terraforms_format(shop):
    shop.terraform("fmt", "-check", "-recursive", "-diff")


@pytest.mark.parametrize("root", ROOTS)
def test_the_configuration_is_valid(shop, root):
    assert "Success" in shop.terraform("validate", "-no-color", root=root)[0]


@pytest.mark.parametrize("root", ROOTS)
def test_terraforms_own_tests_pass(shop, root):
    passed = shop.terraform("test", "-no-color", root=root)[0].rstrip().splitlines()[-1]
    assert passed == f"Success! {ROOTS[root]} passed, 0 failed."


def test_the_costs_of_the_cluster_add_up():
    rows = re.findall(r"^\| (.*) \| (\**)([0-9]+)\** \|$", (CLUSTER / "README.md").read_text(), re.MULTILINE)
    *items, total = (int(price) for _, _, price in rows)
    assert sum(items) == total
    for item, _, price in rows:  # "730 h at 0.038"
        factors = re.findall(r"([0-9,]+) (?:h|GB) at ([0-9.]+)", item)
        exact = sum(float(number.replace(",", "")) * float(each) for number, each in factors)
        assert not factors or round(exact) == int(price), item


def test_the_roles_are_bound_to_the_group_of_the_access_entries():
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
        self.directory, self.bin = directory, directory / "bin"
        self.command = command.replace("/opt/book-shop/bin", str(self.bin))
        self.bin.mkdir()

    def program(self, name, body):
        (self.bin / name).write_text(f"#!/bin/sh\n{body}\n")
        (self.bin / name).chmod(0o755)

    def run(self, **parameters):
        """Runs the documents' command as the agent does: values in SSM_* variables, /bin/sh."""
        return self.shell(self.command, **{f"SSM_{name}": value for name, value in parameters.items()})

    def install(self, script):
        """Runs the command that installs the host's files with this Python script."""
        packed = base64.b64encode(gzip.compress(script)).decode()
        command = f"{(infra.ROOT / 'terraform/commands/install.sh').read_text()}run_install '{packed}'\n"
        return self.shell(command, PATH=f"{self.bin}:{os.environ['PATH']}", TMPDIR=str(self.directory))

    def shell(self, script, **environment):
        environment = {"PATH": os.environ["PATH"]} | environment
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
        ({"Verb": "settings", "Environment": "prod"}, "settings|me|prod|"),
        ({"Verb": "settings", "Environment": "dev", "Values": "values"}, "settings|me|dev|values|"),
        ({"Verb": "unset", "Environment": "dev", "Setting": "A"}, "unset|me|dev|A|"),
        ({"Verb": "rotate", "Environment": "dev", "Secret": "database"}, "rotate|me|dev|database|"),
        ({"Verb": "manage", "Environment": "dev", "Command": '["a b", "$(id)"]'}, 'manage|me|dev|["a b", "$(id)"]|'),
        ({"Verb": "load", "Environment": "dev", "Anonymous": "anonymous"}, "load|me|dev|anonymous|"),
        ({"Verb": "dump", "Environment": "dev", "Transfer": ""}, "dump|me|dev|"),
    ],
)
def test_runs_the_verb_and_keeps_its_exit_status(host, parameters, called):
    done = host.run(Actor="me", **parameters)
    merged = VERBS[parameters["Verb"]].get("merge_output", False)
    expected = (f"{called}progress\n", "") if merged else (called, "progress\n")
    assert (done.stdout, done.stderr, done.returncode) == (*expected, 7)


def test_runs_a_verb_with_a_transfer_through_attached_with_one_stream(host):
    host.program("attached", 'printf "%s|" attached "$DELIVERY_ACTOR" "$@"; echo progress >&2; exit 7')
    done = host.run(Actor="me", Verb="set", Environment="dev", Setting="A", Transfer="1" * 32)
    assert (done.stdout, done.stderr) == (f"attached|me|{'1' * 32}|set|dev|A|progress\n", "")
    assert done.returncode == 7


def test_passes_the_options_of_a_verb_after_its_arguments(host):
    done = host.run(Actor="me", Verb="logs", Environment="dev", Since="1h", Grep="$(id) '", Previous="yes")
    assert done.stdout == "logs|me|dev|100|--since=1h|--grep=$(id) '|--previous|"
    assert host.run(Actor="me", Verb="logs", Environment="dev", Since="", Grep="").stdout == "logs|me|dev|100|"


@pytest.mark.parametrize(
    "hostile", ["$(touch x)", "`id`", "a; id", "a\nid", "' || id", '" || id', "-h", "* ?", "${IFS}"]
)
def test_passes_a_value_to_the_verb_letter_for_letter(host, hostile):
    done = host.run(Verb="plan", Environment="dev", Actor="me", Image=hostile)
    assert done.stdout == f"plan|me|dev|{hostile}|"


@pytest.mark.parametrize("verb", ["bootstrap", "../bin/status", "deploy dev", "", "*", "forms", "status --json"])
def test_runs_only_declared_verbs(host, verb):
    done = host.run(Verb=verb)
    assert done.stdout == ""
    assert done.returncode == 2


def test_runs_no_verb_without_an_argument_that_it_does_not_know(host):
    host.command = host.command.replace("\nbackups\n", "\nbackups newest\n")
    done = host.run(Verb="backups", Actor="me")
    assert (done.stdout, done.returncode) == ("", 2)
    assert "unknown argument 'newest'" in done.stderr


@pytest.mark.parametrize("verb", ["deploy-dev", "rollback-prod", "plan-dev", "history-prod", "restore-dev"])
def test_tells_an_old_checkout_to_update(host, verb):
    done = host.run(Verb=verb, Image="r@sha256:1")
    assert (done.stdout, done.returncode) == ("", 1)
    assert f"{verb}: this checkout is older than the host" in done.stderr
    assert done.stderr.endswith("Update it: git pull\n")


def test_fails_when_the_agent_is_too_old_to_pass_parameters(host):
    done = host.run()
    assert done.returncode == 2
    assert "3.3.2746.0" in done.stderr


@pytest.mark.parametrize(
    ("first_boot", "errors"), [(0, []), (1, ["install: the install at first boot failed, running it again"])]
)
def test_the_install_waits_for_the_first_boot_and_runs_the_script(host, first_boot, errors):
    host.program("cloud-init", f"echo cloud-init $* >&2; exit {first_boot}")
    host.program("flock", 'echo flock "$5" >&2; shift 5; exec "$@"')
    done = host.install(b'import os, sys\nprint("installed {{x}}", len(sys.argv), oct(os.umask(0)))\nsys.exit(3)\n')
    assert (done.stdout, done.returncode) == ("installed {{x}} 1 0o77\n", 3)
    assert done.stderr.splitlines() == ["cloud-init status --wait", *errors, "flock /run/lock/book-shop-install"]
    assert list(host.directory.iterdir()) == [host.bin]


def test_the_install_fails_when_another_one_does_not_end(host):
    host.program("cloud-init", "")
    host.program("flock", "exit 75")
    done = host.install(b"")
    assert (done.stderr, done.returncode) == ("install: another install still runs after 15 minutes. See: ps -ef\n", 75)
