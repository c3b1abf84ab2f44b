"""stdin and stdout of verbs on AWS: the laptop's end (AwsHost.attach) and the host's (bin/attached), over moto's S3.

Systems Manager is a stub of AwsHost that runs the host's end in this process at once.
"""

import io
import json
import os
import subprocess
import sys
import types

import fake_aws
import pytest
from delivery import attached, aws, transfer
from delivery.cli import AlreadyReported, CommandError, UsageError
from delivery.paths import Paths
from delivery.targets import aws as target
from delivery.transfer import Missing, Transfer
from infra import ROOT
from verb import run_script

BUCKET = f"book-shop-transfer-{fake_aws.ACCOUNT}"
ID = "0123456789abcdef" * 2
BYTES = bytes(range(256)) + b"\r\n\0{{x}}\xff"
PROGRAM = "#!{python}\nimport os, sys\n{body}\n"
COUNT = """
data = sys.stdin.buffer.read()
sys.stdout.buffer.write(data[::-1])
print('read', len(data), *sys.argv[1:], file=sys.stderr)
"""


@pytest.fixture(autouse=True)
def moto(monkeypatch):
    from moto import mock_aws

    fake_aws.use_test_credentials(monkeypatch, AWS_REGION=fake_aws.REGION)
    monkeypatch.setenv("DELIVERY_NAME", "book-shop")
    with mock_aws():
        yield


@pytest.fixture
def s3():
    import boto3

    client = boto3.client("s3", region_name=fake_aws.REGION)
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": fake_aws.REGION})
    return client


