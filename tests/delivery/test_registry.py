import base64
import json
import socket
import uuid

import oci
import pytest
from delivery import references, registry
from delivery.cli import CommandError
from delivery.references import BadReference
from delivery.registry import PAUSES, THROTTLED, Denied, Image, NotFound, Registry, Unexpected, Unreachable

MANIFEST = b'{"schemaVersion": 2}'
DIGEST = registry.digest_of(MANIFEST)
OTHER = "sha256:" + "0" * 64
TYPE = "application/vnd.oci.image.manifest.v1+json"
TYPED = {"Content-Type": TYPE}
FOUND = (200, {**TYPED, "Docker-Content-Digest": DIGEST}, MANIFEST)
PUT = (201, {"Docker-Content-Digest": DIGEST}, b"")
WRITTEN = registry.Manifest(DIGEST, TYPE, MANIFEST)


def error(status, code, message):
    """An answer in the form of the specification's errors."""
    return (status, {}, json.dumps({"errors": [{"code": code, "message": message}]}).encode())


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def shop(scripted, pauses):
    """A client of the scripted registry; it does not wait, but adds to pauses."""
    return Registry(f"{scripted.address}/shop/web", sleep=pauses.append)


@pytest.fixture
def with_password(scripted, pauses):
    """The same client with a credential; `credentials` has each time that it was asked for."""
    asked = []
    client = Registry(f"{scripted.address}/shop/web", lambda: asked.append(1) or ("AWS", "p:w"), pauses.append)
    client.credentials = asked
    return client


@pytest.fixture
def real(real_registry):
    """(client, reference, registry's directory) of a new repository in the real registry."""
    address, directory = real_registry
    reference = f"{address}/shop/{uuid.uuid4().hex}"
    return Registry(reference), reference, directory


# References


@pytest.mark.parametrize(
    ("text", "host", "name"),
    [
        ("localhost:5000/book-shop", "localhost:5000", "book-shop"),
        ("localhost/book-shop", "localhost", "book-shop"),
        ("public.ecr.aws/a1b2c3/book-shop", "public.ecr.aws", "a1b2c3/book-shop"),
        ("registry:5000/a/b_c/d.e--f__g", "registry:5000", "a/b_c/d.e--f__g"),
    ],
)
def test_takes_a_repository_apart(text, host, name):
    assert references.repository(text) == (host, name)
    assert str(references.repository(text)) == text


def test_takes_an_image_apart():
    assert references.image(f"localhost:5000/a@{DIGEST}") == (("localhost:5000", "a"), DIGEST)


BAD_REPOSITORIES = [
    "", "book-shop", "library/book-shop", "localhost:5000", "localhost:5000/", "localhost:5000/Book",
    "localhost:5000/a//b", "localhost:5000/a/", "localhost:5000/a___b", "localhost:5000/-a", "localhost:5000/a:1.0.0",
    f"localhost:5000/a@{DIGEST}", "localhost:x/a", "localhost:123456/a", "http://localhost:5000/a",
    "user@example.com/a", "example.com/a\n", "example.com/a?b", "-example.com/a", "exa mple.com/a",
]  # fmt: skip
BAD_ENDS = ["", ":1", f":1@{DIGEST}", f"@{DIGEST.upper()}", f"@{DIGEST}0", f"@{DIGEST}\n"]


@pytest.mark.parametrize("text", BAD_REPOSITORIES)
def test_refuses_a_bad_repository(text):
    with pytest.raises(BadReference):
        references.repository(text)


@pytest.mark.parametrize(
    "text", [*[f"{name}@{DIGEST}" for name in BAD_REPOSITORIES], *[f"localhost:5000/a{end}" for end in BAD_ENDS]]
)
def test_refuses_a_bad_image(text):
    with pytest.raises(BadReference):
        references.image(text)


