"""Requests to the address of a load balancer, with a real server on loopback, whatever DNS says about the host."""

import contextlib

import pytest
from delivery import http_client
from loopback import Server

NAME = "public.ecr.aws"  # of the certificate; no test connects there
OTHER = "shop.example"


@contextlib.contextmanager
def serving(answers, certificate=None):
    """A server with the answers by path; yields it, with the `heads` of the requests."""
    with contextlib.closing(Server(lambda *request: reply(*request), certificate).start()) as server:

        def reply(method, path, headers, body):
            server.heads.append((path, dict(headers)))
            return answers.get(path, (404, {}, b""))

        server.heads = []
        yield server


@pytest.fixture
def trusted(monkeypatch, certificate):
    monkeypatch.setenv("SSL_CERT_FILE", certificate[0])


def url(server, name=NAME, scheme="https"):
    return f"{scheme}://{name}:{server.server_port}"


def test_a_request_goes_to_the_address_with_the_name_and_the_certificate_of_the_url(certificate, trusted):
    with serving({"/version": (200, {}, b'{"revision": "abc"}')}, certificate) as server:
        assert http_client.version(url(server), "127.0.0.1") == {"revision": "abc"}
        assert server.heads[0][1]["Host"] == f"{NAME}:{server.server_port}"


def test_the_certificate_of_another_name_is_refused(certificate, trusted):
    with serving({"/": (200, {}, b"")}, certificate) as server:
        assert http_client.get(url(server, OTHER), address="127.0.0.1") is None
        with pytest.raises(OSError, match="Hostname mismatch"):
            http_client.page(url(server, OTHER), address="127.0.0.1")


def test_an_unknown_certificate_is_refused(certificate):
    refused = pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED")
    with serving({"/": (200, {}, b"")}, certificate) as server, refused:
        http_client.page(url(server), address="127.0.0.1")


def test_a_redirect_to_https_goes_to_the_same_address_and_the_url_stays_public(certificate, trusted):
    with contextlib.ExitStack() as stack:
        tls = stack.enter_context(serving({"/": (200, {}, b"books")}, certificate))
        plain = stack.enter_context(serving({"/": (301, {"Location": f"{url(tls)}/"}, b"")}))
        page = http_client.page(url(plain, scheme="http") + "/", address="127.0.0.1")
    assert page == (200, "books", f"{url(tls)}/")


def test_a_proxy_is_not_used(certificate, trusted, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with serving({"/": (200, {}, b"books")}, certificate) as server:
        assert http_client.get(url(server) + "/", address="127.0.0.1") == b"books"


def test_an_error_page_has_its_status(certificate, trusted):
    with serving({}, certificate) as server:
        assert http_client.page(url(server) + "/missing", address="127.0.0.1")[0] == 404
        assert http_client.get(url(server) + "/missing", address="127.0.0.1") is None
