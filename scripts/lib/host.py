"""The host, and how its verbs are run there: one class per kind of place, chosen by HOST; PROD=cluster puts prod on
a Kubernetes cluster.

A verb is a script under /opt/book-shop/bin on the host, for a cluster one of scripts/cluster/bin here; its output and
its exit status become the caller's.
"""

import getpass
import itertools
import os
import re
import subprocess
import sys
import tempfile
import time

import aws
import registry
import say

BIN = "/opt/book-shop/bin"
CLUSTER_BIN = "scripts/cluster/bin"  # below the project's root, where say.run runs all verbs
ACTOR = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@\[\]-]{0,63}")

# Of Systems Manager.
NAME = re.compile("[a-z][a-z0-9-]{1,18}[a-z0-9]")  # as terraform/variables.tf has it
DELIVERY = 60  # seconds until a command that no agent took is dropped: it must not deploy when nobody waits any more
REGISTERED = 30  # seconds in which Systems Manager may not know a command that it has just accepted
POLLS = (0.5, 0.5, 1, 1, 2, 3)  # seconds before each look, the last for good
TELL = 30  # seconds between words of life
UNDER_WAY = {"Pending", "InProgress", "Delayed", "Cancelling"}
TAKEN = {"StandardOutputContent": 24000, "StandardErrorContent": 8000}  # characters that it passes on, the first ones
CUT = "--output truncated--"  # what it puts in the place of the rest


class LocalHost:
    """The machine in a container that scripts/demo/up makes."""

    def __init__(self):
        self.container = f"{say.demand('DEMO')}-host"

    def check(self):
        """Raises Problem unless the host runs. Changes nothing."""
        try:
            done = subprocess.run(
                ["docker", "container", "inspect", "--format", "{{.State.Running}}", self.container],
                capture_output=True,
                text=True,
            )
        except FileNotFoundError:
            raise say.Problem("there is no Docker engine here", "docker is not on the PATH", "make setup") from None
        if done.stdout.strip() != "true":
            why = done.stderr.strip() or f"container {self.container} is stopped"
            raise say.Problem("there is no local host to reach", why, "make demo")

    def run(self, verb, *arguments):
        """Runs a verb, its output passed through to stderr as it comes, and returns its exit status."""
        return subprocess.run(self._command(verb, *arguments), stdout=sys.stderr).returncode

    def ask(self, verb, *arguments):
        """Runs a verb and returns its exit status and its answer (stdout) as text."""
        command = self._command(verb, *arguments)
        # What an application logs need not be text.
        done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", errors="replace")
        return done.returncode, done.stdout

    def url(self, environment):
        """Where the environment is served, as seen from this machine."""
        return "http://localhost:" + say.demand("DEV_PORT" if environment == "dev" else "HTTP_PORT")

    def _command(self, verb, *arguments):
        return ["docker", "exec", "--env", f"ACTOR={actor()}", self.container, f"{BIN}/{verb}", *arguments]


