"""HOST=aws over botocore's Stubber: what is sent to AWS to the letter, every answer it may give, and no waiting."""

import datetime
import functools
import re
import sys
from pathlib import Path

import boto3
import infra
import pytest
from botocore.stub import Stubber
from delivery import actor, aws, backups, references, targets
from delivery.cli import AlreadyReported, CommandError, UsageError
from delivery.targets import aws as target
from delivery.targets.base import verbs

ROOT = Path(__file__).parents[2]
ID, OTHER = "i-0123456789abcdef0", "i-0fedcba9876543210"
COMMAND = "11111111-2222-3333-4444-555555555555"
DIGEST = "sha256:" + "a" * 64
DUMP = "20261125T031500Z"
IMAGE = f"public.ecr.aws/a1b2c3d4/book-shop@{DIGEST}"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture(autouse=True)
def settings(monkeypatch, tmp_path):
    for name in ("AWS_PROFILE", "GITHUB_ACTOR", "DELIVERY_TIME_LIMIT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it remembers credentials
    files = {"AWS_CONFIG_FILE": str(tmp_path / "none"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
    place = {"AWS_REGION": "eu-central-1", "DELIVERY_HOST": "aws", "DELIVERY_NAME": "book-shop", "LOGNAME": "tester"}
    for name, value in (CREDENTIALS | files | place).items():
        monkeypatch.setenv(name, value)


class Time:
    """A clock that only pauses move, and the pauses."""

    def __init__(self):
        self.now, self.pauses = 0.0, []

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds

    def clock(self):
        return self.now


class Stubbed:
    """An AwsHost between stubs of EC2 and Systems Manager, which give the answers that a test has put there."""

    def __init__(self):
        self.time = Time()
        self.host = target.AwsHost(self.time.sleep, self.time.clock)
        self.ec2, self.ssm = Stubber(self.host.ec2.boto), Stubber(self.host.ssm.boto)
        self.ec2.activate()
        self.ssm.activate()

    def instances(self, *instances, **more):
        """EC2 knows these, each (id, state)."""
        wanted = {
            "Filters": [
                {"Name": "tag:Name", "Values": ["book-shop"]},
                {"Name": "tag:Project", "Values": ["book-shop"]},
                {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
            ]
        }
        found = [
            {"InstanceId": name, "State": {"Name": state}, "PublicIpAddress": "203.0.113.7"}
            for name, state in instances
        ]
        answer = {"Reservations": [{"Instances": [instance]} for instance in found]}
        self.ec2.add_response("describe_instances", answer | more.get("answer", {}), wanted | more.get("wanted", {}))

    def agent(self, *states):
        heard = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.timezone.utc)
        known = [{"InstanceId": ID, "PingStatus": state, "LastPingDateTime": heard} for state in states]
        wanted = {"Filters": [{"Key": "InstanceIds", "Values": [ID]}]}
        self.ssm.add_response("describe_instance_information", {"InstanceInformationList": known}, wanted)

    def ready(self):
        self.instances((ID, "running"))
        self.agent("Online")
        self.host.check()
        return self

    def sent(self, environment, **parameters):
        wanted = {
            "InstanceIds": [ID],
            "DocumentName": f"book-shop-{environment}",
            "Parameters": {name: [value] for name, value in ({"Actor": "tester"} | parameters).items()},
            "TimeoutSeconds": 60,
        }
        self.ssm.add_response("send_command", {"Command": {"CommandId": COMMAND}}, wanted)
        return self

    ASKED = {"CommandId": COMMAND, "InstanceId": ID}

    def is_now(self, status, code=-1, output="", errors="", details=None):
        answer = self.ASKED | {"Status": status, "StatusDetails": details or status, "ResponseCode": code}
        answer |= {"StandardOutputContent": output, "StandardErrorContent": errors}
        self.ssm.add_response("get_command_invocation", answer, self.ASKED)
        return self

    def fails(self, operation, code, status=400):
        self.ssm.add_client_error(operation, code, f"{code}!", status)
        return self

    def done(self):
        self.ec2.assert_no_pending_responses()
        self.ssm.assert_no_pending_responses()


@pytest.fixture
def stubbed():
    made = Stubbed()
    yield made
    made.done()


# Which instance


def test_the_one_that_runs_is_taken_and_those_that_are_stopped_do_not_matter(stubbed):
    stubbed.instances((OTHER, "stopped"), (ID, "running"))
    stubbed.agent("Online")
    stubbed.host.check()
    assert stubbed.host.id == ID
    assert [stubbed.host.url(name) for name in ("dev", "prod")] == ["http://203.0.113.7:8080", "http://203.0.113.7"]
    stubbed.host.address = ""
    assert stubbed.host.url("prod") == ""


def test_no_instance_names_the_tags_and_make_infra(stubbed):
    stubbed.instances()
    with pytest.raises(CommandError, match="no host called book-shop runs in eu-central-1") as raised:
        stubbed.host.check()
    assert raised.value.why == "no instance has the tags Name=book-shop and Project=book-shop"
    assert raised.value.remedy == "make infra"


def test_an_instance_that_is_stopped_is_named_with_how_to_start_it(stubbed):
    stubbed.instances((ID, "stopped"))
    with pytest.raises(CommandError) as raised:
        stubbed.host.check()
    assert raised.value.why == f"{ID} is stopped"
    assert raised.value.remedy == f"aws ec2 start-instances --region eu-central-1 --instance-ids {ID}"


def test_two_instances_are_refused_and_named_wherever_their_pages_end(stubbed):
    stubbed.instances((ID, "running"), answer={"NextToken": "more"})
    stubbed.instances((OTHER, "running"), wanted={"NextToken": "more"})
    with pytest.raises(CommandError, match="several hosts are called book-shop") as raised:
        stubbed.host.check()
    assert raised.value.why == f"{ID} is running, {OTHER} is running"
    assert raised.value.remedy.endswith(f"aws ec2 describe-instances --region eu-central-1 --instance-ids {ID} {OTHER}")


@pytest.mark.parametrize(
    ("states", "what", "why"),
    [
        ((), "the host can't be reached yet", "has not registered"),
        (("ConnectionLost",), "the host can't be reached", "is ConnectionLost, last heard 2026-11-23 12:00"),
        (("Inactive",), "the host can't be reached", "is Inactive"),
    ],
)
def test_an_agent_that_is_not_online_is_told_before_anything_is_sent(stubbed, states, what, why):
    stubbed.instances((ID, "running"))
    stubbed.agent(*states)
    with pytest.raises(CommandError) as raised:
        stubbed.host.check()
    assert raised.value.what == what
    assert ID in raised.value.why
    assert why in raised.value.why


@pytest.mark.parametrize("name", ["*", "book-*", "book?", "Book", "a", "-a-", "a" * 21, "book-shop\n"])
def test_a_name_with_wildcards_or_none_at_all_asks_nothing(monkeypatch, name):
    monkeypatch.setenv("DELIVERY_NAME", name)
    with pytest.raises(UsageError, match="invalid DELIVERY_NAME"):
        target.AwsHost()


@pytest.mark.parametrize("name", ["DELIVERY_NAME", "AWS_REGION"])
def test_what_varies_per_place_is_demanded(monkeypatch, name):
    monkeypatch.delenv(name)
    with pytest.raises(CommandError, match=f"{name} is not set"):
        target.AwsHost()


def test_the_name_is_checked_as_terraform_checks_it():
    pattern = re.search(r'regex\("\^(.+)\$", var\.name\)', (ROOT / "terraform/variables.tf").read_text())[1]
    assert target.NAME.pattern == pattern


# What is sent


CALLS = [
    (["deploy", "dev", IMAGE], "dev", {"Environment": "dev", "Image": IMAGE}),
    (["deploy", "prod", IMAGE], "prod", {"Environment": "prod", "Image": IMAGE}),
    (["rollback", "dev"], "dev", {"Environment": "dev"}),
    (["rollback", "prod"], "prod", {"Environment": "prod"}),
    (["rollback", "prod", IMAGE], "prod", {"Environment": "prod", "Image": IMAGE}),
    (["plan", "dev", IMAGE], "dev", {"Environment": "dev", "Image": IMAGE}),
    (["history", "prod", "20"], "prod", {"Environment": "prod", "Lines": "20"}),
    (["status"], "dev", {}),
    (["logs", "dev", "100"], "dev", {"Environment": "dev", "Lines": "100"}),
    (["logs", "prod", "5"], "prod", {"Environment": "prod", "Lines": "5"}),
    (["backup"], "data", {}),
    (["backup", "dev"], "data", {"Environment": "dev"}),
    (["backups"], "data", {}),
    (["restore", "prod", DUMP], "data", {"Environment": "prod", "Dump": DUMP}),
]


@pytest.mark.parametrize(("call", "document", "parameters"), CALLS)
def test_each_verb_is_a_document_and_its_parameters(stubbed, call, document, parameters):
    stubbed.ready().sent(document, **({"Verb": call[0]} | parameters)).is_now("Success", 0, "the answer\n")
    assert stubbed.host.ask(*call) == "the answer\n"


def test_every_verb_that_the_host_declares_can_be_sent():
    assert {call[0] for call, _, _ in CALLS} == set(verbs())


def test_what_is_sent_is_what_the_documents_let_in():
    for call, document, _ in CALLS:
        documents, parameters = target.request(call[0], call[1:])
        assert document in documents
        for name in {"Image", "Lines", "Dump", "Actor"} & parameters.keys():
            assert re.search(allowed(name), parameters[name])
        for sent in documents:
            content = allowed_by()[sent]["parameters"]
            assert all(
                parameters[name] in content[name]["allowedValues"]
                for name in {"Verb", "Environment"} & parameters.keys()
            )
    assert actor.GRAMMAR.pattern == allowed("Actor").removeprefix("^").removesuffix("$")


def test_a_role_that_may_use_one_document_only_asks_the_status_by_that_one(stubbed):
    stubbed.ready().fails("send_command", "AccessDeniedException").sent("prod", Verb="status").is_now(
        "Success", 0, "{}"
    )
    assert stubbed.host.ask("status") == "{}"


def test_a_role_that_may_not_deploy_is_told_so(stubbed):
    stubbed.ready().fails("send_command", "AccessDeniedException")
    with pytest.raises(aws.Refused, match="AccessDeniedException"):
        stubbed.host.run("deploy", "prod", IMAGE)


def test_a_role_that_may_not_touch_the_data_is_told_so(stubbed):
    stubbed.ready().fails("send_command", "AccessDeniedException")
    with pytest.raises(aws.Refused, match="AccessDeniedException"):
        stubbed.host.run("restore", "prod", DUMP)


def test_a_missing_document_names_make_infra(stubbed):
    stubbed.ready().fails("send_command", "InvalidDocument")
    with pytest.raises(aws.Refused) as raised:
        stubbed.host.run("deploy", "dev", IMAGE)
    assert raised.value.remedy == "make infra"


# How it ends


def test_run_passes_output_as_it_comes_and_the_exit_status_through(stubbed, capsys):
    stubbed.ready().sent("dev", Verb="deploy", Environment="dev", Image=IMAGE)
    stubbed.is_now("Pending").is_now("InProgress", errors="==> pull\n")
    stubbed.is_now("InProgress", errors="==> pull\n==> mig").is_now("InProgress", errors="==> pull\n==> mig")
    stubbed.is_now("Success", 0, "an answer\n", "==> pull\n==> migrate\n")
    stubbed.host.run("deploy", "dev", IMAGE)
    assert capsys.readouterr() == ("", "==> pull\n==> migan answer\nrate\n")
    assert stubbed.time.pauses == list(target.POLLS[:5])


@pytest.mark.parametrize("code", [1, 2, 17, 255])
def test_the_hosts_exit_status_and_words_are_the_callers(stubbed, capsys, code):
    stubbed.ready().sent("prod", Verb="deploy", Environment="prod", Image=IMAGE)
    stubbed.is_now("Failed", code, errors="deploy-prod: the rollout failed\n")
    with pytest.raises(AlreadyReported) as raised:
        stubbed.host.run("deploy", "prod", IMAGE)
    assert raised.value.status == code
    assert capsys.readouterr().err == "deploy-prod: the rollout failed\n"


def test_ask_keeps_the_answer_apart_from_what_else_was_said(stubbed, capsys):
    stubbed.ready().sent("dev", Verb="status").is_now("Failed", 4, "{", "no kubectl\n")
    with pytest.raises(AlreadyReported) as raised:
        stubbed.host.ask("status")
    assert (raised.value.status, raised.value.output) == (4, "{")
    assert capsys.readouterr() == ("", "no kubectl\n")


def test_a_command_that_is_not_known_yet_is_waited_for(stubbed):
    stubbed.ready().sent("dev", Verb="rollback", Environment="dev")
    stubbed.fails("get_command_invocation", "InvocationDoesNotExist").fails(
        "get_command_invocation", "InvocationDoesNotExist"
    )
    stubbed.is_now("Success", 0)
    stubbed.host.run("rollback", "dev")


def test_a_command_that_stays_unknown_is_an_error_that_says_it_may_run(stubbed, capsys):
    stubbed.ready().sent("dev", Verb="rollback", Environment="dev")
    for _ in range(14):  # 0.5 + 0.5 + 1 + 1 + 2 + 9 x 3: the first look after more than REGISTERED seconds
        stubbed.fails("get_command_invocation", "InvocationDoesNotExist")
    with pytest.raises(aws.Refused, match="InvocationDoesNotExist"):
        stubbed.host.run("rollback", "dev")
    assert 30 < stubbed.time.now < 34
    assert f"rollback may still be running on {ID}, as command {COMMAND}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "details", "code", "what"),
    [
        ("Cancelled", "Cancelled", -1, "deploy was ended on the host.*was cancelled"),
        ("TimedOut", "Delivery Timed Out", -1, "deploy never reached the host"),
        ("TimedOut", "DeliveryTimedOut", -1, "deploy never reached the host"),
        ("TimedOut", "Execution Timed Out", -1, "deploy was ended on the host.*longer than its document allows"),
        ("TimedOut", "TimedOut", -1, "deploy was ended on the host"),
        ("Failed", "Undeliverable", -1, "deploy never reached the host.*can't be reached"),
        ("Undeliverable", "Undeliverable", -1, "deploy never reached the host"),
        ("Failed", "Terminated", -1, "deploy was ended"),
        ("Terminated", "Terminated", -1, "deploy was ended"),
        ("Failed", "Failed", -1, "deploy did not run on the host"),
        ("Failed", "Failed", 0, "deploy did not run on the host"),
        ("Failed", "AccessDenied", 5, "deploy did not end as it should"),
        ("Melted", "Melted", 0, "deploy did not end as it should"),
    ],
)
def test_what_systems_manager_ended_is_no_exit_status_of_the_host(stubbed, status, details, code, what):
    stubbed.ready().sent("dev", Verb="deploy", Environment="dev", Image=IMAGE).is_now(status, code, details=details)
    with pytest.raises(CommandError, match=f"(?s){what}") as raised:
        stubbed.host.run("deploy", "dev", IMAGE)
    assert raised.value.status == 1
    assert raised.value.remedy == "make status"
    assert COMMAND in raised.value.why


def test_an_end_that_takes_too_long_says_that_it_may_still_run_and_how_to_look(monkeypatch, capsys):
    monkeypatch.setenv("DELIVERY_TIME_LIMIT", "70")
    stubbed = Stubbed().ready().sent("dev", Verb="deploy", Environment="dev", Image=IMAGE)
    for _ in range(27):
        stubbed.is_now("InProgress")
    with pytest.raises(CommandError, match="has not ended after 70 s and may still be running") as raised:
        stubbed.host.run("deploy", "dev", IMAGE)
    assert 70 <= stubbed.time.now < 75
    assert COMMAND in raised.value.why
    assert "make status" in raised.value.remedy
    assert f"get-command-invocation --command-id {COMMAND} --instance-id {ID}" in raised.value.remedy
    said = capsys.readouterr().err
    assert said.count("==> deploy: InProgress for ") == 2


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "ten", "100000", "1\n"])
def test_a_limit_that_is_no_number_is_a_wrong_call(monkeypatch, text):
    monkeypatch.setenv("DELIVERY_TIME_LIMIT", text)
    with pytest.raises(UsageError, match="invalid DELIVERY_TIME_LIMIT"):
        target.AwsHost()


