"""The host on AWS: the EC2 instance that terraform/ creates, reached through Systems Manager."""

import contextlib
import itertools
import re
import shlex
import shutil
import sys
import tempfile
import time

from delivery import actor, application, aws, paths
from delivery.cli import AlreadyReported, CommandError, UsageError, log, number_variable, required_variable
from delivery.grammar import GRAMMAR
from delivery.references import ENVIRONMENTS
from delivery.targets.base import report_continues, verbs
from delivery.transfer import TRIES, Missing, Transfer, bucket_name, new_id

DELIVERY = 60  # seconds until a command that no agent accepts is dropped: it must not deploy later, unattended
REGISTERED = 30  # seconds in which Systems Manager may not yet know a command that it has accepted
POLLS = (0.5, 0.5, 1, 1, 2, 3)  # seconds before each poll; the last one repeats
REPORT = 30  # seconds between progress messages
UNDER_WAY = {"Pending", "InProgress", "Delayed", "Cancelling"}
LIMITS = {"StandardOutputContent": 24000, "StandardErrorContent": 8000}  # in characters; the rest is left out
CUT = "--output truncated--"  # replaces the rest


class AwsHost:
    """A Target whose verbs run as the Systems Manager documents of terraform/verbs.tf.

    Systems Manager returns at most LIMITS of a verb's output, some of it only after the verb has ended. stdin and
    stdout of an attached verb pass through a bucket instead.
    """

    def __init__(self, sleep=time.sleep, clock=time.monotonic):
        self.name = required_variable("DELIVERY_NAME")
        if not re.fullmatch(GRAMMAR["aws_name"], self.name):
            # EC2 filters interpret * and ? as wildcards.
            why = "expected 3 to 20 lower-case letters, digits, -"
            raise UsageError(f"invalid DELIVERY_NAME '{self.name}'", why, "unset DELIVERY_NAME")
        self._limit = number_variable("DELIVERY_TIME_LIMIT", 1200, least=1)  # seconds that a verb may take
        self._sleep, self._clock = sleep, clock
        self.ec2, self.ssm = aws.Client("ec2", sleep=sleep), aws.Client("ssm", sleep=sleep)

    def check(self):
        """Raises CommandError unless exactly one instance of that name is running and its agent is online."""
        instance = self._instance()
        self.id, self.address = instance["InstanceId"], instance.get("PublicIpAddress", "")
        expected = [{"Key": "InstanceIds", "Values": [self.id]}]
        known = self.ssm.pages("describe_instance_information", "InstanceInformationList", Filters=expected)
        if not known:
            why = f"the agent on {self.id} has not registered: a new instance takes some minutes"
            raise CommandError("the host can't be reached yet", why, "make status, in a few minutes")
        if known[0]["PingStatus"] != "Online":
            why = f"the agent on {self.id} is {known[0]['PingStatus']}, last heard {known[0].get('LastPingDateTime')}"
            remedy = f"aws ec2 reboot-instances --instance-ids {self.id} --region {self.ssm.region}"
            raise CommandError("the host can't be reached", why, remedy)

    def run(self, verb, *arguments):
        """As Target.run. An interrupt does not reach the verb, which continues on the host."""
        invocation = self._complete(verb, arguments, pass_output=True)
        if cut(invocation, "StandardOutputContent") or cut(invocation, "StandardErrorContent"):
            log("Systems Manager left out the rest of the host's output")
        check_success(verb, invocation)

    def ask(self, verb, *arguments):
        """As Target.ask. If the answer is cut off, requests fewer lines until they fit."""
        invocation = self._complete(verb, arguments)
        while cut(invocation, "StandardOutputContent"):
            most = LIMITS["StandardOutputContent"]
            if verbs()[verb]["arguments"] != ["lines"] or arguments[1] == "1":
                why = f"Systems Manager returns at most {most} characters"
                raise CommandError(f"the host's answer to {verb} is cut off", why, "make status")
            fitting = invocation["StandardOutputContent"].count("\n") * 3 // 4
            fewer = str(max(1, min(fitting, int(arguments[1]) - 1)))
            arguments = (arguments[0], fewer, *arguments[2:])
            log(f"more than the {most} characters that Systems Manager passes on: the last {arguments[1]} lines")
            invocation = self._complete(verb, arguments)
        check_success(verb, invocation)
        return invocation["StandardOutputContent"]

    def attach(self, verb, *arguments, terminal=False):
        """As Target.attach. stdin is read to its end first, and stdout is written at the end.

        Run Command has no terminal: if stdin is one, the verb has an empty stdin. After an interrupt the verb
        continues on the host, without its output.
        """
        request(verb, arguments)  # raises UsageError for what cannot be sent, before stdin is read
        if terminal:
            log(f"Run Command has no terminal, so {verb} reads nothing. With one: {self._shell(verb, *arguments)}")
        with tempfile.TemporaryFile() as content:
            copy_stdin(content)
            with self._transfer(content) as (id, transfer):
                invocation = self._complete(verb, arguments, pass_output=True, Transfer=id)
                if cut(invocation, "StandardOutputContent"):
                    log("Systems Manager left out the rest of the host's messages")
                if invocation["Status"] == "Success" or invocation["ResponseCode"] > 0:
                    self._write_stdout(transfer, invocation)
        check_success(verb, invocation)

    def follow(self, verb, *arguments):
        """As Target.follow: raises UsageError, because Run Command passes output on at the end of a command."""
        why = "Systems Manager returns the output of a command after it has ended"
        remedy = f"make {verb}-{arguments[0]} SINCE=1m; or in a shell on the host: {self._shell(verb, *arguments)}"
        raise UsageError(f"{verb} cannot be followed on AWS", why, remedy)

    @contextlib.contextmanager
    def _transfer(self, content):
        """The (id, Transfer) of a verb whose stdin has this content. Both objects are deleted at the end."""
        account = aws.Client("sts", sleep=self._sleep).ask("get_caller_identity")["Account"]
        s3, id = aws.Client("s3", sleep=self._sleep, tries=TRIES), new_id()
        transfer = Transfer(s3, bucket_name(self.name, account), id)
        try:
            transfer.put("stdin", content)
            yield id, transfer
        finally:
            try:
                transfer.delete()
            except CommandError as error:
                log(f"stdin and stdout of the verb stay in the bucket for a day: {error.why}")

    def _write_stdout(self, transfer, invocation):
        """Prints the verb's stdout. A verb that failed may have none."""
        try:
            transfer.get("stdout", sys.stdout.buffer)
        except Missing:
            if invocation["Status"] == "Success":
                raise
        sys.stdout.buffer.flush()

    def _shell(self, verb, *arguments):
        """The commands that run a verb in a shell on the host."""
        session = f"aws ssm start-session --region {self.ssm.region} --target {self.id}"
        return f"{session}, then {in_shell(verb, *arguments)}"

    def url(self, environment):
        """The address of the environment; empty if the instance has no public address."""
        port = f":{application.PORTS['dev']}" if environment == "dev" else ""
        return f"http://{self.address}{port}" if self.address else ""

    def _instance(self):
        """The running instance of that name, as EC2 describes it. Raises CommandError unless there is exactly one."""
        states = ("pending", "running", "stopping", "stopped")
        expected = {"tag:Name": [self.name], "tag:Project": [application.NAME], "instance-state-name": states}
        filters = [{"Name": name, "Values": list(values)} for name, values in expected.items()]
        reservations = self.ec2.pages("describe_instances", "Reservations", Filters=filters)
        instances = [instance for reservation in reservations for instance in reservation["Instances"]]
        running = [instance for instance in instances if instance["State"]["Name"] == "running"]
        if len(running) == 1:
            return running[0]
        names = ", ".join(f"{instance['InstanceId']} is {instance['State']['Name']}" for instance in instances)
        if running:
            ids = " ".join(instance["InstanceId"] for instance in running)
            look = f"aws ec2 describe-instances --region {self.ec2.region} --instance-ids {ids}"
            remedy = f"stop all of them except the host; to see which one that is: {look}"
            raise CommandError(f"several hosts are called {self.name} in {self.ec2.region}", names, remedy)
        why = names or f"no instance has the tags Name={self.name} and Project={application.NAME}"
        remedy = "make infra"
        if instances:
            remedy = f"aws ec2 start-instances --region {self.ec2.region} --instance-ids {instances[0]['InstanceId']}"
        raise CommandError(f"no host called {self.name} runs in {self.ec2.region}", why, remedy)

    def _complete(self, verb, arguments, pass_output=False, **parameters):
        """Runs a verb and returns its last invocation, as Systems Manager describes it.

        `parameters` are more parameters of the document. Raises CommandError if the verb exceeds the time limit.
        """
        command = self._send(verb, arguments, parameters)
        look = f"aws ssm get-command-invocation --command-id {command} --instance-id {self.id}"
        look += f" --region {self.ssm.region}"
        try:
            last = self._wait(verb, command, pass_output)
        except KeyboardInterrupt:
            report_continues(verb, *arguments, more=f"; {look}")
            if "Transfer" in parameters:
                log(f"{verb} continues on the host, and its output is lost; {look}")
            raise
        except CommandError:
            log(f"{verb} may still be running on {self.id}, as command {command}")
            raise
        if last["Status"] in UNDER_WAY:
            what = f"{verb} has not ended after {self._limit} s and may still be running on the host"
            why = f"command {command} on {self.id} is {last['Status']}; TIME_LIMIT is {self._limit} s"
            raise CommandError(what, why, f"make status logs-dev logs-prod; {look}")
        return last

    def _send(self, verb, arguments, more):
        """Sends the command and returns its id.

        A GitHub role may send only one document, so all documents that run the verb are tried in turn.
        """
        documents, parameters = request(verb, arguments)
        parameters |= more
        for number, document in enumerate(documents, 1):
            try:
                answer = self.ssm.ask(
                    "send_command",
                    once=True,  # a rollback that is sent twice would be refused the second time
                    InstanceIds=[self.id],
                    DocumentName=f"{self.name}-{document}",
                    Parameters={name: [value] for name, value in parameters.items()},
                    TimeoutSeconds=DELIVERY,
                )
                return answer["Command"]["CommandId"]
            except aws.Refused as refused:
                if refused.code not in aws.DENIED or number == len(documents):
                    raise
            except aws.NoAnswer as error:
                what = f"whether {verb} reached the host is not known"
                raise CommandError(what, error.why, "make status") from None

    def _wait(self, verb, command, pass_output):
        """Polls until the command has ended or the limit is reached; returns the last invocation."""
        started, reports = self._clock(), 0
        streams = [Increments(sys.stderr, "StandardErrorContent")]
        if pass_output:
            streams.insert(0, Increments(sys.stderr, "StandardOutputContent"))
        for pause in itertools.chain(POLLS, itertools.repeat(POLLS[-1])):
            self._sleep(pause)
            passed = int(self._clock() - started)
            now = self._invocation(command, passed)
            for stream in streams:
                stream.show(now)
            if now["Status"] not in UNDER_WAY or passed >= self._limit:
                return now
            if passed // REPORT > reports:
                reports = passed // REPORT
                log(f"{verb}: {now['Status']} for {passed} s")

    def _invocation(self, command, passed):
        """The current invocation. Systems Manager may not know one yet that was just sent."""
        try:
            return self.ssm.ask("get_command_invocation", CommandId=command, InstanceId=self.id)
        except aws.Refused as refused:
            if refused.code != "InvocationDoesNotExist" or passed > REGISTERED:
                raise
            return {"Status": "Pending", "StandardOutputContent": "", "StandardErrorContent": ""}


