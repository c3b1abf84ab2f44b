import base64
import json
import socket
import uuid

import oci
import pytest
from delivery import references, registry
from delivery.cli import CommandError

MANIFEST = b'{"schemaVersion": 2}'
DIGEST = registry.digest_of(MANIFEST)
TYPE = "application/vnd.oci.image.manifest.v1+json"
FOUND = (200, {"Content-Type": TYPE, "Docker-Content-Digest": DIGEST}, MANIFEST)
OTHER = "sha256:" + "0" * 64
BEARER = 'Bearer realm="http://{}/token?a=b",service="the registry",scope="repository:shop/web:pull"'


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def shop(scripted, pauses):
    """A client of the scripted registry that waits for nothing; what it would have waited is in pauses."""
    return registry.Registry(f"{scripted.address}/shop/web", sleep=pauses.append)


@pytest.fixture
def real(real_registry):
    """A repository of its own in the real registry: (client, reference, registry's directory)."""
    address, directory = real_registry
    reference = f"{address}/shop/{uuid.uuid4().hex}"
    return registry.Registry(reference), reference, directory


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
def test_repository(text, host, name):
    assert references.repository(text) == (host, name)
    assert str(references.repository(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "book-shop",
        "library/book-shop",
        "localhost:5000",
        "localhost:5000/",
        "localhost:5000/Book",
        "localhost:5000/a//b",
        "localhost:5000/a/",
        "localhost:5000/a___b",
        "localhost:5000/-a",
        "localhost:5000/a:1.0.0",
        f"localhost:5000/a@{DIGEST}",
        "localhost:x/a",
        "localhost:123456/a",
        "http://localhost:5000/a",
        "user@example.com/a",
        "example.com/a\n",
        "example.com/a?b",
        "-example.com/a",
        "exa mple.com/a",
    ],
)
def test_what_is_no_repository(text):
    with pytest.raises(references.BadReference):
        references.repository(text)
    with pytest.raises(references.BadReference):
        references.image(f"{text}@{DIGEST}")


def test_image():
    assert references.image(f"localhost:5000/a@{DIGEST}") == (("localhost:5000", "a"), DIGEST)
    for rest in ("", ":1", f":1@{DIGEST}", f"@{DIGEST.upper()}", f"@{DIGEST}0", f"@{DIGEST}\n"):
        with pytest.raises(references.BadReference):
            references.image(f"localhost:5000/a{rest}")


@pytest.mark.parametrize("tag", ["", ".a", "-a", "a/b", "a b", "a:b", "a" * 129, "a\n", "ä"])
def test_a_bad_tag_asks_the_registry_nothing(shop, scripted, tag):
    manifest = registry.Manifest(DIGEST, TYPE, MANIFEST)
    for ask in (shop.digest, shop.manifest, shop.labels, lambda tag: shop.tag(manifest, tag)):
        with pytest.raises(references.BadReference):
            ask(tag)
    assert scripted.asked() == []


@pytest.mark.parametrize(
    ("host", "scheme"),
    [
        ("localhost", "http"),
        ("localhost:5000", "http"),
        ("127.0.0.1:5000", "http"),
        ("127.9.9.9", "http"),
        ("public.ecr.aws", "https"),
        ("127.0.0.1.example.com", "https"),
        ("localhost.example.com:5000", "https"),
        ("registry:5000", "https"),
        ("10.0.0.1:5000", "https"),
    ],
)
def test_plain_http_on_loopback_only(host, scheme):
    assert registry.Registry(f"{host}/a").scheme == scheme


# A real registry


def test_real_a_tag_that_is_missing_and_a_repository_that_is_missing(real):
    client, reference, _ = real
    assert client.digest("none") is None
    oci.push(f"{reference}:1.0.0", {})
    assert client.digest("none") is None
    with pytest.raises(registry.NotFound):
        client.manifest("none")
    with pytest.raises(registry.NotFound):
        client.labels(OTHER)


