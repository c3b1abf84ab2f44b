"""make verify-aws: the assumptions and their list in the documents, and the checks with AWS on loopback."""

import contextlib
import http.server
import json
import re
import threading
from unittest import mock

import fake_aws
import infra
import pytest
from delivery import assumptions, terraform_state, verify_aws
from delivery.cli import AlreadyReported
from verb import run_script

DOCUMENT = infra.ROOT / "docs/first-deploy.md"
SCRIPT = infra.ROOT / "scripts/verify-aws"
CHECKS = [assumption for assumption in assumptions.ASSUMPTIONS if assumption.check]
OTHERS = [assumption for assumption in assumptions.ASSUMPTIONS if not assumption.check]


def test_the_document_has_the_list_that_the_verb_prints():
    section = DOCUMENT.read_text().partition("## Not verified against AWS yet\n")[2].partition("\n## ")[0]
    assert section.strip().endswith(run_script(SCRIPT, "list").out.strip()), "scripts/verify-aws list"


def test_the_list_has_a_box_for_each_assumption_and_no_line_is_too_long():
    items = [line for line in verify_aws.markdown().splitlines() if line.startswith("- [ ] ")]
    assert len(items) == len(assumptions.ASSUMPTIONS)
    assert [line for line in verify_aws.markdown().splitlines() if len(line) > 100 and line.startswith("- ")] == []


def test_each_assumption_is_complete_and_each_check_is_used_once():
    for assumption in assumptions.ASSUMPTIONS:
        assert all((assumption.text, assumption.command, assumption.expected))
        assert not assumption.text.endswith(".")
    public = {name for name in vars(verify_aws.Deployed) if not name.startswith("_")}
    assert sorted(assumption.check for assumption in CHECKS) == sorted(public)


def test_the_parameter_of_ubuntu_is_terraforms_default():
    default = re.search(r'variable "ami_parameter".*?default += "([^"]+)"', variables(), re.DOTALL)[1]
    assert default == assumptions.UBUNTU


def variables():
    return (infra.ROOT / "terraform/variables.tf").read_text()