class Increments:
    """Writes the output under a key of the invocation to a stream, as it grows."""

    def __init__(self, stream, key):
        self.stream, self.key, self.shown = stream, key, 0

    def show(self, invocation):
        """Writes the part of the output that was not written yet."""
        text = invocation[self.key]
        self.stream.write(text[self.shown :])
        self.stream.flush()
        self.shown = max(self.shown, len(text))


def request(verb, arguments):
    """(documents, parameters) for a verb, from verbs.json: the documents that run it, and their parameters."""
    form = verbs()[verb]
    if not form["document"]:
        remedy = f"aws ssm start-session opens a shell on the host; there: {in_shell(verb, *arguments)}"
        raise UsageError(f"{verb} is not available on AWS", "Systems Manager's Run Command has no terminal", remedy)
    names = [name.rstrip("?").capitalize() for name in form["arguments"]]
    if form["takes_environment"]:
        names.insert(0, "Environment")
    options, words = parted(form.get("options", ()), arguments)
    parameters = {"Verb": verb, "Actor": actor.name()} | dict(zip(names, words, strict=False)) | options
    for name, value in parameters.items():
        if "{{" in value:
            why = "Systems Manager takes {{ for a reference to a parameter"
            raise UsageError(f"invalid {name} '{value[:200]}'", why, "leave {{ out")
    if form["document"] != "environment":
        return [form["document"]], parameters
    return [parameters["Environment"]] if form["takes_environment"] else ENVIRONMENTS, parameters