def test_real_one_more_tag_reads_and_writes_one_manifest_and_no_layer(real):
    client, reference, directory = real
    digest = oci.push(f"{reference}:snapshot", {"a": "b"})
    before = len(oci.requests(directory, reference))
    assert client.digest("snapshot") == digest
    client.tag(client.manifest(digest), "1.0.0")
    asked = oci.requests(directory, reference)[before:]
    assert asked == [
        "HEAD manifests/snapshot",
        f"GET manifests/{digest}",
        "PUT manifests/1.0.0",
        "HEAD manifests/1.0.0",
    ]
    assert client.digest("1.0.0") == client.digest("snapshot") == digest
    assert client.image(digest) == f"{reference}@{digest}"


DOCKER = "application/vnd.docker"
SCHEMA2 = (
    f"{DOCKER}.distribution.manifest.v2+json",
    f"{DOCKER}.container.image.v1+json",
    f"{DOCKER}.image.rootfs.diff.tar.gzip",
)


def index(entries, media_type):
    manifests = [
        {"mediaType": TYPE, "digest": digest, "size": 1, "platform": {"os": os, "architecture": architecture}}
        for digest, os, architecture in entries
    ]
    return oci.encode({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests})


def test_real_labels_of_each_kind_of_image(real):
    client, reference, _ = real
    amd64 = oci.push(f"{reference}:oci", {"a": "amd64"})
    arm64 = oci.push(f"{reference}:arm", {"a": "arm64"})
    docker = oci.push(f"{reference}:docker", {"a": "docker"}, SCHEMA2)
    oci.push(f"{reference}:none", None)
    assert client.labels("oci") == client.labels(amd64) == {"a": "amd64"}
    assert client.labels(docker) == {"a": "docker"}
    assert client.labels("none") == {}
    both = [(arm64, "linux", "arm64"), (amd64, "linux", "amd64"), (arm64, "unknown", "unknown")]
    for media_type in registry.INDEXES:
        digest = oci.put(reference, "index", index(both, media_type), media_type)
        assert client.digest("index") == digest
        assert client.labels("index") == {"a": "amd64"}
        oci.put(reference, "one", index([both[0], both[2]], media_type), media_type)
        assert client.labels("one") == {"a": "arm64"}
        oci.put(reference, "two", index([both[0], (amd64, "linux", "s390x")], media_type), media_type)
        with pytest.raises(registry.Unexpected, match="none for linux/amd64"):
            client.labels("two")
    for tag in ("docker", "index"):  # each kind can be tagged once more, with its own media type
        client.tag(client.manifest(tag), f"{tag}-again")
        assert client.digest(f"{tag}-again") == client.digest(tag)


# Listing and deleting


def test_real_all_tags_and_images_however_many_pages(real):
    client, reference, _ = real
    assert client.tags() == []
    assert client.images() == []
    one, two = oci.push(f"{reference}:a", {"a": "1"}), oci.push(f"{reference}:b", {"a": "2"})
    manifest = client.manifest(one)
    for number in range(120):
        client.tag(manifest, f"t{number}")
    assert sorted(client.tags()) == sorted(["a", "b", *[f"t{number}" for number in range(120)]])
    found = {image.digest: image for image in client.images()}
    assert found.keys() == {one, two}
    assert found[two] == registry.Image(two, ("b",), None)
    assert len(found[one].tags) == 121


def test_tags_are_asked_for_page_by_page_by_the_link_of_the_last(shop, scripted):
    def link(url):
        return {"Link": f'<{url}>; rel="next"'}

    scripted.answers = [
        (200, link("/v2/shop/web/tags/list?last=b&n=2"), b'{"tags": ["a", "b"]}'),
        (200, link(f"http://{scripted.address}/v2/shop/web/tags/list?last=d&n=2"), b'{"tags": ["c", "d"]}'),
        (200, {}, b'{"tags": null}'),
    ]
    assert shop.tags() == ["a", "b", "c", "d"]
    assert [path.partition("?")[2] for path in scripted.asked()] == ["n=100", "last=b&n=2", "last=d&n=2"]
    scripted.answers = [(200, link("/v2/shop/web/tags/list?last=a"), b'{"tags": ["a"]}')] * 9
    assert shop.tags() == ["a"]  # a registry that goes round in circles
    assert len(scripted.answers) == 7


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"tags": 1}', b'{"tags": [1]}', b'{"tags": ["a/b"]}'])
def test_a_list_of_tags_that_is_none(shop, scripted, body):
    scripted.answers = [(200, {}, body)]
    with pytest.raises(registry.Unexpected, match="the list of tags is not as it should be"):
        shop.tags()


