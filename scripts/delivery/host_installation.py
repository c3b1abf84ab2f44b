"""Waits until the host on AWS has installed its files, which Systems Manager does (terraform/deploy.tf).

Terraform's apply ends when the association exists. Its Overview is not enough: it is Success while no instance
has run it, and it may be that of an earlier version. So the status is read where it is that of one instance and one
version of the association: DescribeInstanceAssociationsStatus.
"""

import contextlib
import itertools
import json
import sys
import time

from delivery import aws
from delivery.cli import CommandError, log
from delivery.targets.aws import CUT, POLLS, REPORT, Increments

REGISTRATION = 600  # seconds until the agent of a new instance must have registered
LIMIT = 2400  # seconds for an installation; its document ends it after 1800
START = 300  # seconds after which an installation that Systems Manager has not started is started from here
FAILED = {"Failed", "TimedOut", "Cancelled", "Terminated", "Skipped"}
UNKNOWN = {  # at first, as reads are delayed
    "AssociationDoesNotExist",
    "AssociationExecutionDoesNotExist",
    "InvalidCommandId",
    "InvalidInstanceId",
    "InvocationDoesNotExist",
}
STREAMS = ("StandardOutputContent", "StandardErrorContent")
LAST = 5  # lines of the output that an error repeats


def wait(outputs):
    """Waits for the installation that the outputs of terraform/ name (`terraform output -json`, as text).

    Raises CommandError if it fails or does not end.
    """
    values = {name: output["value"] for name, output in json.loads(outputs).items()}
    Installation(values["instance_id"], **values["installation"]).wait()


@contextlib.contextmanager
def known_later():
    """Suppresses the refusal of a request about something that Systems Manager does not know yet."""
    try:
        yield
    except aws.Refused as refused:
        if refused.code not in UNKNOWN:
            raise


