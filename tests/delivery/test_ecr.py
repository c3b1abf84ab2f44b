"""ECR Public: boto3 against a fake of its API, and registry.py over TLS, under the real name, against a real registry
behind ECR Public's token service. Nothing leaves the machine."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import fake_aws
import fake_ecr_public
import oci
import pytest
import token_registry
from delivery import aws, ecr, references, registry
from delivery.cli import CommandError

ROOT = Path(__file__).parents[2]
ALIAS = fake_ecr_public.ALIAS
PATH = f"/v2/{ALIAS}/book-shop/manifests"
OTHER = "sha256:" + "0" * 64


@pytest.fixture
def api(monkeypatch):
    """The fake API, with a repository book-shop."""
    fake = fake_ecr_public.EcrPublic()
    fake_aws.use_test_credentials(monkeypatch, AWS_ENDPOINT_URL_ECR_PUBLIC=fake.url)
    fake.on_CreateRepository("book-shop")
    yield fake
    fake.close()


@pytest.fixture
def front(real_registry, certificate, monkeypatch):
    """The TokenRegistry that public.ecr.aws is here."""
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
    """A client of the repository book-shop. The API learns the tags that its `push` writes."""
    client = ecr.EcrPublic(f"public.ecr.aws/{ALIAS}/book-shop", pauses.append)
    upstream, images = f"{real_registry[0]}/{ALIAS}/book-shop", api.images["book-shop"]

    def push(tag, labels=None, pushed=None):
        digest = oci.push(f"{upstream}:{tag}", labels or {"tag": tag})
        for image in images.values():
            image["tags"] = [kept for kept in image["tags"] if kept != tag]
        images.setdefault(digest, {"tags": [], "pushed": pushed or time.time(), "size": 1})["tags"].append(tag)
        return digest

    client.push = push
    return client


def calls(api):
    return [operation for operation, _ in api.calls]


# The token handshake


def test_logs_in_once_by_the_api_and_the_token_service(shop, api, front):
    digest = shop.push("1.0.0")
    assert shop.digest("1.0.0") == digest
    token = ("GET", "/token/?service=public.ecr.aws&scope=aws", "Basic")
    assert front.asked == [("HEAD", f"{PATH}/1.0.0", ""), token, ("HEAD", f"{PATH}/1.0.0", "Bearer")]
    assert shop.labels(digest) == {"tag": "1.0.0"}
    assert calls(api) == ["GetAuthorizationToken"]


def test_reads_and_does_not_write_without_credentials(shop, api, monkeypatch, capsys):
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


def test_fails_when_the_token_service_refuses_the_password(shop, monkeypatch):
    monkeypatch.setattr(token_registry, "BASIC", "Basic another")
    with pytest.raises(registry.Denied, match="returned no token: 401 UNAUTHORIZED: wrong password"):
        shop.digest("1.0.0")


def test_sends_no_request_when_the_certificate_is_not_trusted(shop, front, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")
    with pytest.raises(registry.Unreachable, match="certificate"):
        shop.digest("1.0.0")
    assert front.asked == []


# Which repository

LOCAL, OWN = "localhost:5000/book-shop", f"public.ecr.aws/{ALIAS}/book-shop"


@pytest.mark.parametrize(
    ("variables", "kind", "repository"),
    [
        ({"REPOSITORY": LOCAL}, registry.Registry, LOCAL),
        ({"HOST": "aws", "REPOSITORY": LOCAL}, registry.Registry, LOCAL),
        ({"REPOSITORY": f"public.ecr.aws/{ALIAS}/x"}, ecr.EcrPublic, f"public.ecr.aws/{ALIAS}/x"),
        ({"REPOSITORY": "public.ecr.aws.example.com/a/x"}, registry.Registry, "public.ecr.aws.example.com/a/x"),
        ({"HOST": "aws", "NAME": "book-shop"}, ecr.EcrPublic, OWN),
        ({"HOST": "aws", "NAME": "book-shop", "REPOSITORY": ""}, ecr.EcrPublic, OWN),
    ],
)
def test_uses_the_given_repository_or_else_the_accounts(api, monkeypatch, variables, kind, repository):
    for name in ("DELIVERY_HOST", "DELIVERY_NAME", "DELIVERY_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(f"DELIVERY_{name}", value)
    shop = registry.shop()
    assert (type(shop), str(shop.repository)) == (kind, repository)
    assert calls(api) == ([] if variables.get("REPOSITORY") else ["DescribeRepositories"])


IMAGES = [registry.Image(OTHER, ("1.0.0-SNAPSHOT",))]


@pytest.mark.parametrize(("call", "arguments"), [("recorded_digest", ["x"]), ("images", []), ("delete", [IMAGES])])
def test_asks_nothing_about_a_repository_of_another_account(api, call, arguments):
    shop = ecr.EcrPublic("public.ecr.aws/another/book-shop")
    with pytest.raises(CommandError, match="another/book-shop belongs to another account"):
        getattr(shop, call)(*arguments)
    assert calls(api) == ["DescribeRepositories"]


def test_refuses_an_address_without_a_name():
    with pytest.raises(references.BadReference, match="invalid repository '"):
        ecr.EcrPublic("public.ecr.aws/book-shop")


def test_loads_boto3_only_for_aws():
    program = "import sys; from delivery import registry, targets; "
    program += "registry.shop(); targets.host(); print('boto3' in sys.modules)"
    delivery = {"DELIVERY_REPOSITORY": LOCAL, "DELIVERY_HOST": "local", "DELIVERY_DEMO": "x"}
    environment = delivery | {"PYTHONPATH": str(ROOT / "scripts")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\n", "")


# Old reads, and too many


def test_asks_the_api_for_a_tag_whose_cached_read_is_old(shop, front):
    front.cached = {}
    assert shop.digest("1.1.0") is None
    for labels in ({"a": "1"}, {"a": "2"}):
        digest = shop.push("1.1.0", labels)
        assert shop.digest("1.1.0") is None
        assert shop.recorded_digest("1.1.0") == digest
    assert shop.recorded_digest("1.2.0") is None


@pytest.mark.parametrize(
    ("answers", "digest", "waited"), [([None, None, OTHER], OTHER, (1, 2)), ([None] * 4, None, (1, 2, 4))]
)
def test_waits_for_a_tag_that_should_be_there_for_a_limited_time(shop, pauses, capsys, answers, digest, waited):
    shop.recorded_digest = lambda tag: answers.pop(0)
    assert shop.awaited_digest("1.0.0") == digest
    assert pauses == list(waited)
    assert "public.ecr.aws has no tag 1.0.0 yet" in capsys.readouterr().err


def test_waits_longer_after_too_many_requests(shop, front, pauses):
    digest = shop.push("1.0.0")
    front.throttle = 2
    assert shop.digest("1.0.0") == digest
    assert pauses == list(registry.THROTTLED[:2])
    front.throttle = 9
    with pytest.raises(registry.Unreachable, match=r"too many requests(?s:.*)answered 429"):
        shop.digest("1.0.0")
    assert len(pauses) == 2 + len(registry.THROTTLED)


def test_waits_after_too_many_requests_to_the_token_service(shop, front, pauses):
    digest = shop.push("1.0.0")
    reply, left = front.reply, [token_registry.error(429, "TOOMANYREQUESTS", "Rate exceeded")] * 2
    front.reply = lambda method, path, *rest: (
        left.pop() if path.startswith("/token/") and left else reply(method, path, *rest)
    )
    assert shop.digest("1.0.0") == digest
    assert pauses == list(registry.THROTTLED[:2])


def test_waits_while_the_api_throttles_and_boto3_itself_repeats_nothing(shop, api, pauses):
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


def test_lists_images_of_several_pages_with_tags_and_dates(shop, api):
    digests = [shop.push(f"tag-{number}", pushed=1700000000 + number) for number in range(3)]
    api.images["book-shop"][OTHER] = {"tags": [], "pushed": 1700000009, "size": 1}
    describe = api.on_DescribeImages
    api.on_DescribeImages = lambda **request: describe(**request | {"maxResults": 2})
    tagged = [registry.Image(digest, (f"tag-{i}",), 1700000000.0 + i) for i, digest in enumerate(digests)]
    assert shop.images() == [*tagged, registry.Image(OTHER, (), 1700000009.0)]
    assert calls(api).count("DescribeImages") == 2


def test_deletes_by_tag_so_that_an_image_promoted_meanwhile_stays(shop, api):
    shop.push("old")
    promoted = shop.push("promoted")
    images = shop.images()
    api.images["book-shop"][promoted]["tags"].append("1.0.0")
    shop.delete(images)
    assert {digest: image["tags"] for digest, image in api.images["book-shop"].items()} == {promoted: ["1.0.0"]}
    shop.delete(images)  # again: the tags are deleted already


@pytest.mark.parametrize(("tags", "requests"), [((150, 1), [100, 51]), ((), [])])
def test_deletes_at_most_100_tags_by_one_request(shop, api, tags, requests):
    shop.delete([registry.Image(OTHER, tuple(f"{count}-{number}" for number in range(count))) for count in tags])
    deletes = [request for operation, request in api.calls if operation == "BatchDeleteImage"]
    assert [len(request["imageIds"]) for request in deletes] == requests
    assert requests or calls(api) == []


def test_fails_when_the_api_does_not_delete_an_image(shop, api):
    failure = {"imageId": {"imageTag": "a"}, "failureCode": "KmsError", "failureReason": "no key"}
    api.on_BatchDeleteImage = lambda **request: {"imageIds": [], "failures": [failure]}
    with pytest.raises(CommandError, match=r"(?s)some images were not deleted.*no key"):
        shop.delete([registry.Image(OTHER, ("a",))])


# docker push

DOCKER = """#!{python}
import json, os, pathlib, sys
place, configuration = pathlib.Path({place!r}), os.environ.get("DOCKER_CONFIG", "")
files = {{file.name: file.read_text() for file in pathlib.Path(configuration).iterdir()}} if configuration else {{}}
with (place / "log").open("a") as log:
    print(json.dumps([sys.argv[1:], os.environ.get("DOCKER_HOST"), configuration, files]), file=log)