def test_real_deleting_an_image_takes_its_tags_and_no_others(real):
    client, reference, _ = real
    one, two = oci.push(f"{reference}:a", {"a": "1"}), oci.push(f"{reference}:b", {"a": "2"})
    client.tag(client.manifest(one), "a2")
    client.delete([image for image in client.images() if image.digest == one])
    assert client.images() == [registry.Image(two, ("b",))]
    with pytest.raises(registry.NotFound):
        client.manifest(one)
    client.delete([registry.Image(one, ("a", "a2"))])  # again: what is gone is gone


def test_real_nothing_is_deleted_when_an_image_was_promoted_meanwhile(real):
    client, reference, _ = real
    one, two = oci.push(f"{reference}:a", {"a": "1"}), oci.push(f"{reference}:b", {"a": "2"})
    images = sorted(client.images())
    client.tag(client.manifest(two), "1.0.0")
    given = f"has changed: nothing was deleted(?s:.*){two} has been given the tag 1.0.0"
    with pytest.raises(CommandError, match=given):
        client.delete(images)
    assert client.digest("a") == one
    assert client.digest("b") == client.digest("1.0.0") == two


def test_a_registry_that_deletes_nothing_is_told(shop, scripted, monkeypatch):
    handler = scripted.server.RequestHandlerClass
    monkeypatch.setattr(handler, "do_DELETE", handler.do_GET, raising=False)
    refusal = b'{"errors": [{"code": "UNSUPPORTED", "message": "unsupported"}]}'
    scripted.answers = [(404, {}, b""), (405, {}, refusal)]
    with pytest.raises(CommandError, match=r"deletes nothing(?s:.*)405 UNSUPPORTED") as raised:
        shop.delete([registry.Image(DIGEST, ("a",))])
    assert raised.value.remedy == "set storage.delete.enabled there"
    assert scripted.asked()[-1] == f"DELETE /v2/shop/web/manifests/{DIGEST}"


# What is asked, to the letter


def test_all_four_kinds_are_accepted_and_the_content_type_is_kept_to_the_letter(shop, scripted):
    odd = TYPE + "; charset=utf-8"
    scripted.answers = [(200, {"Content-Type": odd}, MANIFEST), (201, {"Docker-Content-Digest": DIGEST}, b""), FOUND]
    shop.tag(shop.manifest("a"), "b")
    get, put, _ = scripted.requests
    assert set(get.headers["Accept"].split(", ")) == {*registry.INDEXES, *registry.IMAGES}
    assert (put.method, put.path) == ("PUT", "/v2/shop/web/manifests/b")
    assert (put.headers["Content-Type"], put.body) == (odd, MANIFEST)


def test_a_registry_that_leaves_the_digest_out(shop, scripted):
    bare = {"Content-Type": TYPE}
    scripted.answers = [(200, bare, MANIFEST), (200, bare, MANIFEST)]
    assert shop.digest("a") == DIGEST
    scripted.answers = [(201, {}, b""), (200, {"Docker-Content-Digest": DIGEST}, b"")]
    shop.tag(registry.Manifest(DIGEST, TYPE, MANIFEST), "b")
    assert scripted.asked()[-2:] == ["PUT /v2/shop/web/manifests/b", "HEAD /v2/shop/web/manifests/b"]


@pytest.mark.parametrize(
    ("reference", "answer", "why"),
    [
        (OTHER, FOUND, f"have the digest {DIGEST}, not {OTHER}"),
        ("a", (200, {"Content-Type": TYPE, "Docker-Content-Digest": OTHER}, MANIFEST), f"not {OTHER}"),
        ("a", (200, {"Content-Type": TYPE, "Docker-Content-Digest": "md5:1"}, MANIFEST), "is no sha256 digest"),
        ("a", (200, {"Content-Type": "text/html"}, MANIFEST), "it came as text/html"),
        ("a", (200, {}, MANIFEST), "it came as nothing named"),
        ("a", (200, {"Content-Type": TYPE, "Content-Length": str(5 << 20)}, b""), "larger than"),
    ],
)
def test_a_manifest_that_is_not_what_it_should_be(shop, scripted, reference, answer, why):
    scripted.answers = [answer]
    with pytest.raises(registry.Unexpected, match=why):
        shop.manifest(reference)


