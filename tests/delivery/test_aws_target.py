"""HOST=aws over botocore's Stubber: the exact requests to AWS, every answer that it may give, and no waiting."""

import datetime
import functools
import json
import re
import sys

import fake_aws
import infra
import pytest
from botocore.stub import Stubber
from delivery import actor, aws, backups, order, references, targets
from delivery.cli import AlreadyReported, CommandError, UsageError
from delivery.targets import aws as target
from delivery.targets.base import verbs

ID, OTHER = "i-0123456789abcdef0", "i-0fedcba9876543210"
COMMAND = "11111111-2222-3333-4444-555555555555"
DIGEST = "sha256:" + "a" * 64
DUMP = "20261125T031500Z"
IMAGE = f"public.ecr.aws/a1b2c3d4/book-shop@{DIGEST}"
DEPLOY = ("deploy", "dev", IMAGE)
ADDRESS = "203.0.113.7"
HEARD = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.timezone.utc)
STATES = ["pending", "running", "stopping", "stopped"]


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    fake_aws.use_test_credentials(monkeypatch, AWS_REGION="eu-central-1")
    for name in ("GITHUB_ACTOR", "DELIVERY_TIME_LIMIT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"DELIVERY_HOST": "aws", "DELIVERY_NAME": "book-shop", "LOGNAME": "tester"}.items():
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
    """An AwsHost between stubs of EC2 and Systems Manager: they expect the requests of a test, in its order."""

    ASKED = {"CommandId": COMMAND, "InstanceId": ID}

    def __init__(self):
        self.time = Time()
        self.host = target.AwsHost(self.time.sleep, self.time.clock)
        self.ec2, self.ssm = Stubber(self.host.ec2.boto), Stubber(self.host.ssm.boto)
        self.ec2.activate()
        self.ssm.activate()

    def instances(self, *pages):
        """EC2 knows the instances of these pages, each (id, state)."""
        filters = {"tag:Name": ["book-shop"], "tag:Project": ["book-shop"], "instance-state-name": STATES}
        more = {"NextToken": "more"}
        for number, page in enumerate(pages, 1):
            expected = {"Filters": [{"Name": name, "Values": values} for name, values in filters.items()]}
            known = [{"InstanceId": i, "State": {"Name": state}, "PublicIpAddress": ADDRESS} for i, state in page]
            answer = {"Reservations": [{"Instances": [instance]} for instance in known]}
            answer |= more if number < len(pages) else {}
            self.ec2.add_response("describe_instances", answer, expected | (more if number > 1 else {}))

    def agent(self, *states):
        known = [{"InstanceId": ID, "PingStatus": state, "LastPingDateTime": HEARD} for state in states]
        expected = {"Filters": [{"Key": "InstanceIds", "Values": [ID]}]}
        self.ssm.add_response("describe_instance_information", {"InstanceInformationList": known}, expected)

    def ready(self):
        self.instances([(ID, "running")])
        self.agent("Online")
        self.host.check()
        return self

    def sent(self, document, verb, **parameters):
        values = {name: [value] for name, value in ({"Verb": verb, "Actor": "tester"} | parameters).items()}
        expected = {"InstanceIds": [ID], "DocumentName": f"book-shop-{document}", "TimeoutSeconds": 60}
        expected |= {"Parameters": values}
        self.ssm.add_response("send_command", {"Command": {"CommandId": COMMAND}}, expected)
        return self

    def deploying(self):
        """DEPLOY has been sent, once it is called."""
        return self.ready().sent("dev", "deploy", Environment="dev", Image=IMAGE)

    def is_now(self, status, code=-1, output="", errors="", details=None):
        answer = self.ASKED | {"Status": status, "StatusDetails": details or status, "ResponseCode": code}
        answer |= {"StandardOutputContent": output, "StandardErrorContent": errors}
        self.ssm.add_response("get_command_invocation", answer, self.ASKED)
        return self

    def fails(self, operation, code, status=400, times=1):
        for _ in range(times):
            self.ssm.add_client_error(operation, code, f"{code}!", status)
        return self


@pytest.fixture
def stubbed():
    """A Stubbed; at the end, every request that the test expected has been made."""
    made = Stubbed()
    yield made
    made.ec2.assert_no_pending_responses()
    made.ssm.assert_no_pending_responses()


# Selection of the instance


def test_takes_the_running_instance_and_ignores_stopped_ones(stubbed):
    stubbed.instances([(OTHER, "stopped"), (ID, "running")])
    stubbed.agent("Online")
    stubbed.host.check()
    assert stubbed.host.id == ID
    assert [stubbed.host.url(name) for name in ("dev", "prod")] == ["http://203.0.113.7:8080", "http://203.0.113.7"]
    stubbed.host.address = ""
    assert stubbed.host.url("prod") == ""


NO_HOST = "no host called book-shop runs in eu-central-1"
NO_INSTANCE = "no instance has the tags Name=book-shop and Project=book-shop"
START = f"aws ec2 start-instances --region eu-central-1 --instance-ids {ID}"
LOOK = f"aws ec2 describe-instances --region eu-central-1 --instance-ids {ID} {OTHER}"
REBOOT = f"aws ec2 reboot-instances --instance-ids {ID} --region eu-central-1"
SEVERAL, SILENT = "several hosts are called book-shop", "the host can't be reached"


@pytest.mark.parametrize(
    ("pages", "agent", "what", "why", "remedy"),
    [
        ([[]], None, NO_HOST, NO_INSTANCE, "make infra"),
        ([[(ID, "stopped")]], None, NO_HOST, f"{ID} is stopped", START),
        ([[(ID, "running")], [(OTHER, "running")]], None, SEVERAL, f"{ID} is running, {OTHER} is running", LOOK),
        ([[(ID, "running")]], [], f"{SILENT} yet", f"{ID} has not registered", "make status, in a few minutes"),
        ([[(ID, "running")]], ["ConnectionLost"], SILENT, f"{ID} is ConnectionLost, last heard {HEARD}", REBOOT),
        ([[(ID, "running")]], ["Inactive"], SILENT, f"{ID} is Inactive", REBOOT),
    ],
)
def test_fails_unless_one_instance_runs_and_its_agent_is_online(stubbed, pages, agent, what, why, remedy):
    stubbed.instances(*pages)
    if agent is not None:
        stubbed.agent(*agent)
    with pytest.raises(CommandError) as raised:
        stubbed.host.check()
    assert what in raised.value.what
    assert why in raised.value.why
    assert raised.value.remedy.endswith(remedy)


NAMES = ["*", "book-*", "book?", "Book", "a", "-a-", "a" * 21, "book-shop\n"]
LIMITS = ["0", "-1", "1.5", "ten", "100000", "1\n"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [*[("DELIVERY_NAME", name) for name in NAMES], *[("DELIVERY_TIME_LIMIT", limit) for limit in LIMITS]],
)
def test_refuses_an_invalid_variable(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=f"invalid {variable}"):
        target.AwsHost()


@pytest.mark.parametrize("name", ["DELIVERY_NAME", "AWS_REGION"])
def test_fails_when_a_required_variable_is_not_set(monkeypatch, name):
    monkeypatch.delenv(name)
    with pytest.raises(CommandError, match=f"{name} is not set"):
        target.AwsHost()


# What is sent


@functools.cache
def documents():
    """{document: its content}, as Terraform has them."""
    return infra.documents()


def allowed(name):
    """The pattern that all documents have for a parameter."""
    (pattern,) = {document["parameters"][name]["allowedPattern"] for document in documents().values()}
    return pattern


def lets_in(name, value):
    # In Python $ also matches before a last line feed; in what Systems Manager is made of it doesn't.
    pattern = allowed(name)
    assert (pattern[0], pattern[-1]) == ("^", "$")
    return re.search(pattern[:-1] + r"\Z", value) is not None


COMMAND_LINE = json.dumps(["import_books", "-", "$(id) 'é' \" \\ \n}"]).replace("{", "\\u007b")
CALLS = [
    (["deploy", "dev", IMAGE], "dev", {"Environment": "dev", "Image": IMAGE}),
    (["deploy", "prod", IMAGE], "prod", {"Environment": "prod", "Image": IMAGE}),
    (["rollback", "dev"], "dev", {"Environment": "dev"}),
    (["rollback", "prod"], "prod", {"Environment": "prod"}),
    (["rollback", "prod", IMAGE], "prod", {"Environment": "prod", "Image": IMAGE}),
    (["undo", "prod", IMAGE], "prod", {"Environment": "prod", "Image": IMAGE}),
    (["plan", "dev", IMAGE], "dev", {"Environment": "dev", "Image": IMAGE}),
    (["history", "prod", "20"], "prod", {"Environment": "prod", "Lines": "20"}),
    (["status"], "dev", {}),
    (["logs", "dev", "100"], "dev", {"Environment": "dev", "Lines": "100"}),
    (["logs", "prod", "5"], "prod", {"Environment": "prod", "Lines": "5"}),
    (["backup"], "data", {}),
    (["backup", "dev"], "data", {"Environment": "dev"}),
    (["backups"], "data", {}),
    (["restore", "prod", DUMP], "data", {"Environment": "prod", "Dump": DUMP}),
    (["dump", "dev"], "data", {"Environment": "dev"}),
    (["load", "prod"], "data", {"Environment": "prod"}),
    (["load", "dev", "anonymous"], "data", {"Environment": "dev", "Anonymous": "anonymous"}),
    (["settings", "dev"], "settings", {"Environment": "dev"}),
    (["settings", "prod", "values"], "settings", {"Environment": "prod", "Values": "values"}),
    (["set", "dev", "ALLOWED_HOSTS"], "settings", {"Environment": "dev", "Setting": "ALLOWED_HOSTS"}),
    (["unset", "prod", "EMAIL_HOST"], "settings", {"Environment": "prod", "Setting": "EMAIL_HOST"}),
    (["rotate", "prod", "database"], "settings", {"Environment": "prod", "Secret": "database"}),
    (["rotate", "dev", "secret-key"], "settings", {"Environment": "dev", "Secret": "secret-key"}),
    (["manage", "dev", COMMAND_LINE], "manage", {"Environment": "dev", "Command": COMMAND_LINE}),
]


@pytest.mark.parametrize(("call", "document", "parameters"), CALLS)
def test_sends_a_verb_by_a_document_that_lets_its_parameters_in(stubbed, call, document, parameters):
    stubbed.ready().sent(document, call[0], **parameters).is_now("Success", 0, "the answer\n")
    assert stubbed.host.ask(*call) == "the answer\n"
    names, _ = target.request(call[0], call[1:])
    assert document in names
    for name, value in ({"Verb": call[0], "Actor": "tester"} | parameters).items():
        for declared in (documents()[tried]["parameters"][name] for tried in names):
            assert value in declared.get("allowedValues", [value])
            assert re.search(declared.get("allowedPattern", ""), value)


def test_sends_every_verb_that_the_host_declares():
    assert {call[0] for call, _, _ in CALLS} == {verb for verb, form in verbs().items() if form["document"]}


def test_sends_the_options_that_a_verb_declares():
    options = ["--since=2h30m", "--grep=--grep=a {b}", "--previous"]
    _, parameters = target.request("logs", ["dev", "7", *options])
    sent = {"Since": "2h30m", "Grep": "--grep=a {b}", "Previous": "yes"}
    assert parameters == {"Verb": "logs", "Actor": "tester", "Environment": "dev", "Lines": "7"} | sent
    assert all(lets_in(name, sent[name]) for name in ("Since", "Grep"))
    assert sent["Previous"] in documents()["dev"]["parameters"]["Previous"]["allowedValues"]


@pytest.mark.parametrize("reason", ["{{ssm:/book-shop/prod/SECRET_KEY}}", "a {{", "{{{"])
def test_refuses_what_systems_manager_would_replace(reason):
    assert not lets_in("Reason", reason)
    assert not lets_in("Grep", reason)
    with pytest.raises(UsageError, match="invalid Reason"):
        target.request("deploy", ["dev", IMAGE, "unordered", reason])


def test_asks_the_status_by_the_document_that_the_role_may_use(stubbed):
    stubbed.ready().fails("send_command", "AccessDeniedException").sent("prod", "status").is_now("Success", 0, "{}")
    assert stubbed.host.ask("status") == "{}"


CREDENTIALS = "aws sts get-caller-identity shows the identity of the credentials"
DENIED, UNKNOWN = "AccessDeniedException", "whether rollback reached the host is not known"


@pytest.mark.parametrize(
    ("call", "answers", "error", "what", "remedy", "pauses"),
    [
        (["deploy", "prod", IMAGE], [(DENIED, 400)], aws.Refused, DENIED, CREDENTIALS, []),
        (["restore", "prod", DUMP], [(DENIED, 400)], aws.Refused, DENIED, CREDENTIALS, []),
        (["deploy", "dev", IMAGE], [("InvalidDocument", 400)], aws.Refused, "InvalidDocument", "make infra", []),
        (["rollback", "dev"], [("Throttling", 400)] * 6, aws.Refused, "Throttling", CREDENTIALS, [0.5, 1, 2, 4, 8]),
        (["rollback", "prod"], [("InternalServerError", 500)], CommandError, UNKNOWN, "make status", []),
    ],
)
def test_fails_when_aws_does_not_take_the_command(stubbed, call, answers, error, what, remedy, pauses):
    stubbed.ready()
    for code, status in answers:
        stubbed.fails("send_command", code, status)
    with pytest.raises(error, match=what) as raised:
        stubbed.host.run(*call)
    assert raised.value.remedy == remedy
    assert stubbed.time.pauses == pauses


# How it ends


def test_run_passes_output_on_as_it_comes(stubbed, capsys):
    stubbed.deploying().is_now("Pending").is_now("InProgress", errors="==> pull\n")
    stubbed.is_now("InProgress", errors="==> pull\n==> mig").is_now("InProgress", errors="==> pull\n==> mig")
    stubbed.is_now("Success", 0, "an answer\n", "==> pull\n==> migrate\n")
    stubbed.host.run(*DEPLOY)
    assert capsys.readouterr() == ("", "==> pull\n==> migan answer\nrate\n")
    assert stubbed.time.pauses == list(target.POLLS[:5])


@pytest.mark.parametrize("code", [1, 2, 17, 255])
def test_run_ends_with_the_hosts_exit_status_and_error(stubbed, capsys, code):
    stubbed.deploying().is_now("Failed", code, errors="deploy: the rollout failed\n")
    with pytest.raises(AlreadyReported) as raised:
        stubbed.host.run(*DEPLOY)
    assert raised.value.status == code
    assert capsys.readouterr().err == "deploy: the rollout failed\n"


def test_ask_returns_stdout_and_passes_stderr_on(stubbed, capsys):
    stubbed.ready().sent("dev", "status").is_now("Failed", 4, "{", "no kubectl\n")
    with pytest.raises(AlreadyReported) as raised:
        stubbed.host.ask("status")
    assert (raised.value.status, raised.value.output) == (4, "{")
    assert capsys.readouterr() == ("", "no kubectl\n")


@pytest.mark.parametrize(("code", "status"), [("InvocationDoesNotExist", 400), ("InternalServerError", 500)])
def test_waits_for_a_command_that_aws_does_not_report_yet(stubbed, code, status):
    stubbed.deploying().fails("get_command_invocation", code, status, times=2).is_now("Success", 0)
    stubbed.host.run(*DEPLOY)


def test_fails_when_a_command_stays_unknown_and_reports_that_it_may_run(stubbed, capsys):
    # 0.5 + 0.5 + 1 + 1 + 2 + 9 x 3 seconds: the first look after more than REGISTERED.
    stubbed.deploying().fails("get_command_invocation", "InvocationDoesNotExist", times=14)
    with pytest.raises(aws.Refused, match="InvocationDoesNotExist"):
        stubbed.host.run(*DEPLOY)
    assert 30 < stubbed.time.now < 34
    assert f"deploy may still be running on {ID}, as command {COMMAND}" in capsys.readouterr().err


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
        ("Failed", "AccessDenied", 5, "deploy ended unexpectedly"),
        ("Melted", "Melted", 0, "deploy ended unexpectedly"),
    ],
)
def test_fails_when_systems_manager_ended_the_command(stubbed, status, details, code, what):
    stubbed.deploying().is_now(status, code, details=details)
    with pytest.raises(CommandError, match=f"(?s){what}") as raised:
        stubbed.host.run(*DEPLOY)
    assert (raised.value.status, raised.value.remedy) == (1, "make status")
    assert COMMAND in raised.value.why