def test_the_limit_is_20_minutes(stubbed):
    assert stubbed.host._limit == 1200


@pytest.mark.parametrize(
    ("call", "follow"),
    [
        (["deploy", "dev", IMAGE], "deploy dev continues on the host. Follow it: make status history-dev"),
        (["rollback", "prod"], "rollback prod continues on the host. Follow it: make status history-prod"),
        (["restore", "dev", DUMP], "restore dev continues on the host. Follow it: make status history-dev"),
        (["backup"], "backup continues on the host. Follow it: make backups"),
        (["status"], None),
    ],
)
@pytest.mark.parametrize("way", ["run", "ask"])
def test_an_interrupt_reports_that_a_verb_that_changes_something_continues(stubbed, capsys, way, call, follow):
    documents, parameters = target.request(call[0], call[1:])
    stubbed.ready().sent(documents[0], **parameters)

    def interrupt(_):
        raise KeyboardInterrupt

    stubbed.host._sleep = interrupt
    with pytest.raises(KeyboardInterrupt):
        getattr(stubbed.host, way)(*call)
    look = f"aws ssm get-command-invocation --command-id {COMMAND} --instance-id {ID} --region eu-central-1"
    assert capsys.readouterr().err == (f"==> {follow}; {look}\n" if follow else "")