@pytest.mark.parametrize("tag", ["", ".a", "-a", "a/b", "a b", "a:b", "a" * 129, "a\n", "ä"])
def test_refuses_a_bad_tag_before_any_request(shop, scripted, tag):
    for ask in (shop.digest, shop.manifest, shop.labels, lambda tag: shop.tag(WRITTEN, tag)):
        with pytest.raises(BadReference):
            ask(tag)
    assert scripted.asked() == []


LOOPBACK = ["localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9"]
REMOTE = ["public.ecr.aws", "127.0.0.1.example.com", "localhost.example.com:5000", "registry:5000", "10.0.0.1:5000"]


@pytest.mark.parametrize("host", [*LOOPBACK, *REMOTE])
def test_speaks_plain_http_to_loopback_only(host):
    assert Registry(f"{host}/a").scheme == ("http" if host in LOOPBACK else "https")


# A real registry


def test_real_a_missing_tag_in_a_missing_and_a_present_repository(real):
    client, reference, _ = real
    assert client.digest("none") is None
    oci.push(f"{reference}:1.0.0", {})
    assert client.digest("none") is None
    for ask, name in ((client.manifest, "none"), (client.labels, OTHER)):
        with pytest.raises(NotFound):
            ask(name)


DOCKER = ("distribution.manifest.v2+json", "container.image.v1+json", "image.rootfs.diff.tar.gzip")


def index(media_type, *entries):
    """An index of images, each (digest, os, architecture)."""
    manifests = [
        {"mediaType": TYPE, "digest": digest, "size": 1, "platform": {"os": os, "architecture": architecture}}
        for digest, os, architecture in entries
    ]
    return oci.encode({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests})


def test_real_labels_of_an_image(real):
    client, reference, _ = real
    digest = oci.push(f"{reference}:oci", {"a": "amd64"})
    docker = oci.push(f"{reference}:docker", {"a": "docker"}, [f"application/vnd.docker.{kind}" for kind in DOCKER])
    oci.push(f"{reference}:none", None)
    assert client.labels("oci") == client.labels(digest) == {"a": "amd64"}
    assert client.labels(docker) == {"a": "docker"}
    assert client.labels("none") == {}
    client.tag(client.manifest("docker"), "docker-again")
    assert client.digest("docker-again") == docker


@pytest.mark.parametrize("media_type", registry.INDEXES)
def test_real_labels_of_an_index_are_those_of_amd64_or_of_the_only_image(real, media_type):
    client, reference, _ = real
    amd64, arm64 = oci.push(f"{reference}:amd", {"a": "amd64"}), oci.push(f"{reference}:arm", {"a": "arm64"})
    arm, attestation = (arm64, "linux", "arm64"), (arm64, "unknown", "unknown")
    both = index(media_type, arm, (amd64, "linux", "amd64"), attestation)
    digest = oci.put(reference, "index", both, media_type)
    assert client.digest("index") == digest
    assert client.labels("index") == {"a": "amd64"}
    oci.put(reference, "one", index(media_type, arm, attestation), media_type)
    assert client.labels("one") == {"a": "arm64"}
    oci.put(reference, "two", index(media_type, arm, (amd64, "linux", "s390x")), media_type)
    with pytest.raises(Unexpected, match="none for linux/amd64"):
        client.labels("two")
    client.tag(client.manifest("index"), "index-again")
    assert client.digest("index-again") == digest


# Listing and deleting


def test_real_lists_all_tags_and_images_of_several_pages(real):
    client, reference, _ = real
    assert client.tags() == client.images() == []
    one, two = oci.push(f"{reference}:a", {"a": "1"}), oci.push(f"{reference}:b", {"a": "2"})
    manifest, names = client.manifest(one), [f"t{number}" for number in range(120)]
    for name in names:
        client.tag(manifest, name)
    assert sorted(client.tags()) == sorted(["a", "b", *names])
    found = {image.digest: image for image in client.images()}
    assert found.keys() == {one, two}
    assert found[two] == Image(two, ("b",), None)
    assert len(found[one].tags) == 121