class Answering(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(502)


@pytest.fixture(scope="module")
def nginx():
    """What answers on the host's public address before the first deploy."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def account(cloud):
    return Account(cloud)


@pytest.fixture
def deployed(account, nginx, monkeypatch):
    """A shop as terraform/ creates it. What a test damages, it repairs."""
    fake_aws.use_test_credentials(monkeypatch, **account.cloud.environment)
    for name, value in {"DELIVERY_NAME": "book-shop", "TF_VAR_name": "book-shop"}.items():
        monkeypatch.setenv(name, value)
    for name in ("DELIVERY_AWS_ACCOUNT", "DELIVERY_TIME_LIMIT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(verify_aws.AwsHost, "url", lambda *_: nginx)
    status = {"environments": [{"environment": "prod", "url": nginx}, {"environment": "dev"}]}
    monkeypatch.setattr(verify_aws.AwsHost, "ask", lambda *_: json.dumps(status))
    terraform_state.bucket(make_it=True)
    return account


class Account:
    def __init__(self, cloud):
        self.cloud, self.ssm, self.ec2 = cloud, cloud.client("ssm"), cloud.client("ec2")
        self.instance = self.run_instance()
        for name in ("dev", "prod", "data", "manage", "settings", "install"):
            self.create_document(name)
        self.s3, self.transfers = cloud.client("s3"), f"book-shop-transfer-{fake_aws.ACCOUNT}"
        place = {"LocationConstraint": fake_aws.REGION}
        self.s3.create_bucket(Bucket=self.transfers, CreateBucketConfiguration=place)
        targets = [{"Key": "InstanceIds", "Values": [self.instance]}]
        cloud.associations.register(self.instance)
        names = {"Name": "book-shop-install", "AssociationName": "book-shop-install", "DocumentVersion": "1"}
        self.ssm.create_association(**names, Targets=targets)
        cloud.associations.executions[0].steps = 9
        cloud.ecr_public.on_CreateRepository("book-shop")

    def create_document(self, name):
        content = json.dumps({"schemaVersion": "2.2", "description": name, "mainSteps": []})
        kind = {"DocumentType": "Command", "DocumentFormat": "JSON"}
        self.ssm.create_document(Name=f"book-shop-{name}", Content=content, **kind)

    def run_instance(self):
        tags = [{"Key": "Name", "Value": "book-shop"}, {"Key": "Project", "Value": "book-shop"}]
        options = {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"}
        tagged = [{"ResourceType": "instance", "Tags": tags}]
        counts = {"MinCount": 1, "MaxCount": 1, "ImageId": "ami-785db401"}
        made = self.ec2.run_instances(**counts, MetadataOptions=options, TagSpecifications=tagged)
        return made["Instances"][0]["InstanceId"]


def test_prints_a_line_for_each_assumption(deployed):
    done = run_script(SCRIPT)
    assert done.status == 0, done.out + done.err
    lines = done.out.splitlines()
    (edge,) = [c for c in CHECKS if c.check == "edge_keeps_files_only"]  # this public URL is not https://
    right = [line[14:].rpartition(": ")[0] for line in lines if line.startswith("ok ")]
    assert right == [c.text for c in CHECKS if c is not edge]
    first, *seen = [line for line in lines if line.startswith("not verified  ")]
    assert first.startswith(f"not verified  {edge.text}: expected {edge.expected}; seen: prod is at http://127.0.0.1:")
    assert seen == [f"not verified  {other.text}: expected {other.expected}" for other in OTHERS]
    for assumption in OTHERS:
        assert all(f"{'':14}{line}" in lines for line in assumption.command.splitlines())


@contextlib.contextmanager
def open_bucket(account):
    account.cloud.client("s3").delete_public_access_block(Bucket=terraform_state.bucket())
    yield
    terraform_state.bucket(make_it=True)


@contextlib.contextmanager
def old_agent(account):
    usual, account.cloud.associations.agent = account.cloud.associations.agent, "3.3.1000.0"
    yield
    account.cloud.associations.agent = usual


@contextlib.contextmanager
def agent_of_another_form(account):
    usual, account.cloud.associations.agent = account.cloud.associations.agent, "3.3.beta"
    yield
    account.cloud.associations.agent = usual


@contextlib.contextmanager
def failed_installation(account):
    account.cloud.associations.executions[0].result = "Failed"
    yield
    account.cloud.associations.executions[0].result = "Success"


@contextlib.contextmanager
def no_document(account):
    account.ssm.delete_document(Name="book-shop-settings")
    yield
    account.create_document("settings")


@contextlib.contextmanager
def left_transfer(account):
    account.s3.put_object(Bucket=account.transfers, Key="x/stdin", Body=b"x")
    yield
    account.s3.delete_object(Bucket=account.transfers, Key="x/stdin")


@contextlib.contextmanager
def open_metadata(account):
    account.ec2.modify_instance_metadata_options(InstanceId=account.instance, HttpTokens="optional")
    yield
    account.ec2.modify_instance_metadata_options(InstanceId=account.instance, HttpTokens="required")


@contextlib.contextmanager
def no_repository(account):
    with mock.patch.dict(account.cloud.ecr_public.repositories, clear=True):
        yield


@pytest.mark.parametrize(
    ("damage", "check", "seen"),
    [
        (open_bucket, "bucket_settings", "public_access_block to set"),
        (old_agent, "agent_version", "AgentVersion 3.3.1000.0"),
        (agent_of_another_form, "agent_version", "an answer of another form: ValueError"),
        (failed_installation, "installation_status", "Failed for version 1, document version 1"),
        (no_document, "documents_are_active", "InvalidDocument"),
        (left_transfer, "no_transfers_are_left", "1 objects in book-shop-transfer-"),
        (open_metadata, "metadata_is_closed", "HttpTokens optional"),
        (no_repository, "repository_exists", "RepositoryNotFoundException"),
    ],
)
def test_fails_if_an_assumption_is_wrong_and_shows_what_was_seen(deployed, damage, check, seen):
    with damage(deployed):
        done = run_script(SCRIPT)
    assert done.status == 1
    (assumption,) = [assumption for assumption in CHECKS if assumption.check == check]
    (line,) = [line for line in done.out.splitlines() if line.startswith(f"failed        {assumption.text}")]
    assert f"expected {assumption.expected}; seen: " in line
    assert seen in line
    assert "assumptions about AWS are wrong" in done.err


def test_an_output_that_aws_does_not_keep_is_not_verified(deployed, monkeypatch):
    monkeypatch.setattr(verify_aws.host_installation.Installation, "_executions_of", lambda *_: [])
    done = run_script(SCRIPT)
    assert done.status == 0
    assert "not verified  An execution of the association is a Run Command command" in done.out


def test_an_unreachable_port_is_seen(deployed, monkeypatch):
    monkeypatch.setattr(verify_aws.AwsHost, "url", lambda *_: "http://127.0.0.1:9")
    right, seen = verify_aws.Deployed().ports_answer()
    assert not right
    assert seen.startswith("dev no answer (")


def test_a_public_url_that_does_not_answer_is_seen(deployed, monkeypatch):
    status = {"environments": [{"environment": "prod", "url": "http://127.0.0.1:9"}]}
    monkeypatch.setattr(verify_aws.AwsHost, "ask", lambda *_: json.dumps(status))
    right, seen = verify_aws.Deployed().ports_answer()
    assert not right
    assert seen.startswith("dev 502, prod 502, http://127.0.0.1:9 no answer (")


class Edge(http.server.BaseHTTPRequestHandler):
    """Answers like CloudFront in front of prod."""

    kept, results, page = (), {}, '<link href="/static/shop.0123.css" rel="stylesheet">'

    def do_GET(self):
        self.results[self.path] = self.results.get(self.path, 0) + 1
        hit = self.path in self.kept and self.results[self.path] > 1
        body = self.page.encode()
        self.send_response(200)
        self.send_header("X-Cache", "Hit from cloudfront" if hit else "Miss from cloudfront")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(
    ("kept", "page", "right", "seen"),
    [
        (("/static/shop.0123.css",), Edge.page, True, "/ Miss from cloudfront, /static/shop.0123.css Hit from"),
        ((), Edge.page, False, "/static/shop.0123.css Miss from cloudfront"),
        (("/", "/static/shop.0123.css"), Edge.page, False, "/ Hit from cloudfront"),
        ((), "<p>Welcome</p>", None, "/ names no file: deploy prod first"),
    ],
)
def test_what_the_edge_keeps_is_seen(deployed, monkeypatch, kept, page, right, seen):
    edge = type("ThisEdge", (Edge,), {"kept": kept, "page": page, "results": {}})
    with http.server.HTTPServer(("127.0.0.1", 0), edge) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        public = {"environments": [{"environment": "prod", "url": f"http://127.0.0.1:{server.server_port}"}]}
        monkeypatch.setattr(verify_aws.AwsHost, "ask", lambda *_: json.dumps(public))
        monkeypatch.setattr(verify_aws.public_url, "is_https", bool)  # the rest is the same without TLS
        found = verify_aws.Deployed().edge_keeps_files_only()
        server.shutdown()
    assert found[0] is right
    assert seen in found[1]


def test_an_edge_that_does_not_answer_is_seen(deployed, monkeypatch):
    public = {"environments": [{"environment": "prod", "url": "https://127.0.0.1:9"}]}
    monkeypatch.setattr(verify_aws.AwsHost, "ask", lambda *_: json.dumps(public))
    right, seen = verify_aws.Deployed().edge_keeps_files_only()
    assert right is False
    assert seen.startswith("https://127.0.0.1:9: no answer (")


def test_a_host_whose_status_fails_is_seen(deployed, monkeypatch):
    monkeypatch.setattr(verify_aws.AwsHost, "ask", mock.Mock(side_effect=AlreadyReported(3)))
    done = run_script(SCRIPT)
    assert done.status == 1
    assert "a verb on the host failed with exit status 3" in done.out


def test_a_status_of_another_form_is_seen(deployed, monkeypatch):
    status = {"environments": [{"environment": "prod", "url": 5}]}
    monkeypatch.setattr(verify_aws.AwsHost, "ask", lambda *_: json.dumps(status))
    done = run_script(SCRIPT)
    assert done.status == 1
    assert done.out.count("seen: an answer of another form: AttributeError") == 2


def test_needs_a_deployed_host(deployed, monkeypatch):
    monkeypatch.setenv("DELIVERY_NAME", "other")
    run_script(SCRIPT).must_fail("no host called other runs in eu-central-1", "make infra")
