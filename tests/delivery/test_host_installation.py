"""The wait for the host's installation, with Systems Manager on loopback and no pauses."""

import json
import re

import fake_aws
import pytest
from delivery import host_installation
from delivery.cli import CommandError

INSTANCE = "i-0123456789abcdef0"


class Shop:
    """An association for one instance, and the wait for it. The clock moves with the pauses only."""

    def __init__(self, cloud, monkeypatch):
        self.monkeypatch = monkeypatch
        self.fake, self.ssm = cloud.associations, cloud.client("ssm")
        self.fake.__init__()
        self.now, self.pauses, self.on_pause = 0, [], lambda: None
        targets = [{"Key": "InstanceIds", "Values": [INSTANCE]}]
        made = self.ssm.create_association(Name="install", DocumentVersion="1", Targets=targets)
        self.association = made["AssociationDescription"]["AssociationId"]

    def change(self, version, *results):
        """Terraform has made a new version of the document; these are the results of its executions."""
        self.fake.results = list(results)
        self.ssm.update_association(AssociationId=self.association, DocumentVersion=version)

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds
        self.on_pause()

    def wait(self, version):
        times = {"sleep": self.sleep, "clock": lambda: self.now}
        host_installation.Installation(INSTANCE, self.association, version, **times).wait()

    def fails(self, version, match):
        with pytest.raises(CommandError, match=match) as raised:
            self.wait(version)
        return raised.value

    def limit(self, **seconds):
        for name, value in seconds.items():
            self.monkeypatch.setattr(host_installation, name, value)

    def commands(self):
        return [execution.command for execution in self.fake.executions]


@pytest.fixture
def shop(cloud, monkeypatch):
    fake_aws.use_test_credentials(monkeypatch, **cloud.environment)
    return Shop(cloud, monkeypatch)


@pytest.fixture
def installed(shop):
    """The instance has registered, and version 1 is installed."""
    shop.wait("1")
    shop.pauses.clear()
    return shop


def test_waits_for_the_registration_and_for_the_end_although_the_overview_is_success_before(shop, capsys):
    known = shop.ssm.describe_association(AssociationId=shop.association)["AssociationDescription"]
    assert known["Overview"]["Status"] == "Success"
    shop.wait("1")
    assert [execution.status for execution in shop.fake.executions] == ["Success"]
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"==> wait until the agent on {INSTANCE} has registered with Systems Manager",
        "==> wait until the host has installed its files (document version 1)",
        "installed",
        "==> the host is installed",
    ]


def test_asks_once_if_the_version_is_installed(installed, capsys):
    capsys.readouterr()
    installed.wait("1")
    assert installed.pauses == []
    assert capsys.readouterr().err == "==> the host has installed these files\n"


def test_fails_with_the_last_lines_of_the_output_and_the_command_that_prints_all_of_it(installed, capsys):
    installed.change("2", "Failed")
    error = installed.fails("2", "the installation of the host failed")
    assert "no space left\n    failed to run commands: exit 3" in error.why
    look = f"aws ssm get-command-invocation --command-id {installed.commands()[-1]} --instance-id {INSTANCE}"
    assert error.remedy == f"make infra continues; to see the output: {look} --region eu-central-1"
    assert "downloading\nno space left\n" in capsys.readouterr().err


@pytest.mark.parametrize(("earlier", "now"), [("Failed", "Success"), ("Success", "Failed"), ("Failed", "Failed")])
def test_the_result_of_an_earlier_version_does_not_count(installed, earlier, now):
    installed.change("2", earlier, now)
    for _ in range(4):
        installed.ssm.describe_instance_associations_status(InstanceId=INSTANCE)
    installed.change("3", now)
    if now == "Success":
        installed.wait("3")
    else:
        installed.fails("3", "failed")
    assert len(installed.commands()) == 3


