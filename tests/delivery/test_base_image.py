"""The base of the image: whether the public registry is reached, the labels, and what must stay on this machine."""

import socket
import subprocess
import types

import pytest
from delivery import base_image, promotion, references, registry
from delivery.cli import CommandError
from test_connection import NAME, UNREACHABLE, no_settings, proxy, tls, trusted  # noqa: F401 fixtures
from test_push import FakeEngine

URL = f"https://{NAME}/v2/"
SUBSTITUTE = {base_image.SUBSTITUTE_LABEL: "substitute", base_image.NAME_LABEL: "a-substitute-base:trixie"}


@pytest.fixture
def pauses(monkeypatch):
    """The pauses between tries, in which no time passes."""
    made = []
    monkeypatch.setattr(registry.time, "sleep", made.append)
    monkeypatch.setattr(registry.Client.__init__, "__defaults__", (made.append,))
    return made


@pytest.fixture
def server(tls, proxy, trusted, pauses, monkeypatch):  # noqa: F811
    """The public registry, which is reached through the proxy."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
    return tls


@pytest.mark.parametrize("status", [200, 302, 401])
def test_a_server_that_answers_is_reached(server, pauses, status):
    server.answers = [(status, {}, b"")]
    assert base_image.reaches(URL)
    assert (server.asked(), pauses) == (["GET /v2/"], [])


@pytest.mark.parametrize("fault", [429, 500, 502, 503, 504])
def test_trouble_that_passes_is_retried(server, pauses, fault):
    trouble = (fault, {"Retry-After": "7"}, b"")
    server.answers = [trouble, trouble, (401, {}, b"")]
    assert base_image.reaches(URL)
    assert pauses == [7, 7]


@pytest.mark.parametrize("fault", [403, 404, 429, 500, 503])
def test_trouble_that_stays_is_an_error(server, pauses, fault):
    server.answers = [(fault, {"Retry-After": "9999"}, b"")] * 9
    with pytest.raises(CommandError, match=f"cannot use {NAME}") as raised:
        base_image.reaches(URL)
    assert f"was answered {fault}" in raised.value.why
    assert "DELIVERY_CLOSED_NETWORK=1" in raised.value.remedy
    assert sum(pauses) <= 3 * registry.LONGEST_PAUSE


def test_a_server_that_accepts_a_connection_and_is_silent_is_an_error(trusted, pauses, monkeypatch):  # noqa: F811
    monkeypatch.setattr(registry, "TIMEOUT", 0.05)
    failed = pytest.raises(CommandError, match="4 tries of GET failed, the last by TimeoutError")
    with socket.create_server(("127.0.0.1", 0)) as silent, failed:
        base_image.reaches(f"https://127.0.0.1:{silent.getsockname()[1]}/v2/")


def test_an_untrusted_certificate_is_an_error(server, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(CommandError, match="certificate"):
        base_image.reaches(URL)


@pytest.mark.parametrize("url", ["https://127.0.0.1:1/v2/", "https://registry.invalid/v2/"])
def test_without_a_listener_or_a_name_there_is_no_connection(pauses, capsys, url):
    assert not base_image.reaches(url)
    assert f"no connection to {url.split('/')[2]}: " in capsys.readouterr().err
    assert pauses == []


@pytest.mark.parametrize("number", registry.NO_ROUTE)
def test_without_a_route_there_is_no_connection(pauses, monkeypatch, number):
    def connect(*_):
        raise OSError(number, "no route")

    monkeypatch.setattr(registry.connection, "connect", connect)
    assert not base_image.reaches(URL)
    assert pauses == []


def test_a_connection_that_is_never_established_is_no_connection(pauses, monkeypatch):
    """A firewall that drops packets: the queue of this listener is full, so no further connection is established."""
    monkeypatch.setattr(registry, "TIMEOUT", 0.1)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        assert not base_image.reaches(f"https://127.0.0.1:{full.getsockname()[1]}/v2/")
        for client in waiting:
            client.close()
    assert len(pauses) == 3


def test_a_proxy_that_does_not_listen_or_forbids_is_no_connection(server, proxy, monkeypatch):  # noqa: F811
    proxy.status = (403, "Forbidden")
    assert not base_image.reaches(URL)
    monkeypatch.setenv("HTTPS_PROXY", UNREACHABLE)
    assert not base_image.reaches(URL)


@pytest.mark.parametrize(("status", "tries"), [(429, 4), (503, 4), (504, 4), (407, 1)])
def test_other_refusals_of_a_proxy_are_errors(server, proxy, status, tries):  # noqa: F811
    proxy.status = (status, "Refused")
    with pytest.raises(CommandError, match=f"Tunnel connection failed: {status}"):
        base_image.reaches(URL)
    assert len(proxy.heads) == tries


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("", {"name": "example.com/python:3.13", "digest": "sha256:" + "1" * 64}),
        ("mirror:5/python@sha256:" + "2" * 64, {"name": "mirror:5/python", "digest": "sha256:" + "2" * 64}),
        ("local:1", {"name": "local:1", "digest": "sha256:" + "3" * 64}),
        ("absent:1", {"name": "absent:1"}),
    ],
)
def test_the_labels_name_the_base_and_its_digest(repository, monkeypatch, base, expected):
    dockerfile = "# the image\nARG BASE_IMAGE=example.com/python:3.13@sha256:" + "1" * 64 + "\nFROM ${BASE_IMAGE}\n"
    old = repository.commit({"book-shop/Dockerfile": dockerfile})
    repository.commit({"book-shop/Dockerfile": "ARG BASE_IMAGE=example.com/python:3.14\n"})
    monkeypatch.setattr(base_image, "local_id", lambda image: "sha256:" + "3" * 64 if image == "local:1" else "")
    prefix = "org.opencontainers.image.base"
    assert base_image.labels(old, base) == {f"{prefix}.{key}": value for key, value in expected.items()}


def test_a_commit_without_a_dockerfile_or_a_pinned_base_has_no_labels(repository):
    first, second = repository.commit({"x": "y"}), repository.commit({"book-shop/Dockerfile": "FROM scratch\n"})
    assert (base_image.labels(first, ""), base_image.labels(second, "")) == ({}, {})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("localhost/shop", True), ("localhost:5000/shop", True), ("127.0.0.1:5000/a/b", True),
        ("public.ecr.aws/alias/shop", False), ("registry.example.com/shop", False),
        ("localhost.example.com/shop", False), ("10.0.0.1:5000/shop", False),
    ],
)  # fmt: skip
def test_a_registry_on_this_machine_is_local(name, expected):
    assert base_image.is_local(references.repository(name)) == expected


@pytest.fixture
def published(shop, monkeypatch):
    """A function that has a verb publish an image of HEAD with more labels; the registry counts as one elsewhere."""

    def publish(verb, labels, is_local=False):
        if verb == "promote":
            shop.push(labels=shop.labels() | labels)
        engine = FakeEngine(shop)
        engine.images[shop.snapshot()] |= labels
        replaced = types.SimpleNamespace(run=engine.run, CalledProcessError=subprocess.CalledProcessError)
        monkeypatch.setattr(promotion, "subprocess", replaced)
        monkeypatch.setattr(base_image, "is_local", lambda repository: is_local)
        return shop.verb(verb)

    return publish


@pytest.mark.parametrize("name", ["a-substitute-base:trixie", "another name"])
@pytest.mark.parametrize("verb", ["push", "promote"])
def test_refuses_to_publish_an_image_on_a_substitute(shop, published, verb, name):
    result = published(verb, SUBSTITUTE | {base_image.NAME_LABEL: name})
    result.must_fail(
        "must not leave this machine", f"its base is the substitute '{name}'", "where public.ecr.aws can be reached: "
    )
    assert shop.digest("1.0.0" if verb == "promote" else shop.snapshot()) is None


@pytest.mark.parametrize(
    ("labels", "is_local"),
    [(SUBSTITUTE, True), ({}, False), ({base_image.NAME_LABEL: "example.com/python:3.13"}, False)],
)
@pytest.mark.parametrize("verb", ["push", "promote"])
def test_publishes_other_images(published, verb, labels, is_local):
    published(verb, labels, is_local).must_succeed()