@pytest.mark.parametrize(("setting", "limit", "looks", "reports"), [("70", 70, 27, 2), (None, 1200, 404, 39)])
def test_gives_up_after_the_time_limit(request, monkeypatch, capsys, setting, limit, looks, reports):
    if setting:
        monkeypatch.setenv("DELIVERY_TIME_LIMIT", setting)
    stubbed = request.getfixturevalue("stubbed").deploying()
    for _ in range(looks):
        stubbed.is_now("InProgress")
    with pytest.raises(CommandError, match=f"has not ended after {limit} s and may still be running") as raised:
        stubbed.host.run(*DEPLOY)
    assert limit <= stubbed.time.now < limit + 5
    assert COMMAND in raised.value.why
    assert "make status" in raised.value.remedy
    assert f"get-command-invocation --command-id {COMMAND} --instance-id {ID}" in raised.value.remedy
    assert capsys.readouterr().err.count("==> deploy: InProgress for ") == reports


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
def test_an_interrupt_reports_that_a_change_continues(stubbed, capsys, way, call, follow):
    names, parameters = target.request(call[0], call[1:])
    stubbed.ready().sent(names[0], parameters.pop("Verb"), **parameters)

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
def test_waits_while_aws_throttles_any_request(stubbed, code):
    stubbed.ec2.add_client_error("describe_instances", code)
    stubbed.instances([(ID, "running")])
    stubbed.fails("describe_instance_information", code).agent("Online")
    stubbed.host.check()
    stubbed.fails("send_command", code, times=2).sent("dev", "deploy", Environment="dev", Image=IMAGE)
    stubbed.fails("get_command_invocation", code).is_now("Success", 0)
    stubbed.host.run(*DEPLOY)
    assert stubbed.time.pauses == [0.5, 0.5, 0.5, 1, target.POLLS[0], 0.5]


