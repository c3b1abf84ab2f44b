"""The settings in Parameter Store: the real client against moto, and what moto lacks against botocore's Stubber."""

import datetime
import sys

import fake_aws
import pytest
from botocore.stub import Stubber
from delivery import aws, compositions, host_settings, settings
from delivery.cli import CommandError, UsageError
from delivery.parameter_store import ParameterStore, delete_all, move_file
from delivery.references import ENVIRONMENTS
from delivery.settings import FileSettings, Setting

PATH, OTHER = "/book-shop/dev", "/book-shop/prod"
NOW = datetime.datetime(2026, 11, 27, 12, 0, 5, tzinfo=datetime.timezone.utc)
SECRET = "the-secret-value"


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    fake_aws.use_test_credentials(monkeypatch)


@pytest.fixture
def moto():
    """AWS in this process, without a network."""
    from moto import mock_aws

    with mock_aws():
        yield


@pytest.fixture
def store(moto):
    return ParameterStore(PATH, fake_aws.REGION)


@pytest.fixture
def client(moto):
    import boto3

    return boto3.client("ssm", region_name=fake_aws.REGION)


def given(**values):
    """Settings with these values that were changed by ann."""
    return {name: Setting(value, "ann", "2026-01-01T00:00:00Z") for name, value in values.items()}


def test_a_new_environment_has_no_settings(store):
    assert store.load() == {}
    assert store.current() == settings.snapshot({})


EXACT = [
    "a", " ", " a ", "a=b=c", "#a", "'", '"', "\\", "\\n", "$(touch x)", "`id`", "${HOME}", "%s", "{", "}}",
    "{ {", "https://example.org/x?a=1&b=2", "file:///etc/passwd", "http://169.254.169.254/", "-n", "--value", "null",
    "true", "[1]", '{"a": {"b": 1} }', "a,b,,", "é", "\u65e5\u672c\u8a9e", "\U0001f600", "\u00a0a\u3000", "e\u0301",
    "*" * 4096, "é" * 2048,
]  # fmt: skip


def test_values_are_stored_exactly(store):
    exact = {f"NAME_{number}": value for number, value in enumerate(EXACT)}
    store.save(given(**exact))
    assert settings.values(ParameterStore(PATH, fake_aws.REGION).load()) == exact
    assert store.current() == settings.snapshot(exact)


def test_a_value_that_aws_refuses_is_refused_before_anything_changes(store):
    store.save(given(A="old"))
    for value in ("", "*" * 4097, "é" * 2049, "{{", "a{{ssm:b}}c", "{{}}"):
        with pytest.raises(UsageError, match="Parameter Store cannot have this value of B") as refused:
            store.save(given(A="new", B=value))
        assert len(value) < 3 or value not in str(refused.value)
    assert settings.values(store.load()) == {"A": "old"}


def test_each_setting_is_an_encrypted_parameter_with_its_actor_and_time(store, client):
    before = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    store.save(given(ALLOWED_HOSTS="shop.example", SECRET_KEY=SECRET))
    (hosts, key) = client.describe_parameters()["Parameters"]
    assert [entry["Name"] for entry in (hosts, key)] == [f"{PATH}/ALLOWED_HOSTS", f"{PATH}/SECRET_KEY"]
    assert {(entry["Type"], entry["KeyId"], entry["Description"]) for entry in (hosts, key)} == {
        ("SecureString", "alias/aws/ssm", "ann")
    }
    assert client.get_parameter(Name=f"{PATH}/SECRET_KEY")["Parameter"]["Value"] != SECRET
    changed = store.load()["SECRET_KEY"]
    assert (changed.value, changed.actor) == (SECRET, "ann")
    assert before <= changed.time <= datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_only_the_difference_is_written(store, client):
    store.save(given(A="1", B="2", C="3"))
    changed = {name: setting for name, setting in store.load().items() if name != "C"} | given(B="4")
    store.save(changed)
    assert settings.values(store.load()) == {"A": "1", "B": "4"}
    versions = {entry["Name"][-1]: entry["Version"] for entry in client.describe_parameters()["Parameters"]}
    assert versions == {"A": 1, "B": 2}
    store.save(given(C="5") | store.load())
    assert settings.values(store.load()) == {"A": "1", "B": "4", "C": "5"}


def test_the_environments_and_other_parameters_are_apart(store, client):
    prod = ParameterStore(OTHER, fake_aws.REGION)
    prod.save(given(A="prod"))
    for name in (f"{PATH}/deeper/A", f"{PATH}-more/A", "/book-shop/B", "/another/dev/A"):
        client.put_parameter(Name=name, Value="x", Type="SecureString")
    store.save(given(A="dev"))
    store.save({})
    assert (store.load(), settings.values(prod.load())) == ({}, {"A": "prod"})
    assert len(client.describe_parameters()["Parameters"]) == 5