@pytest.mark.parametrize("answer", [(201, {"Docker-Content-Digest": OTHER}, b""), (202, {}, b""), (400, {}, b"")])
def test_a_tag_that_was_not_put_as_it_should_be(shop, scripted, answer):
    scripted.answers = [answer]
    with pytest.raises(registry.Unexpected):
        shop.tag(registry.Manifest(DIGEST, TYPE, MANIFEST), "b")


@pytest.mark.parametrize(("status", "now"), [(200, OTHER), (404, "gone")])
def test_a_tag_that_another_process_wrote_at_the_same_time(shop, scripted, status, now):
    read_back = (status, {"Content-Type": TYPE, "Docker-Content-Digest": OTHER}, b"")
    scripted.answers = [(201, {"Docker-Content-Digest": DIGEST}, b""), read_back]
    with pytest.raises(registry.Moved, match=f"{DIGEST} was written, and it is {now}"):
        shop.tag(registry.Manifest(DIGEST, TYPE, MANIFEST), "b")


CONFIG = b'{"config": {"Labels": {"a": "b"}}}'


@pytest.mark.parametrize(
    ("manifest", "config"),
    [
        (b"not JSON", b""),
        (b"[]", b""),
        (b"{}", b""),
        (b'{"config": {"digest": "sha256:../../x"}}', b""),
        (json.dumps({"config": {"digest": OTHER}}).encode(), CONFIG),
        (json.dumps({"config": {"digest": registry.digest_of(b"[1]")}}).encode(), b"[1]"),
        (json.dumps({"config": {"digest": registry.digest_of(b"\xff")}}).encode(), b"\xff"),
    ],
)
def test_labels_of_what_is_no_image(shop, scripted, manifest, config):
    scripted.answers = [(200, {"Content-Type": TYPE}, manifest), (200, {}, config)]
    with pytest.raises(registry.Unexpected, match="the image a is not as it should be"):
        shop.labels("a")


def blob_at(url):
    manifest = json.dumps({"config": {"digest": registry.digest_of(CONFIG)}}).encode()
    return [(200, {"Content-Type": TYPE}, manifest), (307, {"Location": url}, b"")]


def test_a_blob_that_lies_elsewhere_is_fetched_without_the_token(scripted, other, pauses):
    shop = registry.Registry(f"{scripted.address}/shop/web", lambda: ("user", "secret"), pauses.append)
    answers = blob_at(f"http://{other.address}/blob?signed=1")
    scripted.answers = [(401, {"WWW-Authenticate": "Basic realm=x"}, b""), *answers]
    other.answers = [(200, {}, CONFIG)]
    assert shop.labels("a") == {"a": "b"}
    assert other.asked() == ["GET /blob?signed=1"]
    assert "Authorization" not in other.requests[0].headers
    assert "Authorization" in scripted.requests[-1].headers


def test_redirects_are_bounded_and_stay_in_http(shop, scripted):
    here = f"http://{scripted.address}/round"
    scripted.answers = [*blob_at(here), *[(307, {"Location": here}, b"")] * 10]
    with pytest.raises(registry.Unexpected, match="more than 5 redirects"):
        shop.labels("a")
    assert scripted.asked()[2:] == ["GET /round"] * 5
    scripted.answers.clear()
    scripted.answers = blob_at("file:///etc/passwd")
    with pytest.raises(registry.Unexpected, match="redirects to file"):
        shop.labels("a")


# Tokens


def challenge(address):
    return (401, {"WWW-Authenticate": BEARER.format(address)}, b"")