# Long output

LONG = "".join(f'{{"n": {number:030}}}\n' for number in range(1000))[:24000]


@pytest.mark.parametrize("text", [LONG, LONG[:23000] + "--output truncated--"])
def test_asks_for_fewer_lines_when_logs_are_cut_off(stubbed, capsys, text):
    fewer = str(text.count("\n") * 3 // 4)
    stubbed.ready().sent("dev", "logs", Environment="dev", Lines="1000").is_now("Success", 0, text)
    stubbed.sent("dev", "logs", Environment="dev", Lines=fewer).is_now("Success", 0, "the last lines\n")
    assert stubbed.host.ask("logs", "dev", "1000") == "the last lines\n"
    assert f"the last {fewer} lines" in capsys.readouterr().err


def test_fails_when_one_line_or_a_status_is_cut_off(stubbed):
    stubbed.ready().sent("dev", "logs", Environment="dev", Lines="2").is_now("Success", 0, "x" * 24000)
    stubbed.sent("dev", "logs", Environment="dev", Lines="1").is_now("Success", 0, "x" * 24000)
    with pytest.raises(CommandError, match="the host's answer to logs is cut off"):
        stubbed.host.ask("logs", "dev", "2")
    stubbed.sent("dev", "status").is_now("Success", 0, "x" * 24000)
    with pytest.raises(CommandError, match="the host's answer to status is cut off"):
        stubbed.host.ask("status")


def test_run_keeps_the_exit_status_when_output_is_cut_off(stubbed, capsys):
    stubbed.deploying().is_now("Failed", 1, errors="x" * 8000)
    with pytest.raises(AlreadyReported):
        stubbed.host.run(*DEPLOY)
    assert "left out the rest" in capsys.readouterr().err


# What the documents let in

HEX = "a" * 64
SHOP = "localhost:5000/book-shop"
REPOSITORIES = [  # before @sha256:…
    "$(touch /tmp/x)", "`id`", "a`id`", "a$(id)", "a${IFS}b", "$HOME", "a;id", "a&&id", "a|id", "a>b", "a<b", "a'b",
    'a"b', "a\\b", "a b", "a\tb", "a\nb", "a*b", "a?b", "a#b", "a%20b", "a!b", "a~b", "a(b)", "a[b]", "{{ssm:secret}}",
    "a{{global:DATE}}", "--privileged", "-v/:/x", "/etc/passwd", "../x", "", "UPPER/x", "bücher/x", "\uff41", "a" * 256,
    f" {SHOP}", f"\n{SHOP}",
]  # fmt: skip
DIGESTS = [  # after a repository
    "", ":1.0.0", ":latest", *[f"@sha256:{HEX}{more}" for more in ("; reboot", "\n", "\nreboot", " ", "\0", "\r", "a")],
    f"@sha256:{HEX}@sha256:{HEX}", f"@sha256:{HEX}$(id)", f"@sha256:{HEX[1:]}", f"@sha256:{HEX.upper()}",
    f"@sha256:{'g' * 64}", f"@sha256:{chr(0x661) * 64}", f"@SHA256:{HEX}", f"@sha512:{HEX}{HEX}", f"@md5:{'a' * 32}",
    f"@{HEX}",
]  # fmt: skip
IMAGES = [f"{name}@sha256:{HEX}" for name in REPOSITORIES] + [SHOP + rest for rest in DIGESTS]


@pytest.mark.parametrize("value", [*IMAGES, f"https://evil.example/x@sha256:{HEX}?", "latest", ";", " ", "\n"])
def test_the_documents_and_the_verbs_refuse_a_hostile_image(value):
    assert not lets_in("Image", value)
    with pytest.raises(references.BadReference):
        references.image(value)


@pytest.mark.parametrize("value", ["", "-x", "a b", "$(id)", "a\n", "é", "a;b", "'", "a" * 65, "DOMAIN\\user"])
def test_the_documents_refuse_a_hostile_actor_and_unknown_is_sent(monkeypatch, value):
    assert not lets_in("Actor", value)
    monkeypatch.setenv("GITHUB_ACTOR", value)
    monkeypatch.setenv("LOGNAME", value or "-")
    assert actor.name() == "unknown"


@pytest.mark.parametrize("value", ["", "0", "01", "-1", "1;id", "1\n", "100000", "all", "+5", "٣"])
def test_the_documents_refuse_hostile_lines(value):
    assert not lets_in("Lines", value)


@pytest.mark.parametrize(
    "value", ["x", "../x", f"{DUMP}.dump", f"{DUMP}\n", f"{DUMP};id", DUMP.lower(), f"{DUMP}-x", "-h", "latest "]
)
def test_the_documents_and_the_verbs_refuse_a_hostile_dump(value):
    assert not lets_in("Dump", value)
    with pytest.raises(UsageError):
        backups.check_name(value)


LONG_LIST = '["' + "a" * 8000 + '"]'


@pytest.mark.parametrize(
    "value", ["[", "]", "x", '"x"', '["a\nb"]', '["\0"]', '["{"]', '["{{ssm:x}}"]', '["a"]\n', ' ["a"]', '["a"]; id']
)
def test_the_documents_refuse_a_command_that_is_no_list_of_one_line_or_has_a_brace(value):
    assert not lets_in("Command", value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("Setting", value) for value in ("a", "A-B", "A B", "1A", "A" * 65, "A\n", "../A", "A/B")],
        *[("Since", value) for value in ("1", "-1h", "1d", "h", "1h ", "1h\n", "yesterday", "2026-11-25", "$(id)")],
        *[("Transfer", value) for value in ("x", "../x", "a" * 31, "A" * 32, "a" * 32 + "\n", "a" * 32 + "/x")],
    ],
)
def test_the_documents_refuse_other_hostile_values(name, value):
    assert not lets_in(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("Command", value) for value in ("", "[]", '["a"]', COMMAND_LINE, LONG_LIST)],
        *[("Setting", value) for value in ("", "A", "ALLOWED_HOSTS", "A" * 64)],
        *[
            ("Since", value)
            for value in ("", "90s", "30m", "2h30m", "2026-11-25T03:15:00Z", "2026-11-25T03:15:00.5+01:00")
        ],
        *[("Transfer", value) for value in ("", "0123456789abcdef" * 2)],
        *[("Image", value) for value in (IMAGE, f"localhost:5000/book-shop@{DIGEST}", "")],
        *[("Dump", value) for value in ("latest", DUMP, f"{DUMP}-replaced", "")],
        *[("Actor", value) for value in ("me", "dependabot[bot]", "a" * 64)],
        *[("Lines", value) for value in ("1", "99999")],
    ],
)
def test_the_documents_let_a_good_value_in(name, value):
    assert lets_in(name, value)