def test_all_pages_are_read_and_deleted(store, client):
    many = given(**{f"NAME_{number:03}": str(number) for number in range(63)})
    store.save(many)
    ParameterStore(OTHER, fake_aws.REGION).save(given(A="1"))
    client.put_parameter(Name="/book-shop-2/dev/A", Value="x", Type="SecureString")
    loaded = store.load()
    assert settings.values(loaded) == settings.values(many)
    assert {setting.actor for setting in loaded.values()} == {"ann"}
    for _ in "first", "second":
        delete_all("book-shop", fake_aws.REGION)
    assert [entry["Name"] for entry in client.describe_parameters()["Parameters"]] == ["/book-shop-2/dev/A"]


def test_a_parameter_that_the_owner_has_changed_by_hand_has_no_known_actor(store, client):
    client.put_parameter(Name=f"{PATH}/A", Value="x", Type="String", Description="changed it in the console")
    client.put_parameter(Name=f"{PATH}/B", Value="y", Type="SecureString")
    assert {name: (found.value, found.actor) for name, found in store.load().items()} == {
        "A": ("x", None),
        "B": ("y", None),
    }


# The move of a host that had files


@pytest.fixture
def file(tmp_path):
    made = FileSettings(tmp_path / "dev.env")
    made.save({"A": Setting(" 1"), "B": Setting("2=3", "ann", "2026-01-01T00:00:00Z")})
    return made


def test_the_settings_of_a_file_are_moved(store, file):
    expected = file.current()
    move_file(file, store)
    assert not file.path.exists()
    assert store.current() == expected
    assert [setting.actor for setting in store.load().values()] == [None, "ann"]


def test_an_empty_setting_of_a_file_is_not_moved(store, file):
    file.path.write_text("A=1\nEMPTY=\n")
    move_file(file, store)
    assert (file.path.exists(), settings.values(store.load())) == (False, {"A": "1"})


def test_an_interrupted_move_is_completed(store, file):
    store.save({"A": Setting(" 1")})
    move_file(file, store)
    assert (file.path.exists(), settings.values(store.load())) == (False, {"A": " 1", "B": "2=3"})


def test_a_file_with_other_values_stays(store, file):
    file.save({"A": Setting(SECRET), "B": Setting("2")})
    store.save(given(A="newer"))
    with pytest.raises(CommandError, match="are not moved") as refused:
        move_file(file, store)
    assert refused.value.why.endswith(": A")
    assert f"rm {file.path}" in refused.value.remedy
    assert SECRET not in str(refused.value)
    assert file.path.exists()
    assert store.load()["A"].value == "newer"


def test_a_file_with_a_value_that_aws_refuses_stays(store, file):
    file.save({"A": Setting("1"), "B": Setting("{{x}}")})
    with pytest.raises(UsageError, match="this value of B"):
        move_file(file, store)
    assert (file.path.exists(), store.load()) == (True, {})


def test_bootstrap_moves_the_files_of_a_host_on_aws_and_generates_what_is_missing(moto, host):
    before = {name: FileSettings(host.paths.settings / f"{name}.env").load() for name in ENVIRONMENTS}
    with (host.paths.settings / "host.env").open("a") as env:
        env.write(f"AWS_REGION={fake_aws.REGION}\nPARAMETERS=/book-shop\nTRANSFER=bucket\n")
    for name in ENVIRONMENTS:  # until they are moved, the files count
        assert isinstance(compositions.host_settings(name, host.paths), FileSettings)
    for _ in "first", "second":
        host_settings.initial_settings(host.paths)
        assert list(host.paths.settings.glob("dev.env*")) + list(host.paths.settings.glob("prod.env*")) == []
    for name, old in before.items():
        found = compositions.host_settings(name, host.paths).load()
        assert isinstance(compositions.host_settings(name, host.paths), ParameterStore)
        assert settings.values(old).items() <= settings.values(found).items()
        assert {"SECRET_KEY", "COOKIE_SUFFIX", "ALLOWED_HOSTS"} <= found.keys()
        assert found["COOKIE_SUFFIX"].actor == "bootstrap"


def test_a_new_host_on_aws_generates_its_settings_in_parameter_store(moto, host):
    with (host.paths.settings / "host.env").open("a") as env:
        env.write(f"AWS_REGION={fake_aws.REGION}\nPARAMETERS=/book-shop\nTRANSFER=bucket\n")
    for name in ENVIRONMENTS:
        (host.paths.settings / f"{name}.env").unlink()
    host_settings.initial_settings(host.paths)
    dev, prod = (compositions.host_settings(name, host.paths).load() for name in ENVIRONMENTS)
    assert dev["SECRET_KEY"].value != prod["SECRET_KEY"].value
    assert list(host.paths.settings.glob("*.env")) == [host.paths.settings / "host.env"]


# What moto does not do


