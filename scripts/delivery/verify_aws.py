"""Compares the assumptions about AWS (assumptions.py) with the deployed host. Changes nothing."""

import http.client
import os
import re
import textwrap

from delivery import (
    assumptions,
    aws,
    ecr,
    host_installation,
    http_client,
    public_url,
    status,
    terraform_state,
    transfer,
)
from delivery.cli import AlreadyReported, CommandError, required_variable
from delivery.references import ENVIRONMENTS
from delivery.targets.aws import AwsHost
from delivery.targets.base import verbs

AGENT = (3, 3, 2746, 0)  # the first version that knows interpolationType
TIMEOUT = 10  # seconds for each answer over HTTP


class Deployed:
    """The deployed host, and the checks of the assumptions.

    Each check returns (whether the assumption is right, what was seen), or (None, why it cannot be verified).
    """

    def __init__(self):
        self.host = AwsHost()
        self.host.check()
        self.ssm, self.name = self.host.ssm, self.host.name

    def bucket_settings(self):
        """The settings of the bucket of Terraform's state."""
        os.environ.setdefault("TF_VAR_name", self.name)
        bucket = terraform_state.bucket()
        wrong = terraform_state.wrong_settings(bucket)
        return not wrong, f"{bucket}, {', '.join(wrong) or 'nothing'} to set"

    def agent_is_online(self):
        """The agent of the instance."""
        status = self._agent()["PingStatus"]
        return status == "Online", f"PingStatus {status}"

    def agent_version(self):
        """The version of the agent."""
        version = self._agent()["AgentVersion"]
        return tuple(map(int, version.split("."))) >= AGENT, f"AgentVersion {version}"

    def installation_status(self):
        """What the instance has for the newest version of the association."""
        entry = self._installation().entry()
        if not entry:
            return False, f"no status of the newest version on {self.host.id}"
        versions = f"version {entry['AssociationVersion']}, document version {entry.get('DocumentVersion')}"
        return entry["Status"] == "Success", f"{entry['Status']} for {versions}"

    def installation_output(self):
        """The output of the installation."""
        installation = self._installation()
        output = installation.output()
        if not installation.command:
            return None, "AWS has no execution of the newest version any more"
        text = output.get("StandardOutputContent", "") + output.get("StandardErrorContent", "")
        return bool(text), f"{len(text)} characters from command {installation.command}"

    def documents_are_active(self):
        """The documents of the verbs."""
        seen = {}
        kinds = {form["document"] for form in verbs().values()} - {"environment", None}
        for document in (*ENVIRONMENTS, *sorted(kinds), "install"):
            described = self.ssm.ask("describe_document", Name=f"{self.name}-{document}")
            seen[document] = described["Document"]["Status"]
        return set(seen.values()) == {"Active"}, ", ".join(f"{name} {status}" for name, status in seen.items())

    def no_transfers_are_left(self):
        """The bucket for stdin and stdout of verbs. A verb that runs at the moment has objects there."""
        account = aws.Client("sts").ask("get_caller_identity")["Account"]
        bucket = transfer.bucket_name(self.name, account)
        left = aws.Client("s3").ask("list_objects_v2", Bucket=bucket, ExpectedBucketOwner=account)["KeyCount"]
        return not left, f"{left} objects in {bucket}"

    def ports_answer(self):
        """NGINX on the host's address, and the public URLs."""
        seen = {environment: http_status(self.host.url(environment)) for environment in ENVIRONMENTS}
        for entry in status.environments(self.host).values():
            if url := entry.get("url"):
                seen[url] = http_status(url)
        answered = all(isinstance(answer, int) for answer in seen.values())
        return answered, ", ".join(f"{place} {answer}" for place, answer in seen.items())

    def edge_keeps_files_only(self):
        """The header X-Cache of CloudFront, for the second request of a page and of a file."""
        url = status.environments(self.host).get("prod", {}).get("url")
        if not public_url.is_https(url):
            return None, f"prod is at {url}"
        try:
            found = re.search(r"/static/[^\"'?]+\.css", http_client.page(f"{url}/", TIMEOUT)[1])
            if not found:
                return None, f"{url}/ names no file: deploy prod first"
            seen = {path: again(f"{url}{path}") for path in ("/", found[0])}
        except (OSError, ValueError, http.client.HTTPException) as error:
            return False, f"{url}: no answer ({error})"
        kept = ["Hit" in (result or "") for result in seen.values()]
        return kept == [False, True], ", ".join(f"{path} {result}" for path, result in seen.items())

    def metadata_is_closed(self):
        """The options of the instance's metadata service."""
        described = self.host.ec2.ask("describe_instances", InstanceIds=[self.host.id])
        options = described["Reservations"][0]["Instances"][0].get("MetadataOptions", {})
        tokens, limit = options.get("HttpTokens"), options.get("HttpPutResponseHopLimit")
        seen = f"HttpTokens {tokens}, HttpPutResponseHopLimit {limit}"
        return (tokens, limit) == ("required", 1), seen

    def ubuntu_is_published(self):
        """The machine image of a new host."""
        value = self.ssm.ask("get_parameter", Name=assumptions.UBUNTU)["Parameter"]["Value"]
        return value.startswith("ami-"), value

    def repository_exists(self):
        """The image repository."""
        repository = ecr.repository()
        return repository.startswith("public.ecr.aws/"), repository

    def _agent(self):
        this = [{"Key": "InstanceIds", "Values": [self.host.id]}]
        return self.ssm.pages("describe_instance_information", "InstanceInformationList", Filters=this)[0]

    def _installation(self):
        """The newest version of the association that installs the host."""
        name = [{"key": "AssociationName", "value": f"{self.name}-install"}]
        known = self.ssm.ask("list_associations", AssociationFilterList=name)["Associations"]
        if not known:
            raise CommandError(f"no association '{self.name}-install'", "make infra creates it", "make infra")
        association = known[0]
        names = (association["AssociationId"], association["DocumentVersion"])
        return host_installation.Installation(self.host.id, *names)