@pytest.mark.parametrize("name", ["token", "access_token"])
def test_an_anonymous_token_is_fetched_once(shop, scripted, other, name):
    scripted.answers = [challenge(other.address), FOUND, FOUND]
    other.answers = [(200, {}, json.dumps({name: "t0"}).encode())]
    assert shop.digest("a") == shop.digest("b") == DIGEST
    assert other.asked() == ["GET /token?a=b&service=the+registry&scope=repository%3Ashop%2Fweb%3Apull"]
    assert "Authorization" not in other.requests[0].headers
    assert [request.headers.get("Authorization") for request in scripted.requests] == [None, "Bearer t0", "Bearer t0"]


def test_a_credential_goes_to_the_token_service_and_only_when_asked_for(scripted, other, pauses):
    calls = []
    shop = registry.Registry(f"{scripted.address}/shop/web", lambda: calls.append(1) or ("AWS", "p:w"), pauses.append)
    scripted.answers = [FOUND, challenge(other.address), FOUND]
    other.answers = [(200, {}, b'{"token": "t0"}')]
    assert shop.digest("a") == DIGEST
    assert calls == []
    assert shop.digest("a") == DIGEST
    assert other.requests[0].headers["Authorization"] == "Basic " + base64.b64encode(b"AWS:p:w").decode()
    assert scripted.requests[-1].headers["Authorization"] == "Bearer t0"


def test_a_token_that_ran_out_or_is_for_reading_only_is_renewed_by_the_new_challenge(shop, scripted, other):
    push = (401, {"WWW-Authenticate": BEARER.format(other.address).replace(":pull", ":pull,push")}, b"")
    scripted.answers = [challenge(other.address), FOUND, push, (201, {"Docker-Content-Digest": DIGEST}, b""), FOUND]
    other.answers = [(200, {}, b'{"token": "r"}'), (200, {}, b'{"token": "w"}')]
    shop.tag(shop.manifest("a"), "b")
    assert "pull%2Cpush" in other.requests[1].path
    put = scripted.requests[-2]
    assert (put.headers["Authorization"], put.body) == ("Bearer w", MANIFEST)


@pytest.mark.parametrize(
    ("answers", "tokens", "error", "why"),
    [
        ([(401, {}, b"")], [], registry.Denied, "not what it asks for"),
        ([(401, {"WWW-Authenticate": "Basic realm=x"}, b"")], [], registry.Denied, "it asks for 'Basic realm=x'"),
        ([(401, {"WWW-Authenticate": "Bearer service=x"}, b"")], [], registry.Denied, "it asks for"),
        ([(403, {}, b'{"errors": [{"code": "DENIED", "message": "no"}]}')], [], registry.Denied, "DENIED: no"),
        (["challenge"], [(403, {}, b"")], registry.Denied, "gave no token: 403"),
        (["challenge"], [(200, {}, b"<html>")], registry.Unexpected, "answered without one"),
        (["challenge"], [(200, {}, b"{}")], registry.Unexpected, "answered without one"),
        (["challenge"], [(200, {}, b"[]")], registry.Unexpected, "answered without one"),
        (["challenge", "challenge"], [(200, {}, b'{"token": "t"}')], registry.Denied, "answered 401"),
    ],
)
def test_access_denied(shop, scripted, other, answers, tokens, error, why):
    scripted.answers = [challenge(other.address) if answer == "challenge" else answer for answer in answers]
    other.answers = tokens
    with pytest.raises(error, match=why):
        shop.manifest("a")


def test_no_credential_goes_to_a_token_service_over_plain_http(scripted, pauses):
    shop = registry.Registry(f"{scripted.address}/shop/web", lambda: ("user", "secret"), pauses.append)
    scripted.answers = [challenge("tokens.example.com")]
    with pytest.raises(registry.Unexpected, match="is not https"):
        shop.digest("a")


# Trouble on the way


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_passing_trouble_is_tried_again(shop, scripted, pauses, status):
    scripted.answers = [(status, {}, b""), (status, {}, b""), FOUND]
    assert shop.manifest("a").body == MANIFEST
    assert pauses == list((registry.THROTTLED if status == 429 else registry.PAUSES)[:2])