def page(tags, url=None):
    """A page of a list of tags, and the link to the next."""
    return (200, {"Link": f'<{url}>; rel="next"'} if url else {}, json.dumps({"tags": tags}).encode())


def test_follows_the_links_between_pages_of_tags(shop, scripted):
    path = "/v2/shop/web/tags/list"
    absolute = f"http://{scripted.address}{path}?last=d&n=2"
    scripted.answers = [page(["a", "b"], f"{path}?last=b&n=2"), page(["c", "d"], absolute), page(None)]
    assert shop.tags() == ["a", "b", "c", "d"]
    assert [path.partition("?")[2] for path in scripted.asked()] == ["n=100", "last=b&n=2", "last=d&n=2"]


def test_ends_when_the_pages_of_tags_are_a_circle(shop, scripted):
    scripted.answers = [page(["a"], "/v2/shop/web/tags/list?last=a")] * 9
    assert shop.tags() == ["a"]
    assert len(scripted.answers) == 7


def test_real_deletes_an_image_with_its_tags_and_no_others(real):
    client, reference, _ = real
    one, two = oci.push(f"{reference}:a", {"a": "1"}), oci.push(f"{reference}:b", {"a": "2"})
    client.tag(client.manifest(one), "a2")
    client.delete([image for image in client.images() if image.digest == one])
    assert client.images() == [Image(two, ("b",))]
    with pytest.raises(NotFound):
        client.manifest(one)
    client.delete([Image(one, ("a", "a2"))])  # again: it is deleted already


def test_real_deletes_nothing_when_an_image_was_promoted_meanwhile(real):
    client, reference, _ = real
    one, two = oci.push(f"{reference}:a", {"a": "1"}), oci.push(f"{reference}:b", {"a": "2"})
    images = sorted(client.images())
    client.tag(client.manifest(two), "1.0.0")
    given = f"has changed: nothing was deleted(?s:.*){two} has been given the tag 1.0.0"
    with pytest.raises(CommandError, match=given):
        client.delete(images)
    assert client.digest("a") == one
    assert client.digest("b") == client.digest("1.0.0") == two


def test_fails_when_the_registry_does_not_delete(shop, scripted, monkeypatch):
    handler = scripted.server.RequestHandlerClass
    monkeypatch.setattr(handler, "do_DELETE", handler.do_GET, raising=False)
    scripted.answers = [(404, {}, b""), error(405, "UNSUPPORTED", "unsupported")]
    with pytest.raises(CommandError, match=r"does not allow deletion(?s:.*)405 UNSUPPORTED") as raised:
        shop.delete([Image(DIGEST, ("a",))])
    assert raised.value.remedy == "set storage.delete.enabled in the registry's configuration"
    assert scripted.asked()[-1] == f"DELETE /v2/shop/web/manifests/{DIGEST}"


# Requests and answers


def test_accepts_all_media_types_and_keeps_the_content_type_to_the_letter(shop, scripted):
    odd = TYPE + "; charset=utf-8"
    scripted.answers = [(200, {"Content-Type": odd}, MANIFEST), PUT, FOUND]
    shop.tag(shop.manifest("a"), "b")
    get, put, _ = scripted.requests
    assert set(get.headers["Accept"].split(", ")) == {*registry.INDEXES, *registry.IMAGES}
    assert (put.method, put.path) == ("PUT", "/v2/shop/web/manifests/b")
    assert (put.headers["Content-Type"], put.body) == (odd, MANIFEST)


def test_works_with_a_registry_that_leaves_the_digest_out(shop, scripted):
    scripted.answers = [(200, TYPED, MANIFEST)] * 2 + [(201, {}, b""), (200, {"Docker-Content-Digest": DIGEST}, b"")]
    assert shop.digest("a") == DIGEST
    shop.tag(WRITTEN, "b")
    assert scripted.asked()[-2:] == ["PUT /v2/shop/web/manifests/b", "HEAD /v2/shop/web/manifests/b"]


CONFIG = b'{"config": {"Labels": {"a": "b"}}}'