# Throttling and a bad network


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "Throttling", "RequestLimitExceeded", "TooManyRequestsException"]
)
def test_throttling_is_waited_out_at_each_step(code):
    stubbed = Stubbed()
    stubbed.ec2.add_client_error("describe_instances", code)
    stubbed.instances((ID, "running"))
    stubbed.fails("describe_instance_information", code).agent("Online")
    stubbed.host.check()
    stubbed.fails("send_command", code).fails("send_command", code).sent("dev", Verb="rollback", Environment="dev")
    stubbed.fails("get_command_invocation", code).is_now("Success", 0)
    stubbed.host.run("rollback", "dev")
    assert stubbed.time.pauses == [0.5, 0.5, 0.5, 1, target.POLLS[0], 0.5]
    stubbed.done()


def test_throttling_that_stays_is_given_up_with_backoff(stubbed):
    stubbed.ready()
    for _ in range(len(aws.PAUSES) + 1):
        stubbed.fails("send_command", "ThrottlingException")
    with pytest.raises(aws.Refused, match="ThrottlingException"):
        stubbed.host.run("rollback", "dev")
    assert stubbed.time.pauses == list(aws.PAUSES)


def test_a_failure_of_aws_while_looking_is_looked_past(stubbed):
    stubbed.ready().sent("dev", Verb="rollback", Environment="dev").fails(
        "get_command_invocation", "InternalServerError", 500
    )
    stubbed.is_now("Success", 0)
    stubbed.host.run("rollback", "dev")