def test_retry_after_is_kept_within_bounds(shop, scripted, pauses):
    later = ["7", "86400", "Wed, 21 Oct 2026 07:28:00 GMT"]
    scripted.answers = [*[(429, {"Retry-After": after}, b"") for after in later], FOUND]
    assert shop.digest("a") == DIGEST
    assert pauses == [7, registry.LONGEST_PAUSE, registry.THROTTLED[2]]


def test_too_many_requests_that_stay_are_told_as_such(shop, scripted):
    scripted.answers = [(429, {}, b'{"errors": [{"code": "TOOMANYREQUESTS", "message": "Rate exceeded"}]}')] * 9
    with pytest.raises(registry.Unreachable, match=r"takes no more requests(?s:.*)429 TOOMANYREQUESTS: Rate exceeded"):
        shop.manifest("a")


def test_trouble_that_stays_ends_with_the_registrys_own_words(shop, scripted, pauses):
    scripted.answers = [(500, {}, b'{"errors": [{"code": "UNKNOWN", "message": "disk full"}]}')] * 9
    with pytest.raises(registry.Unexpected, match="GET manifests/a was answered 500 UNKNOWN: disk full"):
        shop.manifest("a")
    assert len(scripted.requests) == len(registry.PAUSES) + 1
    assert pauses == list(registry.PAUSES)


def test_a_connection_that_breaks_is_made_again_and_a_put_repeated(shop, scripted, pauses):
    reset = (0, {}, scripted.RESET)
    scripted.answers = [FOUND, reset, reset, (201, {"Docker-Content-Digest": DIGEST}, b""), FOUND]
    shop.tag(shop.manifest("a"), "b")
    assert [request.body for request in scripted.requests] == [b"", MANIFEST, MANIFEST, MANIFEST, b""]
    assert len(pauses) == 2


def test_a_connection_that_breaks_each_time_is_given_up(shop, scripted, pauses):
    scripted.answers = [(0, {}, scripted.RESET)] * 9
    with pytest.raises(registry.Unreachable, match="4 tries of HEAD failed, the last by ConnectionResetError"):
        shop.digest("a")
    assert pauses == list(registry.PAUSES)


def test_a_body_that_is_cut_short_is_read_again(shop, scripted):
    cut = (200, {"Content-Type": TYPE}, scripted.CUT)
    scripted.answers = [cut, FOUND]
    assert shop.manifest("a").body == MANIFEST
    scripted.answers = [cut] * 9
    with pytest.raises(registry.Unreachable, match="4 tries of GET failed, the last by IncompleteRead"):
        shop.manifest("a")


def test_a_silent_registry_is_given_up(scripted, monkeypatch, pauses):
    monkeypatch.setattr(registry, "TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, answers nothing
        shop = registry.Registry(f"127.0.0.1:{silent.getsockname()[1]}/shop", sleep=pauses.append)
        with pytest.raises(registry.Unreachable, match="the last by TimeoutError"):
            shop.digest("a")
    assert len(pauses) == len(registry.PAUSES)


def test_no_registry_is_told_at_once_with_the_remedy(pauses):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(registry.Unreachable) as raised:
        registry.Registry(f"{address}/shop", sleep=pauses.append).digest("a")
    assert (raised.value.what, raised.value.remedy) == (f"no registry answers at {address}", "make demo")
    assert "refused" in str(raised.value.why)
    assert pauses == []


def test_a_name_that_does_not_exist(pauses):
    with pytest.raises(registry.Unreachable, match=r"no registry answers at registry\.invalid"):
        registry.Registry("registry.invalid/shop", sleep=pauses.append).digest("a")


def test_one_connection_serves_all_requests(shop, scripted):
    made = []
    verify = scripted.server.verify_request
    scripted.server.verify_request = lambda *peer: made.append(peer) or verify(*peer)
    scripted.answers = [FOUND] * 5
    for tag in "abcde":
        shop.digest(tag)
    assert len(made) == 1


def test_each_error_is_a_problem_and_a_bad_reference_a_wrong_call():
    errors = (references.BadReference, registry.Unreachable, registry.Denied, registry.NotFound, registry.Unexpected)
    assert all(issubclass(error, CommandError) for error in errors)
    assert [error.status for error in errors] == [2, 1, 1, 1, 1]
