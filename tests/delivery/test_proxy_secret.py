"""The secret of a trusted proxy: where it comes from, and what NGINX gets (scripts/host/bin/nginx-settings)."""

import re

import boto3
import fake_aws
import pytest
from botocore.stub import Stubber
from delivery import aws, host_settings
from delivery.cli import reported
from fakes import REPOSITORY
from moto import mock_aws
from verb import run

NEW, OLD = "0123456789abcdef" * 4, "fedcba9876543210" * 2


@pytest.fixture
def write(host):
    """A function that writes NGINX's files, as bootstrap-nginx does."""

    def operation():
        with reported():
            host_settings.nginx_settings(host.paths)

    return lambda: run(operation, "nginx-settings")


@pytest.fixture
def on_aws(host, monkeypatch):
    """A client of Systems Manager for a host on AWS, whose settings are in Parameter Store."""
    fake_aws.use_test_credentials(monkeypatch)
    with mock_aws():
        values = {"REPOSITORY": REPOSITORY, "ALLOWED_HOSTS": "localhost", "PARAMETERS": "/shop", "TRANSFER": "bucket"}
        values["AWS_REGION"] = fake_aws.REGION
        text = "".join(f"{name}={value}\n" for name, value in values.items())
        (host.paths.settings / "host.env").write_text(text)
        yield boto3.client("ssm", region_name=fake_aws.REGION)


def store(ssm, value):
    ssm.put_parameter(Name="/shop/proxy/SECRET", Value=value, Type="SecureString", Overwrite=True)


def accepted(host):
    """The secrets that NGINX accepts."""
    file = host.paths.nginx / "secrets/proxy-secret.conf"
    assert file.stat().st_mode & 0o777 == 0o600
    return re.findall(r'^"~\^prod (.*)\$" 1;$', file.read_text(), re.MULTILINE)


def test_a_host_generates_a_secret_once_which_only_root_can_read(host, write):
    write().must_print("")
    file = host.paths.settings / "proxy-secret"
    assert file.stat().st_mode & 0o777 == 0o600
    assert accepted(host) == [file.read_text().strip()]
    assert re.fullmatch("[0-9a-f]{64}", accepted(host)[0])
    (host.paths.state / "nginx-loaded").touch()
    before = host.files()
    write().must_print("")
    assert host.files() == before


def test_a_secret_is_changed_in_two_steps(host, write):
    for text, values in ((f"{NEW},{OLD}", [NEW, OLD]), (f" {NEW} , {OLD}\n", [NEW, OLD]), (NEW, [NEW]), ("\n", [])):
        (host.paths.settings / "proxy-secret").write_text(text)
        write().must_succeed()
        assert accepted(host) == values
        assert not (host.paths.state / "nginx-loaded").exists()


@pytest.mark.parametrize(
    "text",
    ["0" * 31, "0" * 65, NEW.upper(), f"{NEW},", f",{NEW}", ",", f"{NEW},{OLD},{NEW}", f"{NEW} {OLD}", f"{NEW}\n{OLD}",
     f'{NEW}$" 1; default 1; #', ".{32}", "é" * 32, "\udcff" * 32],
)  # fmt: skip
def test_an_invalid_secret_changes_nothing_and_is_not_printed(host, write, text):
    write().must_succeed()
    before = accepted(host)
    (host.paths.settings / "proxy-secret").write_text(text, errors="surrogateescape")
    (host.paths.settings / "dev.env").write_text("ALLOWED_HOSTS=shop.example\n")
    files = host.files()
    result = write()
    result.must_fail("invalid secret of the proxy", "NGINX keeps its previous one", "32 to 64 hex digits")
    assert not [part for part in text.split(",") if part and part in result.err]
    assert host.files() == files
    assert accepted(host) == before


def test_invalid_settings_of_dev_or_prod_change_no_secret(host, write):
    write().must_succeed()
    files = host.files()
    (host.paths.settings / "proxy-secret").write_text(NEW)
    for name in ("dev", "prod"):
        environment = host.paths.settings / f"{name}.env"
        valid = environment.read_text()
        environment.write_text("ALLOWED_HOSTS=shop.*\n")
        write().must_fail("invalid ALLOWED_HOSTS", f"make set-{name} SETTING=ALLOWED_HOSTS", status=2)
        environment.write_text(valid)
    (host.paths.settings / "proxy-secret").write_bytes(files[host.paths.settings / "proxy-secret"])
    assert host.files() == files


@pytest.fixture
def in_parameter_store(host, on_aws):
    """Both environments have their settings in Parameter Store."""
    for name in ("dev", "prod"):
        (host.paths.settings / f"{name}.env").unlink()
        on_aws.put_parameter(Name=f"/shop/{name}/ALLOWED_HOSTS", Value="localhost", Type="SecureString")
    return on_aws


def test_on_aws_the_secret_is_a_parameter_that_is_read_each_time(host, write, in_parameter_store):
    for value, values in ((f"{NEW},{OLD}", [NEW, OLD]), (OLD, [OLD])):
        store(in_parameter_store, value)
        write().must_print("")
        assert accepted(host) == values
    assert not (host.paths.settings / "proxy-secret").exists()


def test_on_aws_no_parameter_means_that_no_proxy_is_trusted(host, write, in_parameter_store):
    write().must_print("")
    assert accepted(host) == []
    store(in_parameter_store, NEW)
    write().must_succeed()
    in_parameter_store.delete_parameter(Name="/shop/proxy/SECRET")
    write().must_succeed()
    assert accepted(host) == []


def test_on_aws_an_invalid_parameter_keeps_the_previous_secret(host, write, in_parameter_store):
    store(in_parameter_store, NEW)
    write().must_succeed()
    store(in_parameter_store, f"{OLD}x")
    result = write()
    result.must_fail("invalid secret of the proxy in '/shop/proxy/SECRET'", "make infra")
    assert OLD not in result.err
    assert accepted(host) == [NEW]


@pytest.mark.parametrize(
    ("code", "status"),
    [("AccessDeniedException", 400), ("InternalServerError", 500), ("ThrottlingException", 400), ("InvalidKeyId", 400)],
)
def test_any_other_error_of_aws_keeps_the_previous_secret(host, write, in_parameter_store, monkeypatch, code, status):
    store(in_parameter_store, NEW)
    write().must_succeed()
    files, ask = host.files(), aws.HostClient.ask
    client = aws.HostClient("ssm", fake_aws.REGION, sleep=lambda seconds: None)

    def failing(self, operation, **parameters):
        return ask(client if operation == "get_parameter" else self, operation, **parameters)

    monkeypatch.setattr(aws.HostClient, "ask", failing)
    with Stubber(client.boto) as answers:
        for _ in range(len(aws.PAUSES) + 1):
            answers.add_client_error("get_parameter", code, http_status_code=status)
        write().must_fail(code)
    assert host.files() == files
    assert accepted(host) == [NEW]