def manifest(content=MANIFEST, **headers):
    """The answer with a manifest, and these headers in addition to its type."""
    return (200, TYPED | {name.replace("_", "-"): value for name, value in headers.items()}, content)


def image_of(config, digest=None):
    """The answers with a manifest and its config."""
    named = json.dumps({"config": {"digest": digest or registry.digest_of(config)}})
    return [manifest(named.encode()), (200, {}, config)]


def blob_at(url):
    """The answers with a manifest and the address of its config."""
    return [image_of(CONFIG)[0], (307, {"Location": url}, b"")]


CALLS = {
    "manifest": lambda shop: shop.manifest("a"),
    "manifest of OTHER": lambda shop: shop.manifest(OTHER),
    "labels": lambda shop: shop.labels("a"),
    "tag": lambda shop: shop.tag(WRITTEN, "b"),
    "tags": lambda shop: shop.tags(),
}


@pytest.mark.parametrize(
    ("call", "answers", "why"),
    [
        ("manifest of OTHER", [FOUND], f"have the digest {DIGEST}, not {OTHER}"),
        ("manifest", [manifest(Docker_Content_Digest=OTHER)], f"not {OTHER}"),
        ("manifest", [manifest(Docker_Content_Digest="md5:1")], "is not a sha256 digest"),
        ("manifest", [(200, {"Content-Type": "text/html"}, MANIFEST)], "its media type is 'text/html'"),
        ("manifest", [(200, {}, MANIFEST)], "its media type is ''"),
        ("manifest", [manifest(b"", Content_Length=str(5 << 20))], "larger than"),
        *[("labels", [manifest(content)], "invalid image a") for content in (b"not JSON", b"[]", b"{}")],
        ("labels", image_of(CONFIG, "sha256:../../x"), "invalid image a"),
        ("labels", image_of(CONFIG, OTHER), "invalid image a"),
        ("labels", image_of(b"[1]"), "invalid image a"),
        ("labels", image_of(b"\xff"), "invalid image a"),
        ("labels", blob_at("file:///etc/passwd"), "redirects to file"),
        ("tag", [(201, {"Docker-Content-Digest": OTHER}, b"")], f"stored {OTHER} instead of {DIGEST}"),
        ("tag", [(202, {}, b"")], "PUT manifests/b was answered 202"),
        ("tag", [(400, {}, b"")], "PUT manifests/b was answered 400"),
        *[
            ("tags", [(200, {}, content)], "invalid list of tags")
            for content in (b"", b"[]", b"{}", b'{"tags": 1}', b'{"tags": [1]}', b'{"tags": ["a/b"]}')
        ],
    ],
)
def test_refuses_an_answer_that_the_specification_does_not_allow(shop, scripted, call, answers, why):
    scripted.answers = [*answers]
    with pytest.raises(Unexpected, match=why):
        CALLS[call](shop)


@pytest.mark.parametrize(("status", "now"), [(200, OTHER), (404, "gone")])
def test_fails_when_another_process_wrote_the_tag_at_the_same_time(shop, scripted, status, now):
    scripted.answers = [PUT, (status, TYPED | {"Docker-Content-Digest": OTHER}, b"")]
    with pytest.raises(registry.Moved, match=f"{DIGEST} was written, and it is {now}"):
        shop.tag(WRITTEN, "b")


def test_fetches_a_blob_from_another_host_without_the_token(with_password, scripted, other):
    answers = blob_at(f"http://{other.address}/blob?signed=1")
    scripted.answers = [asks_for("Basic realm=x"), *answers]
    other.answers = [(200, {}, CONFIG)]
    assert with_password.labels("a") == {"a": "b"}
    assert other.asked() == ["GET /blob?signed=1"]
    assert "Authorization" not in other.requests[0].headers
    assert "Authorization" in scripted.requests[-1].headers