def in_shell(verb, *arguments):
    """The command that runs a verb in a shell on the host."""
    return f"sudo {paths.BIN}/{shlex.join((verb, *arguments))}"


def copy_stdin(file):
    """Copies this process's stdin into a file, and rewinds that. A terminal is not read."""
    if not sys.stdin.isatty():
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.seek(0)


def parted(options, arguments):
    """({parameter: value} of the options, the other arguments). --name alone has the value "yes"."""
    given, words = {}, []
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name.startswith("--") and name[2:] in options:
            given[name[2:].capitalize()] = value or "yes"
        else:
            words.append(argument)
    return given, words


def cut(invocation, key):
    """Whether Systems Manager left out the end of the output under this key."""
    return len(invocation[key]) >= LIMITS[key] or invocation[key].rstrip().endswith(CUT)


def check_success(verb, invocation):
    """Raises AlreadyReported if the verb failed, CommandError if Systems Manager ended or never started it."""
    status, code = invocation["Status"], invocation["ResponseCode"]
    details = invocation.get("StatusDetails", status).replace(" ", "")
    if status == "Success":
        return
    if (status, details) == ("Failed", "Failed") and code > 0:
        raise AlreadyReported(code, invocation["StandardOutputContent"])
    ends = {
        "DeliveryTimedOut": (f"{verb} never reached the host", "its agent did not accept the command"),
        "Undeliverable": (f"{verb} never reached the host", "its agent can't be reached"),
        "ExecutionTimedOut": (f"{verb} was ended on the host", "it took longer than its document allows"),
        "TimedOut": (f"{verb} was ended on the host", "it took longer than its document allows"),
        "Cancelled": (f"{verb} was ended on the host", "the command was cancelled"),
        "Terminated": (f"{verb} was ended", "Systems Manager abandoned the command"),
        "Failed": (f"{verb} did not run on the host", "its agent could not start it"),
    }
    what, why = ends.get(details, (f"{verb} ended unexpectedly", "see above"))
    raise CommandError(what, f"{why} (command {invocation['CommandId']}: {details}, {code})", "make status")
