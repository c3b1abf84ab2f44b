"""terraform/ without AWS: its format, its own tests, and the commands that its Systems Manager documents run."""

import base64
import gzip
import os
import re
import subprocess

import infra
import pytest
import yaml

CLUSTER = infra.ROOT / "terraform/cluster"
COMMANDS = infra.ROOT / "terraform/commands"
ROOTS = {"terraform": 9, "terraform/cluster": 7}  # and how many tests each has


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
    (group,) = re.findall(r'kubernetes_groups = \["(.*)"\]', (CLUSTER / "cluster.tf").read_text())
    documents = yaml.safe_load_all((infra.ROOT / "scripts/cluster/k8s/deploys.yaml").read_text())
    bound = [subject["name"] for found in documents if found["kind"] == "RoleBinding" for subject in found["subjects"]]
    assert set(bound) == {group}


@pytest.fixture
def host(tmp_path):
    """Verbs that print what they get and fail with 7, and the programs around them, in a directory of their own."""
    verbs = tmp_path / "bin"
    verbs.mkdir()
    for name in (
        "deploy-dev",
        "deploy-prod",
        "rollback-dev",
        "rollback-prod",
        "plan",
        "history",
        "status",
        "logs",
        "backup",
        "backups",
        "restore",
    ):
        verb = verbs / name
        verb.write_text(f'#!/bin/sh\nprintf "%s|" {name} "$ACTOR" "$@"\nexit 7\n')
        verb.chmod(0o755)
    return tmp_path


def run_verb(host, **parameters):
    """Runs the documents' command as the agent does: values in SSM_* variables, /bin/sh."""
    script = (COMMANDS / "verb.sh").read_text().replace("/opt/book-shop/bin", str(host / "bin"))
    environment = {"PATH": os.environ["PATH"]} | {f"SSM_{name}": value for name, value in parameters.items()}
    return subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("parameters", "called"),
    [
        ({"Verb": "deploy-dev", "Image": "r@sha256:1"}, "deploy-dev|me|r@sha256:1|"),
        ({"Verb": "deploy-prod", "Image": "r@sha256:1"}, "deploy-prod|me|r@sha256:1|"),
        ({"Verb": "rollback-dev", "Image": "r@sha256:1"}, "rollback-dev|me|r@sha256:1|"),
        ({"Verb": "rollback-prod"}, "rollback-prod|me||"),
        ({"Verb": "plan-dev", "Image": "r@sha256:1"}, "plan|me|dev|r@sha256:1|"),
        ({"Verb": "plan-prod", "Image": "r@sha256:1"}, "plan|me|prod|r@sha256:1|"),
        ({"Verb": "history-dev", "Lines": "20"}, "history|me|dev|20|"),
        ({"Verb": "history-prod", "Lines": "5"}, "history|me|prod|5|"),
        ({"Verb": "logs-dev", "Lines": "20"}, "logs|me|dev|20|"),
        ({"Verb": "logs-prod"}, "logs|me|prod|100|"),
        ({"Verb": "status"}, "status|me|--json|"),
        ({"Verb": "backup", "Dump": "x"}, "backup|me|"),
        ({"Verb": "backup-prod"}, "backup|me|prod|"),
        ({"Verb": "backups"}, "backups|me|"),
        ({"Verb": "restore-dev", "Dump": "20261125T031500Z"}, "restore|me|dev|20261125T031500Z|"),
        ({"Verb": "restore-prod"}, "restore|me|prod|latest|"),
    ],
)
def test_a_command_runs_its_verb_and_keeps_the_exit_status(host, parameters, called):
    done = run_verb(host, Actor="me", **parameters)
    assert (done.stdout, done.stderr, done.returncode) == (called, "", 7)


@pytest.mark.parametrize(
    "hostile", ["$(touch x)", "`id`", "a; id", "a\nid", "' || id", '" || id', "-h", "* ?", "${IFS}", ""]
)
def test_a_value_reaches_the_verb_letter_for_letter(host, hostile):
    assert run_verb(host, Verb="deploy-dev", Actor="me", Image=hostile).stdout == f"deploy-dev|me|{hostile}|"


@pytest.mark.parametrize("verb", ["bootstrap", "restore", "backups-dev", "../bin/status", "deploy-dev x", "", "*"])
def test_only_the_listed_verbs_run(host, verb):
    done = run_verb(host, Verb=verb)
    assert done.stdout == ""
    assert done.returncode == 2


def test_an_agent_too_old_to_hand_over_parameters_is_named(host):
    done = run_verb(host)
    assert done.returncode == 2
    assert "3.3.2746.0" in done.stderr


@pytest.mark.parametrize("first_boot", [0, 1])
def test_the_install_command_waits_for_the_first_boot_and_runs_the_script(host, first_boot):
    for name, body in {
        "cloud-init": f"echo cloud-init $* >&2; exit {first_boot}",
        "flock": 'echo flock "$1" >&2; shift; exec "$@"',
    }.items():
        (host / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
        (host / "bin" / name).chmod(0o755)
    packed = base64.b64encode(
        gzip.compress(b'#!/usr/bin/env bash\necho "installed {{x}} $#"; umask; exit 3\n')
    ).decode()
    script = f"{(COMMANDS / 'install.sh').read_text()}run_install '{packed}'\n"
    environment = {"PATH": f"{host / 'bin'}:{os.environ['PATH']}", "TMPDIR": str(host)}
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("installed {{x}} 0\n0077\n", 3)
    again = ["the first boot's install failed: once more"] if first_boot else []
    assert done.stderr.splitlines() == ["cloud-init status --wait", *again, "flock /run/lock/book-shop-install"]
    assert [path.name for path in host.iterdir()] == ["bin"]
