"""ECR Public: the real boto3 client against a fake of its API, and registry.py over TLS against a real registry behind
ECR Public's token handshake, under its real name. Nothing leaves the machine."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
import fake_ecr_public
import oci
import pytest
import token_registry
from delivery import aws, ecr, references, registry
from delivery.cli import CommandError

ROOT = Path(__file__).parents[2]
ALIAS = fake_ecr_public.ALIAS
OTHER = "sha256:" + "0" * 64


@pytest.fixture
def settings(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it remembers credentials
    for name, value in {
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def api(settings, monkeypatch):
    """The fake API, with a repository book-shop."""
    fake = fake_ecr_public.EcrPublic()
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR_PUBLIC", fake.url)
    fake.on_CreateRepository("book-shop")
    yield fake
    fake.close()


@pytest.fixture
def front(real_registry, certificate, monkeypatch):
    """The TokenRegistry that public.ecr.aws is here; the real registry behind it is new to each test by its `name`."""
    made = token_registry.TokenRegistry(real_registry[0], certificate, "public.ecr.aws")
    connect = socket.create_connection

    def here(address, *rest, **more):
        return connect(("127.0.0.1", made.port) if address == ("public.ecr.aws", 443) else address, *rest, **more)

    monkeypatch.setattr(socket, "create_connection", here)
    monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
    monkeypatch.setenv("no_proxy", "*")
    yield made
    made.close()


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def shop(api, front, pauses, real_registry):
    """(client, repository upstream); the API is told of what a test pushes by `push`."""
    client = ecr.EcrPublic(f"public.ecr.aws/{ALIAS}/book-shop", pauses.append)
    upstream = f"{real_registry[0]}/{ALIAS}/book-shop"

    def push(tag, labels=None, pushed=None):
        digest = oci.push(f"{upstream}:{tag}", labels or {"tag": tag})
        images = api.images["book-shop"]
        for image in images.values():
            image["tags"] = [kept for kept in image["tags"] if kept != tag]
        images.setdefault(digest, {"tags": [], "pushed": pushed or time.time(), "size": 1})["tags"].append(tag)
        return digest

    reply = front.reply

    def recording(method, path, *rest):
        """The API knows a tag once it is written, as AWS's does."""
        answer = reply(method, path, *rest)
        if method == "PUT" and answer[0] == 201:
            tag = path.rpartition("/")[2]
            api.images["book-shop"][oci.digest(f"{upstream}:{tag}")]["tags"].append(tag)
        return answer

    front.reply = recording
    client.push = push
    return client


def calls(api):
    return [operation for operation, _ in api.calls]


# The token handshake


def test_the_handshake_the_api_gives_the_password_the_token_service_a_token_the_registry_the_manifest(shop, api, front):
    digest = shop.push("1.0.0")
    assert shop.digest("1.0.0") == digest
    assert calls(api) == ["GetAuthorizationToken"]
    path = f"/v2/{ALIAS}/book-shop/manifests/1.0.0"
    assert front.asked == [
        ("HEAD", path, ""),
        ("GET", "/token/?service=public.ecr.aws&scope=aws", "Basic"),
        ("HEAD", path, "Bearer"),
    ]
    assert shop.labels(digest) == {"tag": "1.0.0"}
    assert calls(api) == ["GetAuthorizationToken"]  # once


def test_promotion_writes_one_manifest_with_the_token(shop, front):
    digest = shop.push("snapshot")
    shop.tag(shop.manifest(digest), "2.0.0")
    assert front.asked[-1] == ("PUT", f"/v2/{ALIAS}/book-shop/manifests/2.0.0", "Bearer")
    assert shop.digest("2.0.0") == digest


def test_without_credentials_it_reads_as_anybody_does_and_writes_nothing(shop, api, front, monkeypatch, capsys):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    digest = shop.push("anonymous")
    assert shop.recorded_digest("anonymous") == digest
    assert "reading public.ecr.aws without a login" in capsys.readouterr().err
    with pytest.raises(registry.Denied, match="403 DENIED"):
        shop.tag(shop.manifest(digest), "3.0.0")
    with pytest.raises(CommandError, match="there are no AWS credentials"), shop.engine():
        pass
    with pytest.raises(aws.NoCredentials):
        shop.images()
    assert calls(api) == []