def test_follows_at_most_five_redirects(shop, scripted):
    here = f"http://{scripted.address}/round"
    scripted.answers = [*blob_at(here), *[(307, {"Location": here}, b"")] * 10]
    with pytest.raises(Unexpected, match="more than 5 redirects"):
        shop.labels("a")
    assert scripted.asked()[2:] == ["GET /round"] * 5


# Tokens

BEARER = 'Bearer realm="http://{}/token?a=b",service="the registry",scope="repository:shop/web:{}"'


def asks_for(challenge):
    return (401, {"WWW-Authenticate": challenge}, b"")


def challenge(address, actions="pull"):
    return asks_for(BEARER.format(address, actions))


def token(value, name="token"):
    return (200, {}, json.dumps({name: value}).encode())


@pytest.mark.parametrize("name", ["token", "access_token"])
def test_fetches_an_anonymous_token_once(shop, scripted, other, name):
    scripted.answers = [challenge(other.address), FOUND, FOUND]
    other.answers = [token("t0", name)]
    assert shop.digest("a") == shop.digest("b") == DIGEST
    assert other.asked() == ["GET /token?a=b&service=the+registry&scope=repository%3Ashop%2Fweb%3Apull"]
    assert "Authorization" not in other.requests[0].headers
    assert [request.headers.get("Authorization") for request in scripted.requests] == [None, "Bearer t0", "Bearer t0"]


def test_sends_a_credential_to_the_token_service_only_when_asked_for(with_password, scripted, other):
    scripted.answers = [FOUND, challenge(other.address), FOUND]
    other.answers = [token("t0")]
    assert with_password.digest("a") == DIGEST
    assert with_password.credentials == []
    assert with_password.digest("a") == DIGEST
    assert other.requests[0].headers["Authorization"] == "Basic " + base64.b64encode(b"AWS:p:w").decode()
    assert scripted.requests[-1].headers["Authorization"] == "Bearer t0"


def test_renews_a_token_that_expired_or_may_only_read(shop, scripted, other):
    scripted.answers = [challenge(other.address), FOUND, challenge(other.address, "pull,push"), PUT, FOUND]
    other.answers = [token("r"), token("w")]
    shop.tag(shop.manifest("a"), "b")
    assert "pull%2Cpush" in other.requests[1].path
    put = scripted.requests[-2]
    assert (put.headers["Authorization"], put.body) == ("Bearer w", MANIFEST)


@pytest.mark.parametrize(
    ("answers", "tokens", "kind", "why"),
    [
        ([(401, {}, b"")], [], Denied, "401 without WWW-Authenticate"),
        ([asks_for("Basic realm=x")], [], Denied, "it requires 'Basic realm=x'"),
        ([asks_for("Bearer service=x")], [], Denied, "it requires"),
        ([error(403, "DENIED", "no")], [], Denied, "DENIED: no"),
        (["challenge"], [(403, {}, b"")], Denied, "returned no token: 403"),
        (["challenge"], [(200, {}, b"<html>")], Unexpected, "contains no token"),
        (["challenge"], [(200, {}, b"{}")], Unexpected, "contains no token"),
        (["challenge"], [(200, {}, b"[]")], Unexpected, "contains no token"),
        (["challenge", "challenge"], [token("t")], Denied, "answered 401"),
    ],
)
def test_fails_when_access_is_denied(shop, scripted, other, answers, tokens, kind, why):
    scripted.answers = [challenge(other.address) if answer == "challenge" else answer for answer in answers]
    other.answers = tokens
    with pytest.raises(kind, match=why):
        shop.manifest("a")


def test_sends_no_credential_to_a_token_service_over_plain_http(with_password, scripted):
    scripted.answers = [challenge("tokens.example.com")]
    with pytest.raises(Unexpected, match="is not https"):
        with_password.digest("a")


# Trouble on the way


@pytest.mark.parametrize(("status", "waits"), [(429, THROTTLED), (500, PAUSES), (502, PAUSES), (503, PAUSES)])
def test_tries_again_after_a_passing_error(shop, scripted, pauses, status, waits):
    scripted.answers = [(status, {}, b""), (status, {}, b""), FOUND]
    assert shop.manifest("a").body == MANIFEST
    assert pauses == list(waits[:2])