class Installation:
    """One version of the association's document, which one instance has to run."""

    def __init__(self, instance_id, association_id, document_version, sleep=time.sleep, clock=time.monotonic):
        self.instance, self.association, self.version = instance_id, association_id, document_version
        self.ssm = aws.Client("ssm", sleep=sleep)
        self.command = None  # the id of the Run Command command that installs
        self._sleep, self._clock = sleep, clock
        self._started, self._earlier, self._executions = False, None, set()  # from before a start by this program

    def wait(self):
        """Returns when the installation has succeeded; shows its output. An earlier failure is run again.

        Raises CommandError. After an interrupt the installation continues.
        """
        status = self.status()
        if status == "Success":
            log("the host has installed these files")
            return
        try:
            self._wait_for_agent()
            if status in FAILED:
                log(f"the last installation ended as {status}: start it again")
                self._start()
            self._wait_for_end()
        except KeyboardInterrupt:
            log("the installation continues on the host. To wait for its end: make infra")
            raise

    def status(self):
        """The status of this version on the instance: Pending until it has one."""
        return (self.entry() or {}).get("Status", "Pending")

    def entry(self):
        """The status that Systems Manager has for this version on the instance, None if there is none yet."""
        version = self.association_version()
        for entry in self._entries():
            its = (entry["AssociationId"], entry.get("AssociationVersion"))
            if its == (self.association, version) and not self._is_earlier(entry):
                return entry
        return None

    def association_version(self):
        """The version of the association that runs the document's expected version, None if it is not known yet."""
        known = self._ask("describe_association", AssociationId=self.association).get("AssociationDescription", {})
        return known["AssociationVersion"] if known.get("DocumentVersion") == self.version else None

    def output(self):
        """The invocation of the command that installs, as GetCommandInvocation describes it; {} if not known yet."""
        self.command = self.command or self._find_command()
        if not self.command:
            return {}
        return self._ask("get_command_invocation", CommandId=self.command, InstanceId=self.instance)

    def _is_earlier(self, entry):
        return self._started and entry.get("ExecutionDate") == self._earlier

    def _find_command(self):
        """The command of the newest execution of this version on the instance, None if there is none yet."""
        version = self.association_version()
        executions = self._executions_of(version) if version else []
        if not executions:
            return None
        newest = max(executions, key=lambda execution: execution["CreatedTime"])
        this = [{"Key": "ResourceId", "Value": self.instance}]
        names = {"AssociationId": self.association, "ExecutionId": newest["ExecutionId"]}
        targets = self._ask("describe_association_execution_targets", **names, Filters=this)
        for target in targets.get("AssociationExecutionTargets", []):
            source = target.get("OutputSource", {})
            if source.get("OutputSourceType") == "RunCommand":
                return source["OutputSourceId"]
        return None

    def _start(self):
        """Runs this version of the association now. What it has run before does not count any more."""
        self._earlier = (self.entry() or {}).get("ExecutionDate")
        self._executions = {execution["ExecutionId"] for execution in self._executions_of()}
        self._started = True
        self.ssm.ask("start_associations_once", AssociationIds=[self.association])

    def _ask(self, operation, **parameters):
        """The answer to a request; {} while Systems Manager does not know what was just created."""
        with known_later():
            return self.ssm.ask(operation, **parameters)
        return {}

    def _entries(self):
        """What Systems Manager knows of every association of the instance."""
        with known_later():
            operation, key = "describe_instance_associations_status", "InstanceAssociationStatusInfos"
            return self.ssm.pages(operation, key, InstanceId=self.instance)
        return []

    def _executions_of(self, version=None):
        """The executions of the association that count, or of one version of it."""
        names = {"AssociationId": self.association}
        with known_later():
            every = self.ssm.pages("describe_association_executions", "AssociationExecutions", **names)
            every = [execution for execution in every if execution["ExecutionId"] not in self._executions]
            return [execution for execution in every if version in (None, execution.get("AssociationVersion"))]
        return []

    def _agent(self):
        """The state of the instance's agent, as Systems Manager calls it, or "not registered"."""
        this = [{"Key": "InstanceIds", "Values": [self.instance]}]
        known = self.ssm.pages("describe_instance_information", "InstanceInformationList", Filters=this)
        return known[0]["PingStatus"] if known else "not registered"

    def _wait_for_agent(self):
        if self._agent() == "Online":
            return
        log(f"wait until the agent on {self.instance} has registered with Systems Manager")
        for passed in self._polls():
            agent = self._agent()
            if agent == "Online":
                return
            self._report(passed, f"the agent is {agent}")
            if passed >= REGISTRATION:
                what = "the host cannot be installed: Systems Manager does not reach its agent"
                why = f"the agent on {self.instance} is {agent} after {REGISTRATION} s"
                look = f"aws ec2 get-console-output --latest --output text --instance-id {self.instance}"
                remedy = f"make infra waits again; the host's console: {look} --region {self.ssm.region}"
                raise CommandError(what, why, remedy)

    def _wait_for_end(self):
        log(f"wait until the host has installed its files (document version {self.version})")
        streams, seen = [Increments(sys.stderr, key) for key in STREAMS], {}
        for passed in self._polls():
            entry = self.entry() or {}
            status = entry.get("Status", "Pending")
            seen = self.output() or seen
            if seen:
                for stream in streams:
                    stream.show(seen)
            if status == "Success":
                log("the host is installed")
                return
            if status in FAILED:
                raise self._failure(entry, seen)
            self._report(passed, f"the installation is {status}")
            if passed >= LIMIT:
                why = f"the association {self.association} is {status} on {self.instance}"
                raise CommandError(f"the host is not installed after {LIMIT} s", why, self._remedy())
            if passed >= START and not entry and not self._started:
                log("Systems Manager has not started the installation: start it")
                self._start()

    def _failure(self, entry, invocation):
        """The CommandError for an installation that failed, with the last lines of its output."""
        lines = [line for key in STREAMS for line in invocation.get(key, "").splitlines() if line.strip()]
        ends = [entry.get("DetailedStatus", entry["Status"]), *(line for line in lines[-LAST:] if line != CUT)]
        return CommandError("the installation of the host failed", "\n    ".join(ends), self._remedy())

    def _remedy(self):
        at = f"--region {self.ssm.region}"
        look = f"aws ssm describe-association-executions --association-id {self.association} {at}"
        if self.command:
            look = f"aws ssm get-command-invocation --command-id {self.command} --instance-id {self.instance} {at}"
        return f"make infra continues; to see the output: {look}"

    def _polls(self):
        """Yields the seconds since the first poll, and pauses between the polls."""
        started = self._clock()
        self._reported = 0
        for pause in itertools.chain(POLLS, itertools.repeat(POLLS[-1])):
            yield int(self._clock() - started)
            self._sleep(pause)

    def _report(self, passed, state):
        """Prints the state every REPORT seconds."""
        if passed // REPORT > self._reported:
            self._reported = passed // REPORT
            log(f"{state} for {passed} s")