if sys.argv[1] == "context":
    print("unix:///run/user/1000/docker.sock")
if sys.argv[1] == "login":
    (place / "stdin").write_text(sys.stdin.read())
    if (place / "refuses").exists():
        sys.exit("Error: denied")
    (pathlib.Path(configuration) / "config.json").write_text("the password")
"""


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """The directory of a docker that logs each [arguments, engine, configuration, its files]; its tmp is TMPDIR."""
    (tmp_path / "docker").write_text(DOCKER.format(python=sys.executable, place=str(tmp_path)))
    (tmp_path / "docker").chmod(0o755)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    for name in ("DOCKER_CONFIG", "DOCKER_HOST"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_logs_docker_in_by_stdin_in_a_configuration_that_is_deleted(shop, docker):
    with shop.engine() as environment:
        subprocess.run(["docker", "push", "x"], env=environment, check=True)
        directory = Path(environment["DOCKER_CONFIG"])
        assert directory.stat().st_mode & 0o777 == 0o700
    context, login, push = map(json.loads, (docker / "log").read_text().splitlines())
    engine = "unix:///run/user/1000/docker.sock"
    assert context == [["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"], None, "", {}]
    arguments = ["login", "--username", "AWS", "--password-stdin", "public.ecr.aws"]
    assert login == [arguments, engine, str(directory), {"config.json": '{"auths": {"public.ecr.aws": {}}}'}]
    assert push == [["push", "x"], engine, str(directory), {"config.json": "the password"}]
    assert (docker / "stdin").read_text() == "a password"
    assert list((docker / "tmp").iterdir()) == []
    assert "DOCKER_CONFIG" not in os.environ


def test_deletes_the_configuration_after_a_refused_login_and_a_broken_push(shop, docker):
    (docker / "refuses").touch()
    with pytest.raises(CommandError, match=r"(?s)docker login failed.*denied"), shop.engine():
        pass
    (docker / "refuses").unlink()
    with pytest.raises(KeyboardInterrupt), shop.engine():
        raise KeyboardInterrupt
    assert list((docker / "tmp").iterdir()) == []


def test_leaves_docker_as_it_is_for_any_other_registry():
    with registry.Registry("localhost:5000/a").engine() as environment:
        assert environment == dict(os.environ)


# What the roles of the workflows may do

READS = {"DescribeRepositories", "DescribeImages"}


@pytest.mark.parametrize(
    ("environment", "writes", "never"),
    [
        ("dev", {"PutImage", "BatchDeleteImage"}, set()),  # push, deploy and prune
        ("prod", {"PutImage"}, {"BatchDeleteImage"}),  # promote and deploy
    ],
)
def test_a_role_may_do_what_its_verbs_do_and_prod_deletes_nothing(environment, writes, never):
    text = (ROOT / "terraform/github.tf").read_text()
    block = re.search(rf"\n    {environment} = \[(.*?)\]", text, re.DOTALL)[1]
    actions = set(re.findall(r'"ecr-public:(\w+)"', block))
    assert actions >= READS | writes
    assert not actions & never