def test_waits_as_retry_after_says_within_bounds(shop, scripted, pauses):
    later = ["7", "86400", "Wed, 21 Oct 2026 07:28:00 GMT"]
    scripted.answers = [*[(429, {"Retry-After": after}, b"") for after in later], FOUND]
    assert shop.digest("a") == DIGEST
    assert pauses == [7, registry.LONGEST_PAUSE, THROTTLED[2]]


BUSY = error(429, "TOOMANYREQUESTS", "Rate exceeded")
BROKEN = error(500, "UNKNOWN", "disk full")


@pytest.mark.parametrize(
    ("call", "answer", "kind", "why", "waits"),
    [
        ("manifest", BUSY, Unreachable, "too many requests(?s:.*)429 TOOMANYREQUESTS: Rate exceeded", THROTTLED),
        ("manifest", BROKEN, Unexpected, "GET manifests/a was answered 500 UNKNOWN: disk full", PAUSES),
        ("digest", "RESET", Unreachable, "4 tries of HEAD failed, the last by ConnectionResetError", PAUSES),
        ("manifest", "CUT", Unreachable, "4 tries of GET failed, the last by IncompleteRead", PAUSES),
    ],
)
def test_gives_up_on_trouble_that_stays(shop, scripted, pauses, call, answer, kind, why, waits):
    if isinstance(answer, str):
        answer = (200, TYPED, getattr(scripted, answer))
    scripted.answers = [answer] * 9
    with pytest.raises(kind, match=why):
        getattr(shop, call)("a")
    assert len(scripted.requests) == len(waits) + 1
    assert pauses == list(waits)


def test_connects_again_and_repeats_a_put_after_a_broken_connection(shop, scripted, pauses):
    reset = (0, {}, scripted.RESET)
    scripted.answers = [FOUND, reset, reset, PUT, FOUND]
    shop.tag(shop.manifest("a"), "b")
    assert [request.body for request in scripted.requests] == [b"", MANIFEST, MANIFEST, MANIFEST, b""]
    assert len(pauses) == 2


def test_reads_a_body_again_that_was_cut_short(shop, scripted):
    scripted.answers = [(200, TYPED, scripted.CUT), FOUND]
    assert shop.manifest("a").body == MANIFEST


def test_gives_up_on_a_silent_registry(monkeypatch, pauses):
    monkeypatch.setattr(registry, "TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, answers nothing
        shop = Registry(f"127.0.0.1:{silent.getsockname()[1]}/shop", sleep=pauses.append)
        with pytest.raises(Unreachable, match="the last by TimeoutError"):
            shop.digest("a")
    assert len(pauses) == len(PAUSES)


@pytest.mark.parametrize(
    ("host", "remedy"),
    [("127.0.0.1:1", "make demo"), ("registry.invalid", "check the network: curl -I https://registry.invalid/v2/")],
)
def test_fails_at_once_when_no_registry_answers(pauses, host, remedy):
    with pytest.raises(Unreachable, match=f"cannot reach the registry at {host}") as raised:
        Registry(f"{host}/shop", sleep=pauses.append).digest("a")
    assert raised.value.remedy == remedy
    assert pauses == []


def test_uses_one_connection_for_all_requests(shop, scripted):
    made = []
    verify = scripted.server.verify_request
    scripted.server.verify_request = lambda *peer: made.append(peer) or verify(*peer)
    scripted.answers = [FOUND] * 5
    for tag in "abcde":
        shop.digest(tag)
    assert len(made) == 1


def test_a_bad_reference_is_a_usage_error_and_other_errors_are_failures():
    kinds = (BadReference, Unreachable, Denied, NotFound, Unexpected)
    assert all(issubclass(kind, CommandError) for kind in kinds)
    assert [kind.status for kind in kinds] == [2, 1, 1, 1, 1]