class AwsHost:
    """The EC2 instance that terraform/ makes, reached by its three Systems Manager documents, NAME-dev, NAME-prod and
    NAME-data.

    Systems Manager passes on what a verb said, but perhaps not before its end, and no more than TAKEN.
    """

    def __init__(self, sleep=time.sleep, clock=time.monotonic):
        self.name = say.demand("NAME")
        if not NAME.fullmatch(self.name):
            # Filters of EC2 take * and ? as wildcards.
            raise say.WrongCall(f"NAME={self.name} is no name", "3 to 20 lower-case letters, digits, -", "make help")
        self._limit = limit()
        self._sleep, self._clock = sleep, clock
        self.ec2, self.ssm = aws.Client("ec2", sleep=sleep), aws.Client("ssm", sleep=sleep)

    def check(self):
        """Raises Problem unless exactly one instance of that name runs and its agent is in touch. Changes nothing."""
        instance = self._instance()
        self.id, self.address = instance["InstanceId"], instance.get("PublicIpAddress", "")
        wanted = [{"Key": "InstanceIds", "Values": [self.id]}]
        known = self.ssm.pages("describe_instance_information", "InstanceInformationList", Filters=wanted)
        if not known:
            why = f"the agent on {self.id} has not registered: a new instance takes some minutes"
            raise say.Problem("the host can't be reached yet", why, "make status, in a few minutes")
        if known[0]["PingStatus"] != "Online":
            why = f"the agent on {self.id} is {known[0]['PingStatus']}, last heard {known[0].get('LastPingDateTime')}"
            remedy = f"aws ec2 reboot-instances --instance-ids {self.id} --region {self.ssm.region}"
            raise say.Problem("the host can't be reached", why, remedy)

    def run(self, verb, *arguments):
        """Runs a verb, its output passed through to stderr, and returns its exit status."""
        ended = self._ended(verb, arguments, pass_output=True)
        if cut(ended, "StandardOutputContent") or cut(ended, "StandardErrorContent"):
            say.say("Systems Manager left out the rest of what the host said")
        return exit_status(verb, ended)

    def ask(self, verb, *arguments):
        """Runs a verb and returns its exit status and its answer (stdout) as text.

        Of lines that are more than Systems Manager passes on, the last that fit are asked for.
        """
        ended = self._ended(verb, arguments)
        while cut(ended, "StandardOutputContent"):
            most = TAKEN["StandardOutputContent"]
            if verb not in ("history", "logs") or arguments[1] == "1":
                why = f"Systems Manager passes on {most} characters"
                raise say.Problem(f"the host's answer to {verb} is cut off", why, "make status")
            fitting = ended["StandardOutputContent"].count("\n") * 3 // 4
            arguments = (arguments[0], str(max(1, min(fitting, int(arguments[1]) - 1))))
            say.say(f"more than the {most} characters that Systems Manager passes on: the last {arguments[1]} lines")
            ended = self._ended(verb, arguments)
        return exit_status(verb, ended), ended["StandardOutputContent"]

    def url(self, environment):
        """Where the environment is served; empty for an instance without a public address."""
        port = ":8080" if environment == "dev" else ""
        return f"http://{self.address}{port}" if self.address else ""

    def _instance(self):
        """The one instance that runs under that name, as EC2 describes it. Raises Problem for none and for several."""
        states = ("pending", "running", "stopping", "stopped")
        wanted = {"tag:Name": [self.name], "tag:Project": ["book-shop"], "instance-state-name": states}
        filters = [{"Name": name, "Values": list(values)} for name, values in wanted.items()]
        reservations = self.ec2.pages("describe_instances", "Reservations", Filters=filters)
        found = [instance for reservation in reservations for instance in reservation["Instances"]]
        running = [instance for instance in found if instance["State"]["Name"] == "running"]
        if len(running) == 1:
            return running[0]
        names = ", ".join(f"{instance['InstanceId']} is {instance['State']['Name']}" for instance in found)
        if running:
            remedy = f"aws ec2 stop-instances --region {self.ec2.region} --instance-ids <all but the host>"
            raise say.Problem(f"several hosts are called {self.name} in {self.ec2.region}", names, remedy)
        why = names or f"no instance has the tags Name={self.name} and Project=book-shop"
        remedy = "make infra"
        if found:
            remedy = f"aws ec2 start-instances --region {self.ec2.region} --instance-ids {found[0]['InstanceId']}"
        raise say.Problem(f"no host called {self.name} runs in {self.ec2.region}", why, remedy)

    def _ended(self, verb, arguments, pass_output=False):
        """Has a verb run and waits for its end: the invocation as Systems Manager describes it then. Raises Problem
        when it takes longer than the limit."""
        command = self._send(verb, arguments)
        try:
            last = self._wait(verb, command, pass_output)
        except (KeyboardInterrupt, say.Problem):
            say.say(f"{verb} may still be running on {self.id}, as command {command}")
            raise
        if last["Status"] in UNDER_WAY:
            what = f"{verb} has not ended after {self._limit} s and may still be running on the host"
            why = f"command {command} on {self.id} is {last['Status']}; TIME_LIMIT is {self._limit} s"
            look = f"aws ssm get-command-invocation --command-id {command} --instance-id {self.id}"
            raise say.Problem(what, why, f"make status logs-dev logs-prod; {look} --region {self.ssm.region}")
        return last

    def _send(self, verb, arguments):
        """Sends the command and returns its id. Each GitHub role may use one document only: what both have is tried."""
        documents, parameters = document(verb, arguments)
        for number, environment in enumerate(documents, 1):
            try:
                answer = self.ssm.ask(
                    "send_command",
                    once=True,  # a rollback that is sent twice is none
                    InstanceIds=[self.id],
                    DocumentName=f"{self.name}-{environment}",
                    Parameters={name: [value] for name, value in parameters.items()},
                    TimeoutSeconds=DELIVERY,
                )
                return answer["Command"]["CommandId"]
            except aws.Refused as refused:
                if refused.code not in aws.DENIED or number == len(documents):
                    raise
            except aws.NoAnswer as problem:
                what = f"whether {verb} reached the host is not known"
                raise say.Problem(what, problem.why, "make status") from None

    def _wait(self, verb, command, pass_output):
        """Polls until the command has ended or the limit is reached: the invocation as it is then."""
        started, told = self._clock(), 0
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
            if passed // TELL > told:
                told = passed // TELL
                say.say(f"{verb}: {now['Status']} for {passed} s")

    def _invocation(self, command, passed):
        """The invocation as it is now; it takes Systems Manager a moment to know of one that was just sent."""
        try:
            return self.ssm.ask("get_command_invocation", CommandId=command, InstanceId=self.id)
        except aws.Refused as refused:
            if refused.code != "InvocationDoesNotExist" or passed > REGISTERED:
                raise
            return {"Status": "Pending", "StandardOutputContent": "", "StandardErrorContent": ""}