def test_a_wrong_password_is_told(shop, front, monkeypatch):
    monkeypatch.setattr(token_registry, "BASIC", "Basic another")
    with pytest.raises(registry.Denied, match="gave no token: 401 UNAUTHORIZED: wrong password"):
        shop.digest("1.0.0")


def test_a_certificate_that_is_not_trusted_ends_it_before_any_password_is_sent(shop, front, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")
    with pytest.raises(registry.Unreachable, match="certificate"):
        shop.digest("1.0.0")
    assert front.asked == []


# Which repository


@pytest.mark.parametrize(
    ("settings_of", "kind", "repository"),
    [
        ({"REPOSITORY": "localhost:5000/book-shop"}, registry.Registry, "localhost:5000/book-shop"),
        ({"HOST": "aws", "REPOSITORY": "localhost:5000/book-shop"}, registry.Registry, "localhost:5000/book-shop"),
        ({"REPOSITORY": f"public.ecr.aws/{ALIAS}/x"}, ecr.EcrPublic, f"public.ecr.aws/{ALIAS}/x"),
        ({"REPOSITORY": "public.ecr.aws.example.com/a/x"}, registry.Registry, "public.ecr.aws.example.com/a/x"),
        ({"HOST": "aws", "NAME": "book-shop"}, ecr.EcrPublic, f"public.ecr.aws/{ALIAS}/book-shop"),
        ({"HOST": "aws", "NAME": "book-shop", "REPOSITORY": ""}, ecr.EcrPublic, f"public.ecr.aws/{ALIAS}/book-shop"),
    ],
)
def test_the_shops_repository_is_the_one_given_or_the_accounts(api, monkeypatch, settings_of, kind, repository):
    for name in ("DELIVERY_HOST", "DELIVERY_NAME", "DELIVERY_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings_of.items():
        monkeypatch.setenv(f"DELIVERY_{name}", value)
    shop = registry.shop()
    assert (type(shop), str(shop.repository)) == (kind, repository)
    assert calls(api) == ([] if settings_of.get("REPOSITORY") else ["DescribeRepositories"])


def test_an_account_without_the_repository_names_make_infra(api, monkeypatch):
    monkeypatch.setenv("DELIVERY_HOST", "aws")
    monkeypatch.setenv("DELIVERY_NAME", "other")
    monkeypatch.delenv("DELIVERY_REPOSITORY", raising=False)
    with pytest.raises(aws.Refused, match="RepositoryNotFoundException") as raised:
        registry.shop()
    assert raised.value.remedy == "make infra"


def test_a_repository_of_somebody_else_is_read_and_never_asked_of_the_own_account(api):
    shop = ecr.EcrPublic("public.ecr.aws/another/book-shop")
    image = registry.Image(OTHER, ("1.0.0-SNAPSHOT",))
    for ask in (lambda: shop.recorded_digest("x"), shop.images, lambda: shop.delete([image])):
        with pytest.raises(CommandError, match="another/book-shop belongs to another account"):
            ask()
    assert set(calls(api)) == {"DescribeRepositories"}


def test_an_address_without_a_name_is_no_repository():
    with pytest.raises(references.BadReference, match="invalid repository '"):
        ecr.EcrPublic("public.ecr.aws/book-shop")


def test_boto3_is_loaded_for_ecr_public_and_for_aws_only():
    program = "import sys; from delivery import registry, targets; "
    program += "registry.shop(); targets.host(); print('boto3' in sys.modules)"
    environment = {
        "PYTHONPATH": str(ROOT / "scripts"),
        "DELIVERY_REPOSITORY": "localhost:5000/a",
        "DELIVERY_HOST": "local",
        "DELIVERY_DEMO": "x",
    }
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\n", "")


# Old reads, and too many


def test_a_stale_read_never_decides_a_write(shop, api, front):
    front.cached = {}
    assert shop.digest("1.1.0") is None  # and that is kept
    digest = shop.push("1.1.0")
    assert shop.digest("1.1.0") is None
    assert shop.recorded_digest("1.1.0") == shop.awaited_digest("1.1.0") == digest
    moved = shop.push("1.1.0", {"a": "b"})
    assert shop.recorded_digest("1.1.0") == moved
    assert shop.recorded_digest("1.2.0") is None


def test_a_tag_that_should_be_there_is_waited_for_and_not_for_ever(shop, api, pauses, capsys):
    asked = shop.recorded_digest
    answers = [None, None, OTHER]
    shop.recorded_digest = lambda tag: answers.pop(0)
    assert shop.awaited_digest("1.0.0") == OTHER
    assert pauses == [1, 2]
    assert "public.ecr.aws has no tag 1.0.0 yet" in capsys.readouterr().err
    shop.recorded_digest = asked
    assert shop.awaited_digest("none") is None
    assert pauses == [1, 2, *ecr.EcrPublic.LAG]


def test_too_many_requests_are_waited_out_longer_than_other_trouble(shop, front, pauses):
    digest = shop.push("1.0.0")
    front.throttle = 2
    assert shop.digest("1.0.0") == digest
    assert pauses == list(registry.THROTTLED[:2])
    front.throttle = 9
    with pytest.raises(registry.Unreachable, match=r"takes no more requests(?s:.*)answered 429"):
        shop.digest("1.0.0")
    assert len(pauses) == 2 + len(registry.THROTTLED)


def test_too_many_requests_to_the_token_service_as_well(shop, front, pauses):
    digest = shop.push("1.0.0")
    reply, left = front.reply, [2]

    def throttled(method, path, *rest):
        if path.startswith("/token/") and left[0]:
            left[0] -= 1
            return token_registry.error(429, "TOOMANYREQUESTS", "Rate exceeded")
        return reply(method, path, *rest)

    front.reply = throttled
    assert shop.digest("1.0.0") == digest
    assert pauses == list(registry.THROTTLED[:2])


def test_the_api_throttles_and_boto3_itself_repeats_nothing(shop, api, pauses):
    left = ["ThrottlingException", "TooManyRequestsException", "ServerException"]
    describe = api.on_DescribeImages

    def throttled(**request):
        if left:
            raise fake_ecr_public.Refused(left.pop(0))
        return describe(**request)

    api.on_DescribeImages = throttled
    with pytest.raises(aws.Refused, match="ServerException"):
        shop.images()
    assert calls(api).count("DescribeImages") == 3
    assert pauses == [0.5, 1]
    assert shop.images() == []


# Listing and deleting


def test_images_come_page_by_page_with_their_tags_and_dates(shop, api):
    digests = [shop.push(f"tag-{number}", pushed=1700000000 + number) for number in range(3)]
    api.images["book-shop"][OTHER] = {"tags": [], "pushed": 1700000009, "size": 1}
    describe = api.on_DescribeImages
    api.on_DescribeImages = lambda **request: describe(**request | {"maxResults": 2})
    assert shop.images() == [
        *[registry.Image(digest, (f"tag-{i}",), 1700000000.0 + i) for i, digest in enumerate(digests)],
        registry.Image(OTHER, (), 1700000009.0),
    ]
    assert calls(api).count("DescribeImages") == 2


def test_images_are_deleted_by_tag_so_one_that_was_promoted_meanwhile_stays(shop, api):
    old, promoted = shop.push("old"), shop.push("promoted")
    images = [image for image in shop.images() if image.digest in (old, promoted)]
    api.images["book-shop"][promoted]["tags"].append("1.0.0")
    shop.delete(images)
    assert api.images["book-shop"] == {promoted: {**api.images["book-shop"][promoted], "tags": ["1.0.0"]}}
    assert api.calls[-1] == (
        "BatchDeleteImage",
        {"repositoryName": "book-shop", "imageIds": [{"imageTag": "old"}, {"imageTag": "promoted"}]},
    )
    shop.delete(images)  # again: what is gone is gone


def test_no_request_deletes_more_than_100_and_none_deletes_nothing(shop, api):
    images = [registry.Image(OTHER, tuple(f"t{number}" for number in range(150))), registry.Image(OTHER, ("x",))]
    shop.delete(images)
    assert [len(request["imageIds"]) for operation, request in api.calls if operation == "BatchDeleteImage"] == [
        100,
        51,
    ]
    api.calls.clear()
    shop.delete([])
    assert calls(api) == []


def test_what_the_api_does_not_delete_is_told(shop, api):
    failure = {"imageId": {"imageTag": "a"}, "failureCode": "KmsError", "failureReason": "no key"}
    api.on_BatchDeleteImage = lambda **request: {"imageIds": [], "failures": [failure]}
    with pytest.raises(CommandError, match=r"(?s)some images were not deleted.*no key"):
        shop.delete([registry.Image(OTHER, ("a",))])


# docker push

DOCKER = """#!{python}
import json, os, sys
place = {place!r}
configuration = os.environ.get("DOCKER_CONFIG", "")
files = {{}}
for directory, _, names in os.walk(configuration):
    files |= {{name: open(os.path.join(directory, name)).read() for name in names}}
with open(place + "/log", "a") as log:
    print(json.dumps([sys.argv[1:], os.environ.get("DOCKER_HOST"), configuration, files]), file=log)
if sys.argv[1] == "context":
    print("unix:///run/user/1000/docker.sock")
if sys.argv[1] == "login":
    with open(place + "/stdin", "w") as file:
        file.write(sys.stdin.read())
    if os.path.exists(place + "/refuses"):
        sys.exit("Error: denied")
    with open(configuration + "/config.json", "w") as file:
        file.write("the password")
"""


@pytest.fixture
def docker(tmp_path, monkeypatch):
    (tmp_path / "docker").write_text(DOCKER.format(python=sys.executable, place=str(tmp_path)))
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "tmp").mkdir()
    for name in ("DOCKER_CONFIG", "DOCKER_HOST"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path, lambda: [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]


def test_docker_is_logged_in_by_standard_input_in_a_configuration_that_goes(shop, docker):
    place, log = docker
    with shop.engine() as environment:
        subprocess.run(["docker", "push", "x"], env=environment, check=True)
        directory = Path(environment["DOCKER_CONFIG"])
        assert directory.stat().st_mode & 0o777 == 0o700
    context, login, push = log()
    engine = "unix:///run/user/1000/docker.sock"
    assert context == [["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"], None, "", {}]
    arguments = ["login", "--username", "AWS", "--password-stdin", "public.ecr.aws"]
    assert login == [arguments, engine, str(directory), {"config.json": '{"auths": {"public.ecr.aws": {}}}'}]
    assert push == [["push", "x"], engine, str(directory), {"config.json": "the password"}]
    assert (place / "stdin").read_text() == "a password"
    assert not directory.exists()
    assert list((place / "tmp").iterdir()) == []
    assert "DOCKER_CONFIG" not in os.environ


def test_a_login_that_is_refused_and_a_push_that_breaks_leave_nothing_either(shop, docker):
    place, _ = docker
    (place / "refuses").touch()
    with pytest.raises(CommandError, match=r"(?s)docker login failed.*denied"), shop.engine():
        pass
    (place / "refuses").unlink()
    with pytest.raises(KeyboardInterrupt), shop.engine():
        raise KeyboardInterrupt
    assert list((place / "tmp").iterdir()) == []


def test_any_other_registry_leaves_docker_as_it_is():
    with registry.Registry("localhost:5000/a").engine() as environment:
        assert environment == dict(os.environ)


# What the roles of the workflows may do

USED = {  # by push, deploy and prune, by promote and deploy
    "dev": {"DescribeRepositories", "DescribeImages", "PutImage", "BatchDeleteImage"},
    "prod": {"DescribeRepositories", "DescribeImages", "PutImage"},
}


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_the_roles_may_do_what_the_verbs_do_and_prod_deletes_nothing(environment):
    text = (ROOT / "terraform/github.tf").read_text()
    block = re.search(rf"\n    {environment} = \[(.*?)\]", text, re.DOTALL)[1]
    actions = set(re.findall(r'"ecr-public:(\w+)"', block))
    assert actions >= USED[environment]
    assert environment == "dev" or "BatchDeleteImage" not in actions