@pytest.mark.parametrize("again", ["Success", "Failed"])
def test_a_failed_installation_is_started_again_once_by_the_next_run(installed, capsys, again):
    installed.change("2", "Failed", again)
    installed.fails("2", "failed")
    capsys.readouterr()
    if again == "Success":
        installed.wait("2")
    else:
        error = installed.fails("2", "failed")
        assert installed.commands()[-1] in error.remedy
    assert len(installed.commands()) == 3
    assert capsys.readouterr().err.startswith("==> the last installation ended as Failed: start it again\n")


def test_an_interrupted_wait_continues_in_the_next_run(installed, capsys):
    installed.change("2")
    installed.on_pause = lambda: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        installed.wait("2")
    assert capsys.readouterr().err.endswith("continues on the host. To wait for its end: make infra\n")
    installed.on_pause = lambda: None
    installed.wait("2")
    assert len(installed.commands()) == 2


def test_starts_an_installation_that_systems_manager_does_not_start(shop, capsys):
    shop.fake.idle = True
    shop.limit(START=20)
    shop.wait("1")
    assert shop.now >= 20
    assert "==> Systems Manager has not started the installation: start it\n" in capsys.readouterr().err


def test_fails_if_the_agent_does_not_register(shop):
    shop.fake.questions = 1000
    shop.limit(REGISTRATION=60)
    error = shop.fails("1", "Systems Manager does not reach its agent")
    assert error.why == f"the agent on {INSTANCE} is not registered after 60 s"
    assert "make infra waits again" in error.remedy
    assert 60 <= shop.now < 70


def test_fails_if_the_installation_does_not_end(installed, capsys):
    installed.change("2", "InProgress")
    installed.limit(LIMIT=60)
    began = installed.now
    error = installed.fails("2", "the host is not installed after 60 s")
    assert error.why == f"the association {installed.association} is InProgress on {INSTANCE}"
    assert "make infra continues; to see the output: aws ssm get-command-invocation" in error.remedy
    assert re.search("==> the installation is InProgress for 3[0-9] s\n", capsys.readouterr().err)
    assert 60 <= installed.now - began < 70


def test_waits_for_an_association_that_is_not_known_yet(installed):
    """Reads of Systems Manager are delayed."""
    known = installed.fake.known.pop(installed.association)
    installed.on_pause = lambda: installed.fake.known.setdefault(installed.association, known)
    installed.wait("1")
    assert len(installed.pauses) == 1


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("describe_association_executions", "AssociationDoesNotExist"),
        ("describe_association_execution_targets", "AssociationExecutionDoesNotExist"),
        ("get_command_invocation", "InvocationDoesNotExist"),
        ("get_command_invocation", "InvalidCommandId"),
    ],
)
def test_waits_for_what_is_not_known_yet_about_the_output(shop, monkeypatch, capsys, operation, code):
    client = host_installation.aws.Client
    asked, refused = client.ask, []

    def ask(ssm, name, **parameters):
        if name == operation and not refused:
            refused.append(host_installation.aws.Refused(code, "", "", ""))
            raise refused[0]
        return asked(ssm, name, **parameters)

    monkeypatch.setattr(client, "ask", ask)
    shop.wait("1")
    assert refused
    assert "installed\n" in capsys.readouterr().err


def test_a_refusal_is_not_taken_for_a_delay(installed, monkeypatch):
    def refuse(_):
        raise fake_aws.fake_associations.Refused("AccessDeniedException")

    monkeypatch.setattr(installed.fake, "describe", refuse)
    installed.fails("1", "AWS rejected the request")


def test_reads_what_to_wait_for_from_the_outputs_of_terraform(installed, capsys):
    installation = {"association_id": installed.association, "document_version": "1"}
    values = {"instance_id": INSTANCE, "installation": installation, "urls": {}}
    host_installation.wait(json.dumps({name: {"value": value, "type": "x"} for name, value in values.items()}))
    assert capsys.readouterr().err.endswith("==> the host has installed these files\n")