def test_a_command_is_never_sent_twice_on_a_doubt(stubbed):
    stubbed.ready().fails("send_command", "InternalServerError", 500)
    with pytest.raises(CommandError, match="whether rollback reached the host is not known") as raised:
        stubbed.host.run("rollback", "prod")
    assert raised.value.remedy == "make status"
    assert stubbed.time.pauses == []


# Long output

LONG = "".join(f'{{"n": {number:030}}}\n' for number in range(1000))[:24000]


@pytest.mark.parametrize("text", [LONG, LONG[:23000] + "--output truncated--"])
def test_logs_that_are_cut_are_asked_for_again_with_fewer_lines(stubbed, capsys, text):
    fewer = str(text.count("\n") * 3 // 4)
    stubbed.ready().sent("dev", Verb="logs", Environment="dev", Lines="1000").is_now("Success", 0, text)
    stubbed.sent("dev", Verb="logs", Environment="dev", Lines=fewer).is_now("Success", 0, "the last lines\n")
    assert stubbed.host.ask("logs", "dev", "1000") == "the last lines\n"
    assert f"the last {fewer} lines" in capsys.readouterr().err


def test_one_line_that_is_too_long_and_a_status_that_is_too_long_are_errors(stubbed):
    stubbed.ready().sent("dev", Verb="logs", Environment="dev", Lines="2").is_now("Success", 0, "x" * 24000)
    stubbed.sent("dev", Verb="logs", Environment="dev", Lines="1").is_now("Success", 0, "x" * 24000)
    with pytest.raises(CommandError, match="the host's answer to logs is cut off"):
        stubbed.host.ask("logs", "dev", "2")
    stubbed.sent("dev", Verb="status").is_now("Success", 0, "x" * 24000)
    with pytest.raises(CommandError, match="the host's answer to status is cut off"):
        stubbed.host.ask("status")


def test_a_deploy_that_says_more_than_is_passed_on_keeps_its_exit_status(stubbed, capsys):
    stubbed.ready().sent("dev", Verb="deploy", Environment="dev", Image=IMAGE).is_now("Failed", 1, errors="x" * 8000)
    with pytest.raises(AlreadyReported):
        stubbed.host.run("deploy", "dev", IMAGE)
    assert "left out the rest" in capsys.readouterr().err


# What the documents let in: their own patterns, as Terraform has them


@functools.cache
def allowed_by():
    """{document: its content}"""
    return infra.documents()


def allowed(name):
    (pattern,) = {document["parameters"][name]["allowedPattern"] for document in allowed_by().values()}
    return pattern


def lets_in(name, value):
    # In Python $ also matches before a last line feed; in what Systems Manager is made of it doesn't.
    pattern = allowed(name)
    assert pattern.startswith("^")
    assert pattern.endswith("$")
    return re.search(pattern.removesuffix("$") + r"\Z", value) is not None


HEX = "a" * 64
HOSTILE = [
    f"localhost:5000/book-shop@sha256:{HEX}; reboot",
    f"localhost:5000/book-shop@sha256:{HEX}\n",
    f"localhost:5000/book-shop@sha256:{HEX}\nreboot",
    f"localhost:5000/book-shop@sha256:{HEX} ",
    f" localhost:5000/book-shop@sha256:{HEX}",
    f"\nlocalhost:5000/book-shop@sha256:{HEX}",
    f"localhost:5000/book-shop@sha256:{HEX}\0",
    f"localhost:5000/book-shop@sha256:{HEX}\r",
    f"localhost:5000/book-shop@sha256:{HEX}a",
    f"localhost:5000/book-shop@sha256:{HEX[1:]}",
    f"localhost:5000/book-shop@sha256:{HEX.upper()}",
    f"localhost:5000/book-shop@sha256:{'g' * 64}",
    f"localhost:5000/book-shop@sha256:{HEX}@sha256:{HEX}",
    f"localhost:5000/book-shop@SHA256:{HEX}",
    f"localhost:5000/book-shop@sha512:{HEX}{HEX}",
    f"localhost:5000/book-shop@md5:{'a' * 32}",
    f"localhost:5000/book-shop@{HEX}",
    f"localhost:5000/book-shop@sha256:{HEX}$(id)",
    f"$(touch /tmp/x)@sha256:{HEX}",
    f"`id`@sha256:{HEX}",
    f"a`id`@sha256:{HEX}",
    f"a$(id)@sha256:{HEX}",
    f"a${{IFS}}b@sha256:{HEX}",
    f"$HOME@sha256:{HEX}",
    f"a;id@sha256:{HEX}",
    f"a&&id@sha256:{HEX}",
    f"a|id@sha256:{HEX}",
    f"a>b@sha256:{HEX}",
    f"a<b@sha256:{HEX}",
    f"a'b@sha256:{HEX}",
    f'a"b@sha256:{HEX}',
    f"a\\b@sha256:{HEX}",
    f"a b@sha256:{HEX}",
    f"a\tb@sha256:{HEX}",
    f"a\nb@sha256:{HEX}",
    f"a*b@sha256:{HEX}",
    f"a?b@sha256:{HEX}",
    f"a#b@sha256:{HEX}",
    f"a%20b@sha256:{HEX}",
    f"a!b@sha256:{HEX}",
    f"a~b@sha256:{HEX}",
    f"a(b)@sha256:{HEX}",
    f"a[b]@sha256:{HEX}",
    f"{{{{ssm:secret}}}}@sha256:{HEX}",
    f"a{{{{global:DATE}}}}@sha256:{HEX}",
    f"--privileged@sha256:{HEX}",
    f"-v/:/x@sha256:{HEX}",
    f"/etc/passwd@sha256:{HEX}",
    f"../x@sha256:{HEX}",
    f"@sha256:{HEX}",
    f"https://evil.example/x@sha256:{HEX}?",
    f"UPPER/x@sha256:{HEX}",
    f"bücher/x@sha256:{HEX}",
    f"localhost:5000/book-shop@sha256:{chr(0x661) * 64}",
    f"\uff41@sha256:{HEX}",
    f"{'a' * 256}@sha256:{HEX}",
    "localhost:5000/book-shop",
    "localhost:5000/book-shop:1.0.0",
    "localhost:5000/book-shop:latest",
    "latest",
    ";",
    " ",
    "\n",
]


def test_there_are_50_hostile_images_and_more():
    assert len(set(HOSTILE)) == len(HOSTILE) > 50


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_image_is_refused_by_the_document_and_by_the_verb(value):
    assert not lets_in("Image", value)
    with pytest.raises(references.BadReference):
        references.image(value)


def test_an_image_is_let_in_and_so_is_none():
    assert all(lets_in("Image", value) for value in (IMAGE, f"localhost:5000/book-shop@{DIGEST}", ""))


@pytest.mark.parametrize("value", ["", "-x", "a b", "$(id)", "a\n", "é", "a;b", "'", "a" * 65, "DOMAIN\\user"])
def test_a_hostile_actor_is_refused_and_would_be_sent_as_unknown(monkeypatch, value):
    assert not lets_in("Actor", value)
    monkeypatch.setenv("GITHUB_ACTOR", value)
    monkeypatch.setenv("LOGNAME", value or "-")
    assert actor.name() == "unknown"


@pytest.mark.parametrize("value", ["", "0", "01", "-1", "1;id", "1\n", "100000", "all", "+5", "٣"])
def test_hostile_lines_are_refused(value):
    assert not lets_in("Lines", value)


@pytest.mark.parametrize(
    "value", ["x", "../x", f"{DUMP}.dump", f"{DUMP}\n", f"{DUMP};id", DUMP.lower(), f"{DUMP}-x", "-h", "latest "]
)
def test_a_hostile_dump_is_refused_by_the_document_and_by_the_verb(value):
    assert not lets_in("Dump", value)
    assert not backups.NAME.fullmatch(value)


def test_every_name_of_a_dump_is_let_in():
    assert all(lets_in("Dump", value) for value in ("latest", DUMP, f"{DUMP}-replaced", ""))
    assert allowed("Dump") == f"^(latest|{backups.NAME.pattern})?$"


# Credentials, and boto3 itself


def test_without_credentials_it_says_how_to_log_in(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(aws.NoCredentials, match="there are no AWS credentials") as raised:
        targets.for_environment("dev")
    assert raised.value.remedy == aws.LOGIN


def test_a_profile_that_does_not_exist_is_told(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(aws.NoCredentials, match=r"AWS_PROFILE names no profile(?s:.*)nobody"):
        targets.for_environment("dev")


def test_a_region_that_is_none_is_a_wrong_call(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "no region!")
    with pytest.raises(UsageError, match="invalid AWS_REGION 'no region!'"):
        targets.for_environment("dev")


def test_no_network_is_told_after_a_few_tries(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    pauses = []
    with pytest.raises(aws.NoAnswer, match="AWS doesn't answer in eu-central-1") as raised:
        target.AwsHost(pauses.append).check()
    assert raised.value.remedy == "check AWS_REGION and the network"
    assert pauses == list(aws.PAUSES)


def test_without_boto3_it_names_make_setup(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(CommandError, match="the AWS library for Python is missing") as raised:
        targets.for_environment("dev")
    assert raised.value.remedy == "make setup"


@pytest.mark.parametrize("once", [False, True])
def test_what_breaks_on_the_way_is_repeated_unless_it_must_arrive_only_once(scripted, monkeypatch, once):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{scripted.address}")
    monkeypatch.setattr(
        scripted.server.RequestHandlerClass, "do_POST", scripted.server.RequestHandlerClass.do_GET, False
    )
    scripted.answers = [(0, {}, scripted.RESET), (503, {}, b""), (200, {}, b'{"InstanceInformationList": []}')]
    client = aws.Client("ssm", sleep=lambda _: None)
    if once:
        with pytest.raises(aws.NoAnswer):
            client.ask("describe_instance_information", once=True)
        assert len(scripted.requests) == 1  # botocore has no tries of its own
    else:
        client.ask("describe_instance_information")
        assert len(scripted.requests) == 3