HOSTS = ["localhost", "registry", "a.b", "A1.b-c.d", "1.2.3.4", "a-", "a-.b", "-a.b", "a.", "a.-", ".a", "a_b.c", ""]
PORTS = ["", ":1", ":65535", ":123456", ":", ":x"]
NAMES = ["a", "a/b", "a.b", "a_b", "a__b", "a___b", "a--b", "a..b", "a._b", "-a", "a-", "A", "a//b", "/a", "a/"]
AFTER = ["none", "unordered", DIGEST, "", "None", "none ", "none\n", DIGEST[1:], f"{DIGEST}a", DIGEST.upper()]


def accepts(check, value):
    """Whether a verb accepts the value."""
    try:
        check(value)
    except UsageError:
        return False
    return True


@pytest.mark.parametrize("host", HOSTS)
def test_the_documents_let_in_the_images_that_the_verbs_accept(host):
    images = [f"{host}{port}/{name}@{DIGEST}" for port in PORTS for name in NAMES]
    assert [lets_in("Image", image) for image in images] == [accepts(references.image, image) for image in images]


@pytest.mark.parametrize("value", AFTER)
def test_the_documents_let_in_the_comparisons_that_a_deploy_accepts(value):
    assert lets_in("After", value) == (value == "" or accepts(order.check_after, value))  # "" is none given