def http_status(url):
    """The status of the answer of a URL, or why there is none."""
    try:
        return http_client.page(url, TIMEOUT)[0]
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"no answer ({error})"


def again(url):
    """The header X-Cache of the second of two answers, or None."""
    return [http_client.header(url, "X-Cache", TIMEOUT) for _ in range(2)][1]


def verify(form):
    """Prints a line for each assumption: ok, failed or not verified; with the form "list" returns them as Markdown.

    Raises CommandError if there is no host or a check failed.
    """
    if form == "list":
        return markdown()
    required_variable("AWS_REGION")
    deployed, failed = Deployed(), 0
    for assumption in assumptions.ASSUMPTIONS:
        if assumption.check:
            failed += report(assumption, getattr(deployed, assumption.check))
    for assumption in assumptions.ASSUMPTIONS:
        if not assumption.check:
            show("not verified", assumption, f"expected {assumption.expected}")
    if failed:
        what = f"{failed} assumptions about AWS are wrong"
        raise CommandError(what, "see the lines that begin with failed", "report them, with this output")
    return None


def report(assumption, check):
    """Prints the result of a check; returns whether the assumption is wrong."""
    try:
        right, seen = check()
    except CommandError as error:
        right, seen = False, f"{error.what} ({error.why})"
    except AlreadyReported as failed:
        right, seen = False, f"a verb on the host failed with exit status {failed.status}, see above"
    except (AttributeError, LookupError, TypeError, ValueError) as error:  # a field is missing or has another form
        right, seen = False, f"an answer of another form: {type(error).__name__}: {error}"
    if right:
        print(f"ok            {assumption.text}: {seen}", flush=True)
        return False
    result = "not verified" if right is None else "failed"
    show(result, assumption, f"expected {assumption.expected}; seen: {seen}")
    return right is not None


def show(result, assumption, text):
    """Prints a line for an assumption, and the command that verifies it."""
    print(f"{result:14}{assumption.text}: {text}")
    print(textwrap.indent(assumption.command, " " * 14), flush=True)


def markdown():
    """The assumptions as a list of Markdown, with boxes to tick, at most 100 columns wide except for commands."""
    return "\n\n".join(item(assumption) for assumption in assumptions.ASSUMPTIONS)


def item(assumption):
    """One assumption as an item of a list of Markdown."""
    by = " `make verify-aws` checks it." if assumption.check else ""
    text = f"{assumption.text}.{by} Expected: {assumption.expected}."
    wrap = {"width": 100, "subsequent_indent": "  ", "break_long_words": False, "break_on_hyphens": False}
    lines = textwrap.fill(text, initial_indent="- [ ] ", **wrap)
    return f"{lines}\n\n" + textwrap.indent(f"```\n{assumption.command}\n```", "  ")