class Cluster:
    """The Kubernetes cluster of the current context of kubectl; CLUSTER, when it is set, is the only context allowed.

    The verbs are the host's, over scripts/cluster/lib. What they start from and what they remember lies in the cluster;
    here they have a directory for as long as they run.
    """

    def check(self):
        """Names the cluster and raises Problem unless it is the expected one. From here on its context is meant,
        whatever becomes the current one meanwhile. Changes nothing."""
        self.context = tool("config", "current-context")
        expected = os.environ.get("CLUSTER")
        if expected and self.context != expected:
            why = f"kubectl's current context is {self.context}, CLUSTER is {expected}"
            raise say.Problem("wrong cluster", why, f"kubectl config use-context {expected}")
        server = "jsonpath={.clusters[0].cluster.server}"
        say.say(f"cluster {self.context}, {tool('config', 'view', '--minify', '--output', server)}")
        self.kubectl("--request-timeout", "10s", "get", "--raw", "/readyz")

    def kubectl(self, *arguments, **more):
        """What kubectl answers of the shop's namespace there. Raises Problem with its own words when it fails."""
        return tool("--context", self.context, "--namespace", "book-shop", *arguments, **more)

    def run(self, verb, *arguments):
        """Runs a verb, its output passed through to stderr as it comes, and returns its exit status."""
        return self._done(verb, arguments, stdout=sys.stderr).returncode

    def ask(self, verb, *arguments):
        """Runs a verb and returns its exit status and its answer (stdout) as text."""
        done = self._done(verb, arguments, stdout=subprocess.PIPE, encoding="utf-8", errors="replace")
        return done.returncode, done.stdout

    def url(self, environment):
        """Where prod is served: CLUSTER_URL, or the address that its Ingress has; empty when it has none yet."""
        return self.ask("url")[1].strip()

    def _done(self, verb, arguments, **more):
        with tempfile.TemporaryDirectory() as state:
            own = {"CLUSTER_CONTEXT": self.context, "CLUSTER_STATE": state, "ACTOR": actor()}
            if verb.endswith("-prod"):
                own["REPOSITORY"] = str(registry.shop().repository)
            return subprocess.run([f"{CLUSTER_BIN}/{verb}", *arguments], env=os.environ | own, **more)


def tool(*arguments, **more):
    """What kubectl answers. Raises Problem with its own words when it fails."""
    try:
        done = subprocess.run(["kubectl", *arguments], capture_output=True, text=True, **more)
    except FileNotFoundError:
        raise say.Problem("there is no kubectl here", "a cluster is spoken to through it", "install kubectl") from None
    if done.returncode:
        remedy = "kubectl config get-contexts; kubectl config use-context <the cluster's>"
        raise say.Problem("the cluster does not do that", done.stderr.strip(), remedy)
    return done.stdout.strip()


class Increments:
    """Writes to a stream what has come since the last time under a key of the invocation."""

    def __init__(self, stream, key):
        self.stream, self.key, self.shown = stream, key, 0

    def show(self, invocation):
        text = invocation[self.key]
        self.stream.write(text[self.shown :])
        self.stream.flush()
        self.shown = max(self.shown, len(text))