@pytest.mark.parametrize("length", [1, order.LONGEST_REASON, order.LONGEST_REASON + 1])
def test_the_documents_let_in_reasons_as_long_as_a_deploy_accepts(length):
    assert lets_in("Reason", "a" * length) == accepts(order.check_reason, "a" * length)


# Credentials, and boto3 itself

NO_KEYS = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}


@pytest.mark.parametrize(
    ("changes", "error", "message", "remedy"),
    [
        (NO_KEYS, aws.NoCredentials, "there are no AWS credentials", aws.LOGIN),
        ({"AWS_PROFILE": "nobody"}, aws.NoCredentials, "AWS_PROFILE names an unknown profile(?s:.*)nobody", aws.LOGIN),
        ({"AWS_REGION": "no region!"}, UsageError, "invalid AWS_REGION 'no region!'", "set AWS_REGION"),
    ],
)
def test_fails_when_a_setting_of_aws_is_missing_or_wrong(monkeypatch, changes, error, message, remedy):
    for name, value in changes.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    with pytest.raises(error, match=message) as raised:
        targets.for_environment("dev")
    assert raised.value.remedy == remedy


def test_fails_without_a_network_after_a_few_tries(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    pauses = []
    with pytest.raises(aws.NoAnswer, match="AWS doesn't answer in eu-central-1") as raised:
        target.AwsHost(pauses.append).check()
    assert raised.value.remedy == "check AWS_REGION and the network"
    assert pauses == list(aws.PAUSES)


def test_fails_without_boto3(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(CommandError, match="boto3 is not installed") as raised:
        targets.for_environment("dev")
    assert raised.value.remedy == "make setup-deploy"


@pytest.fixture
def client(scripted, monkeypatch):
    """A client whose first request breaks off, whose second is answered 503, and whose third succeeds."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{scripted.address}")
    handler = scripted.server.RequestHandlerClass
    monkeypatch.setattr(handler, "do_POST", handler.do_GET, raising=False)
    scripted.answers = [(0, {}, scripted.RESET), (503, {}, b""), (200, {}, b'{"InstanceInformationList": []}')]
    return aws.Client("ssm", sleep=lambda _: None)


def test_repeats_a_request_that_broke_off(client, scripted):
    client.ask("describe_instance_information")
    assert len(scripted.requests) == 3


def test_does_not_repeat_a_request_that_must_be_made_only_once(client, scripted):
    with pytest.raises(aws.NoAnswer):
        client.ask("describe_instance_information", once=True)
    assert len(scripted.requests) == 1  # botocore has no tries of its own