def objects(s3):
    """{key: content} in the bucket."""
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    return {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """The root directory of a host, whose verbs are programs of the test."""
    paths = Paths(tmp_path)
    (paths.files / "bin").mkdir(parents=True)
    paths.settings.mkdir(parents=True)
    values = f"REPOSITORY=x\nAWS_REGION={fake_aws.REGION}\nPARAMETERS=/book-shop\nTRANSFER={BUCKET}\n"
    (paths.settings / "host.env").write_text(values)
    monkeypatch.setattr(attached, "Paths", lambda: paths)

    def does(verb, body):
        program = paths.files / "bin" / verb
        program.write_text(PROGRAM.format(python=sys.executable, body=body))
        program.chmod(0o755)

    return types.SimpleNamespace(paths=paths, does=does)


# Objects


def moving(tries=1):
    return Transfer(aws.Client("s3", fake_aws.REGION, sleep=lambda _: None, tries=tries), BUCKET, ID)


def test_moves_any_bytes_in_an_encrypted_object(s3):
    moving().put("stdin", io.BytesIO(BYTES))
    assert objects(s3) == {f"{ID}/stdin": BYTES}
    found = io.BytesIO()
    moving().get("stdin", found)
    assert found.getvalue() == BYTES


def test_moves_a_file_of_several_parts_in_order_into_a_pipe(s3, tmp_path):
    size = 30 * 1024 * 1024 + 1  # boto3 uses parts of 8 MB
    content = os.urandom(1024) * (size // 1024) + b"x"
    moving().put("stdout", io.BytesIO(content))
    reader, writer = os.pipe()
    with (tmp_path / "file").open("wb") as file:
        cat = subprocess.Popen(["cat"], stdin=reader, stdout=file)
        os.close(reader)
        with open(writer, "wb") as pipe:
            moving().get("stdout", pipe)
        assert cat.wait() == 0
    assert (tmp_path / "file").read_bytes() == content


def test_writes_after_the_content_that_a_file_has(s3, tmp_path):
    moving().put("stdout", io.BytesIO(b"more"))
    (tmp_path / "file").write_bytes(b"some, ")
    with (tmp_path / "file").open("ab") as file:
        moving().get("stdout", file)
    assert (tmp_path / "file").read_bytes() == b"some, more"


def test_deletes_both_objects_whether_they_exist_or_not(s3):
    for stream in ("stdin", "stdout"):
        moving().put(stream, io.BytesIO(b"x"))
        assert moving().exists(stream)
    moving().delete()
    moving().delete()
    assert objects(s3) == {}
    assert not moving().exists("stdin")
    with pytest.raises(Missing, match=f"there is no stdin of the verb in '{BUCKET}'"):
        moving().get("stdin", io.BytesIO())


def test_fails_without_the_bucket(s3):
    s3.delete_bucket(Bucket=BUCKET)
    with pytest.raises(aws.Refused, match="NoSuchBucket") as failed:
        moving().put("stdin", io.BytesIO(b"x"))
    assert failed.value.remedy == "make infra"


@pytest.mark.parametrize("id", ["", "..", "a/b", ID[1:], ID + "0", ID.upper(), "g" * 32, ID + "\n"])
def test_refuses_an_id_that_is_not_random(id):
    with pytest.raises(UsageError, match="invalid transfer"):
        Transfer(None, BUCKET, id)
    assert transfer.new_id() != transfer.new_id()
    Transfer(None, BUCKET, transfer.new_id())


def test_every_request_names_the_owner_of_the_bucket(s3):
    client = aws.Client("s3", fake_aws.REGION)
    owners = []
    client.boto.meta.events.register(
        "before-call.s3", lambda params, **_: owners.append(params["headers"].get("x-amz-expected-bucket-owner"))
    )
    moved = Transfer(client, BUCKET, ID)
    moved.put("stdin", io.BytesIO(b"x"))
    moved.get("stdin", io.BytesIO())
    moved.exists("stdin")
    moved.delete()
    assert len(owners) >= 5
    assert set(owners) == {fake_aws.ACCOUNT}


# The host's end


def run_attached(*arguments):
    return run_script(ROOT / "scripts/host/bin/attached", *arguments)


def test_the_host_runs_the_verb_with_stdin_and_stores_stdout(s3, machine, capfd):
    moving().put("stdin", io.BytesIO(BYTES))
    machine.does("load", COUNT)
    attached.run(ID, "load", ["dev", "anonymous"])
    assert objects(s3)[f"{ID}/stdout"] == BYTES[::-1]
    assert capfd.readouterr() == ("", f"read {len(BYTES)} dev anonymous\n")


@pytest.mark.parametrize("status", [1, 2, 17, 255])
def test_the_host_stores_stdout_of_a_verb_that_fails_and_keeps_its_status(s3, machine, status):
    moving().put("stdin", io.BytesIO())
    machine.does("manage", f"print('half', flush=True); os._exit({status})")
    with pytest.raises(AlreadyReported) as failed:
        attached.run(ID, "manage", ["dev", "[]"])
    assert failed.value.status == status
    assert objects(s3)[f"{ID}/stdout"] == b"half\n"


def test_no_other_user_of_the_host_can_read_stdin_and_stdout(s3, machine):
    moving().put("stdin", io.BytesIO(b"secret"))
    machine.does(
        "set", "import json; print(json.dumps([(os.fstat(n).st_mode & 0o777, os.fstat(n).st_nlink) for n in (0, 1)]))"
    )
    attached.run(ID, "set", ["dev", "A"])
    assert json.loads(objects(s3)[f"{ID}/stdout"]) == [[0o600, 0], [0o600, 0]]


def test_the_host_stores_no_stdout_for_a_laptop_that_has_given_up(s3, machine, monkeypatch, capfd):
    moving().put("stdin", io.BytesIO(b"x"))
    machine.does("dump", "print('a dump')")

    def delete_then_run(*arguments, **options):
        moving().delete()
        return subprocess.run(*arguments, **options)

    monkeypatch.setattr(attached, "subprocess", types.SimpleNamespace(run=delete_then_run))
    attached.run(ID, "dump", ["dev"])
    assert objects(s3) == {}
    assert "no longer" in capfd.readouterr().err


@pytest.mark.parametrize("verb", ["deploy", "status", "../bin/dump", "bootstrap", ""])
def test_the_host_attaches_no_other_verb(s3, machine, verb):
    with pytest.raises(UsageError, match=f"invalid verb '{verb}'"):
        attached.run(ID, verb, [])


def test_the_program_of_the_host_checks_before_it_runs_anything(s3, machine):
    machine.does("dump", "open('ran', 'w')")
    run_attached(ID, "dump", "dev").must_fail(f"there is no stdin of the verb in '{BUCKET}'")
    run_attached("x", "dump", "dev").must_fail("invalid transfer 'x'", status=2)
    (machine.paths.settings / "host.env").write_text("REPOSITORY=x\n")
    run_attached(ID, "dump", "dev").must_fail("this host has no bucket for transfers", "make infra")
    assert not list(machine.paths.files.rglob("ran"))


# The laptop's end


class Host(target.AwsHost):
    """An AwsHost whose Systems Manager runs the host's end at once, in this process."""

    def __init__(self, machine, ends=None):
        super().__init__(lambda _: None)
        self.id, self.machine, self.sent, self.ends = "i-1", machine, [], ends

    def _send(self, verb, arguments, more):
        self.sent.append((verb, arguments, more))
        if isinstance(self.ends, BaseException):
            raise self.ends
        return "11111111-2222-3333-4444-555555555555"

    def _wait(self, verb, command, pass_output):
        (_, arguments, more) = self.sent[-1]
        status = 0
        if not self.ends:
            try:
                attached.run(more["Transfer"], verb, arguments)
            except AlreadyReported as failure:
                status = failure.status
        done = {"Status": "Failed" if status else "Success", "ResponseCode": status, "CommandId": command}
        return done | {"StandardOutputContent": "", "StandardErrorContent": ""} | (self.ends or {})


@pytest.fixture
def stdin(monkeypatch, tmp_path):
    """A function that makes bytes the stdin of this process."""

    def give(content):
        (tmp_path / "stdin").write_bytes(content)
        monkeypatch.setattr(sys, "stdin", (tmp_path / "stdin").open(encoding="utf-8"))

    return give


def test_a_verb_has_the_laptops_stdin_and_stdout(s3, machine, stdin, capfdbinary):
    machine.does("load", COUNT)
    stdin(BYTES)
    host = Host(machine)
    host.attach("load", "dev")
    assert capfdbinary.readouterr() == (BYTES[::-1], f"read {len(BYTES)} dev\n".encode())
    assert objects(s3) == {}
    assert len(host.sent[0][2]["Transfer"]) == 32


def test_a_failing_verb_passes_its_status_and_stdout_on(s3, machine, stdin, capfdbinary):
    machine.does("manage", "print('half', flush=True); sys.exit(17)")
    stdin(b"")
    with pytest.raises(AlreadyReported) as failed:
        Host(machine).attach("manage", "prod", '["check"]')
    assert failed.value.status == 17
    assert capfdbinary.readouterr()[0] == b"half\n"
    assert objects(s3) == {}


def test_a_terminal_is_not_read_which_is_reported_if_the_verb_would_use_it(s3, machine, monkeypatch, capfdbinary):
    machine.does("manage", COUNT)
    _, terminal = os.openpty()
    monkeypatch.setattr(sys, "stdin", open(terminal, encoding="utf-8"))  # noqa: SIM115
    Host(machine).attach("manage", "dev", '["check"]', terminal=True)
    Host(machine).attach("manage", "dev", '["check"]')
    errors = capfdbinary.readouterr()[1].decode()
    assert errors.count("read 0 dev") == 2
    assert errors.count("Run Command has no terminal, so manage reads nothing") == 1
    assert """sudo /opt/book-shop/bin/manage dev '["check"]'""" in errors


@pytest.mark.parametrize(
    "ends",
    [
        CommandError("no answer", "x", "y"),
        KeyboardInterrupt(),
        {"Status": "TimedOut", "StatusDetails": "DeliveryTimedOut", "ResponseCode": -1},
        {"Status": "InProgress", "ResponseCode": -1},
        {"Status": "Failed", "ResponseCode": 1},
    ],
)
def test_both_objects_are_deleted_however_the_verb_ends(s3, machine, stdin, ends):
    stdin(b"secret")
    with pytest.raises((CommandError, KeyboardInterrupt, AlreadyReported)):
        Host(machine, ends).attach("set", "dev", "A")
    assert objects(s3) == {}


def test_an_interrupt_reports_that_the_verb_continues(s3, machine, stdin, monkeypatch, capsys):
    stdin(b"x")
    host = Host(machine)
    monkeypatch.setattr(host, "_wait", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        host.attach("dump", "dev")
    assert "dump continues on the host, and its output is lost" in capsys.readouterr().err
    assert objects(s3) == {}


def test_a_success_without_stdout_is_an_error(s3, machine, stdin):
    stdin(b"")
    with pytest.raises(Missing, match="there is no stdout of the verb"):
        Host(machine, {"Status": "Success", "ResponseCode": 0}).attach("dump", "dev")


def test_objects_that_cannot_be_deleted_are_reported_and_the_verb_has_succeeded(s3, machine, stdin, monkeypatch, capfd):
    machine.does("dump", "print('a dump')")
    stdin(b"")

    def refuse(self):
        raise CommandError("no", "AccessDenied", "x")

    monkeypatch.setattr(Transfer, "delete", refuse)
    Host(machine).attach("dump", "dev")
    out, errors = capfd.readouterr()
    assert (out, "stay in the bucket for a day: AccessDenied" in errors) == ("a dump\n", True)


def test_without_the_bucket_nothing_is_sent(machine, stdin):
    stdin(b"x")
    host = Host(machine)
    with pytest.raises(aws.Refused, match="NoSuchBucket") as failed:
        host.attach("set", "dev", "A")
    assert (failed.value.remedy, host.sent) == ("make infra", [])


def test_psql_and_following_are_refused_with_the_way_on_the_host(machine):
    host = Host(machine)
    with pytest.raises(UsageError, match="psql is not available on AWS") as refused:
        host.attach("psql", "dev", terminal=True)
    assert refused.value.remedy.endswith("sudo /opt/book-shop/bin/psql dev")
    with pytest.raises(UsageError, match="logs cannot be followed on AWS") as refused:
        host.follow("logs", "dev", "100", "--grep=a b", "--follow")
    assert refused.value.remedy.endswith("sudo /opt/book-shop/bin/logs dev 100 '--grep=a b' --follow")
    assert host.sent == []