def document(verb, arguments):
    """The documents that run a verb, and the parameters it takes, as terraform/deploy.tf has them."""
    parameters = {"Verb": verb, "Actor": actor()}
    if verb == "status":
        return ("dev", "prod"), parameters
    if verb in ("backup", "backups", "restore"):
        if verb == "restore":
            parameters["Dump"] = arguments[1]
        return ("data",), parameters | {"Verb": "-".join([verb, *arguments[:1]])}
    if verb in ("history", "logs"):
        environment, lines = arguments
        return (environment,), parameters | {"Verb": f"{verb}-{environment}", "Lines": lines}
    if verb == "plan":
        environment, image = arguments
        return (environment,), parameters | {"Verb": f"plan-{environment}", "Image": image}
    if arguments:
        parameters["Image"] = arguments[0]
    return (verb.rpartition("-")[2],), parameters


def cut(invocation, key):
    """Whether Systems Manager left out the end of what a verb said."""
    return len(invocation[key]) >= TAKEN[key] or invocation[key].rstrip().endswith(CUT)


def exit_status(verb, invocation):
    """The verb's own exit status. Raises Problem when Systems Manager ended the command, or never began it."""
    status, code = invocation["Status"], invocation["ResponseCode"]
    details = invocation.get("StatusDetails", status).replace(" ", "")
    if status == "Success":
        return 0
    if (status, details) == ("Failed", "Failed") and code > 0:
        return code
    ends = {
        "DeliveryTimedOut": (f"{verb} never reached the host", "its agent did not take the command"),
        "Undeliverable": (f"{verb} never reached the host", "its agent can't be reached"),
        "ExecutionTimedOut": (f"{verb} was ended on the host", "it took longer than its document allows"),
        "TimedOut": (f"{verb} was ended on the host", "it took longer than its document allows"),
        "Cancelled": (f"{verb} was ended on the host", "somebody cancelled the command"),
        "Terminated": (f"{verb} was ended", "Systems Manager gave the command up"),
        "Failed": (f"{verb} did not run on the host", "its agent could not start it"),
    }
    what, why = ends.get(details, (f"{verb} did not end as it should", "see above"))
    raise say.Problem(what, f"{why} (command {invocation['CommandId']}: {details}, {code})", "make status")


def limit():
    """How long a verb may take on a host of AWS, in seconds: TIME_LIMIT, or 20 minutes. Raises WrongCall."""
    text = os.environ.get("TIME_LIMIT") or "1200"
    if re.fullmatch("[1-9][0-9]{0,4}", text):
        return int(text)
    raise say.WrongCall(f"TIME_LIMIT={text} is no number of seconds", "wanted: 1 to 99999", "unset TIME_LIMIT")


PLACES = {"local": LocalHost, "aws": AwsHost}


def actor():
    """Who deploys, for the deploy log: GitHub's actor in CI, else the user; "unknown" if that is no plain name."""
    try:
        name = os.environ.get("GITHUB_ACTOR") or getpass.getuser()
    except (KeyError, OSError):  # a user id without a name: KeyError up to Python 3.12
        return "unknown"
    return name if ACTOR.fullmatch(name) else "unknown"


def host(environment="dev"):
    """The place of an environment, checked to be there: the host that HOST names, for prod the cluster if PROD says so.
    Raises Problem if it is not, WrongCall for an unknown HOST or PROD."""
    if environment == "prod" and on_cluster():
        place = Cluster()
    else:
        name = say.demand("HOST")
        if name not in PLACES:
            raise say.WrongCall(f"HOST={name} is no place for a host", f"there is: {', '.join(PLACES)}", "make help")
        place = PLACES[name]()
    place.check()
    return place


def on_cluster():
    """Whether prod runs on a cluster: PROD=cluster before a verb. Raises WrongCall unless it says so or nothing."""
    if (prod := os.environ.get("PROD") or "host") in ("host", "cluster"):
        return prod == "cluster"
    raise say.WrongCall(f"PROD={prod} is no place for prod", "there is: host, cluster", "unset PROD")


def with_data(*environments):
    """The host, for what is done with the data of these environments there. Raises WrongCall if prod's is elsewhere."""
    if "prod" in environments and on_cluster():
        why = "PROD=cluster, and a cluster's database is backed up where it runs"
        raise say.WrongCall("prod's data is not on the host", why, "scripts/cluster-data dump; or unset PROD")
    return host()


def plan(place, name, image):
    """What a deploy of the image would change, in the host's words. Exits with the host's status when it can't say."""
    status, answer = place.ask("plan", name, image)
    if status:
        sys.exit(status)
    return answer.rstrip()


def environment(name):
    """The environment of that name. Raises WrongCall unless it is dev or prod."""
    if name not in ("dev", "prod"):
        raise say.WrongCall(f"'{name}' is no environment", "there are dev and prod", "make help")
    return name