class Stubbed:
    """A ParameterStore with no settings, and its stub of Systems Manager."""

    def __init__(self):
        self.pauses = []
        self.store = ParameterStore(PATH, fake_aws.REGION, self.pauses.append)
        self.ssm = Stubber(self.store._ssm.boto)
        self.ssm.activate()

    def has(self, **values):
        found = [{"Name": f"{PATH}/{name}", "Value": value, "LastModifiedDate": NOW} for name, value in values.items()]
        self.ssm.add_response("get_parameters_by_path", {"Parameters": found})
        self.ssm.add_response("describe_parameters", {"Parameters": []})
        return self

    def stores(self, returned, *missing):
        self.ssm.add_response("put_parameter", {"Version": 3})
        for code in missing:
            self.ssm.add_client_error("get_parameter", code)
        self.ssm.add_response(
            "get_parameter",
            {"Parameter": {"Value": returned}},
            {"Name": f"{PATH}/A:3", "WithDecryption": True},
        )
        return self

    def fails(self, operation, code, status=400, times=1, message="refused"):
        for _ in range(times):
            self.ssm.add_client_error(operation, code, message, status)
        return self


@pytest.fixture
def stubbed():
    made = Stubbed()
    yield made
    made.ssm.assert_no_pending_responses()


def test_an_empty_page_is_not_the_last_one(stubbed):
    stubbed.ssm.add_response("get_parameters_by_path", {"Parameters": [], "NextToken": "more"})
    stubbed.has(A="1")
    assert stubbed.store.load() == {"A": Setting("1", None, "2026-11-27T12:00:05Z")}


def test_a_value_that_aws_has_changed_is_an_error(stubbed):
    stubbed.has().stores(SECRET.strip("e"))
    with pytest.raises(CommandError, match="has changed the value of A") as failed:
        stubbed.store.save(given(A=SECRET))
    assert SECRET not in str(failed.value)


def test_a_change_that_is_not_visible_yet_is_read_again(stubbed):
    stubbed.has().stores(SECRET, "ParameterNotFound", "ParameterVersionNotFound")
    stubbed.store.save(given(A=SECRET))
    assert stubbed.pauses == list(aws.PAUSES[:2])


def test_a_parameter_that_another_user_has_deleted_is_deleted(stubbed):
    stubbed.has(A="1").fails("delete_parameter", "ParameterNotFound")
    stubbed.store.save({})


@pytest.mark.parametrize("code", ["TooManyUpdates", "ThrottlingException"])
def test_waits_while_aws_throttles(stubbed, code):
    stubbed.fails("get_parameters_by_path", code).has().fails("put_parameter", code, times=2).stores(SECRET)
    stubbed.store.save(given(A=SECRET))
    assert stubbed.pauses == [aws.PAUSES[0], *aws.PAUSES[:2]]


MINUTE = "run the command again in a minute"


@pytest.mark.parametrize(
    ("code", "times", "why", "remedy"),
    [
        ("AccessDeniedException", 1, "not authorized to perform", "make infra"),
        ("TooManyUpdates", 6, "no more changes at the moment", MINUTE),
        ("ThrottlingException", 6, "no more changes at the moment", MINUTE),
        ("ParameterLimitExceeded", 1, "as many parameters as AWS allows", "delete unused parameters"),
        ("ParameterMaxVersionLimitExceeded", 1, "has a label", "aws ssm unlabel-parameter-version"),
        ("HierarchyTypeMismatchException", 1, "another type than SecureString", "aws ssm delete-parameter"),
        ("ValidationException", 1, "refused the value (ValidationException)", "choose another value"),
    ],
)
def test_a_refused_change_names_the_remedy_and_not_the_value(stubbed, code, times, why, remedy):
    message = "not authorized to perform ssm:PutParameter" if code.startswith("Access") else f"Value {SECRET} is wrong"
    stubbed.has().fails("put_parameter", code, times=times, message=message)
    with pytest.raises(CommandError, match=f"did not store {PATH}/A") as failed:
        stubbed.store.save(given(A=SECRET))
    assert why in str(failed.value.why)
    assert failed.value.remedy == remedy
    assert SECRET not in str(failed.value)


@pytest.mark.parametrize(
    ("code", "status", "error", "remedy"),
    [
        ("AccessDeniedException", 400, aws.Refused, "make infra"),
        ("InternalServerError", 500, aws.NoAnswer, MINUTE),
    ],
)
def test_settings_that_cannot_be_read_are_an_error(stubbed, code, status, error, remedy):
    stubbed.fails("get_parameters_by_path", code, status, times=6 if status == 500 else 1)
    with pytest.raises(error) as failed:
        stubbed.store.load()
    assert failed.value.remedy.endswith(remedy)


def test_a_host_without_its_role_or_boto3_is_repaired_by_make_infra(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(aws.NoCredentials) as failed:
        ParameterStore(PATH, fake_aws.REGION).load()
    assert failed.value.remedy == "make infra"
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(CommandError, match="boto3 is not installed") as failed:
        ParameterStore(PATH, fake_aws.REGION).load()
    assert failed.value.remedy == "make infra"


def test_the_region_is_that_of_the_host(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert ParameterStore(PATH, "eu-north-1")._ssm.boto.meta.region_name == "eu-north-1"
    with pytest.raises(UsageError, match="invalid AWS_REGION 'no region!'"):
        ParameterStore(PATH, "no region!").load()
