"""Proxies and certificate authorities on the way to a registry; the proxy and the registry are on loopback."""

import contextlib
import http.server
import shutil
import socket
import ssl
import subprocess
import threading

import loopback
import pytest
from delivery import connection, registry
from delivery.cli import UsageError

NAME = "public.ecr.aws"  # what the certificate is for
FOUND = (200, {"Docker-Content-Digest": "sha256:" + "a" * 64}, b"")
VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy")
UNREACHABLE = "http://127.0.0.1:1"
AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO")


class Tunnel(http.server.BaseHTTPRequestHandler):
    def do_CONNECT(self):
        self.server.heads.append(f"{self.requestline}\n{self.headers}")
        self.send_response_only(*self.server.status)
        self.end_headers()
        if self.server.status[0] == 200:
            upstream = socket.create_connection(self.server.target)
            threading.Thread(target=self.copy, args=(upstream, self.connection), daemon=True).start()
            self.copy(self.connection, upstream)

    @staticmethod
    def copy(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


class Proxy(loopback.Server):
    """Answers CONNECT with `status`, and then connects to the target whatever the request was; `heads` has each."""

    handler = Tunnel

    def __init__(self, target):
        super().__init__(None)
        self.target, self.status, self.heads = target, (200, "OK"), []


@pytest.fixture(autouse=True)
def no_settings(monkeypatch, tmp_path):
    for name in VARIABLES + AUTHORITIES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(connection, "DOCKER", str(tmp_path / "certs.d"))


@pytest.fixture
def tls(scripted, certificate):
    """The scripted registry over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    scripted.server.socket = context.wrap_socket(scripted.server.socket, server_side=True)
    return scripted


@pytest.fixture
def proxy(tls):
    made = Proxy(tls.server.server_address).start()
    yield made
    made.close()


@pytest.fixture
def trusted(monkeypatch, certificate):
    monkeypatch.setenv("SSL_CERT_FILE", certificate[0])


def ask(host=NAME):
    """The digest of a tag, as a promotion asks for it."""
    return registry.Registry(f"{host}/shop", sleep=lambda _: None).digest("1.0.0")


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
@pytest.mark.parametrize("scheme", ["http://", ""])
def test_reaches_a_registry_by_a_tunnel_through_the_proxy(tls, proxy, trusted, monkeypatch, variable, scheme):
    monkeypatch.setenv(variable, scheme + proxy.address)
    tls.answers = [FOUND]
    assert ask() == FOUND[1]["Docker-Content-Digest"]
    assert proxy.heads[0].startswith(f"CONNECT {NAME}:443 HTTP/1.")
    assert tls.asked() == ["HEAD /v2/shop/manifests/1.0.0"]


def test_prefers_the_variable_in_small_letters(tls, proxy, trusted, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", UNREACHABLE)
    monkeypatch.setenv("https_proxy", f"http://{proxy.address}")
    tls.answers = [FOUND]
    assert ask()


def test_sends_the_port_and_the_password_to_the_proxy_and_never_prints_the_password(tls, proxy, trusted, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", f"http://ann:p%40ss@{proxy.address}")
    tls.answers = [FOUND]
    assert ask(f"{NAME}:8443")
    assert proxy.heads[0].startswith(f"CONNECT {NAME}:8443 HTTP/1.")
    assert "Proxy-Authorization: Basic YW5uOnBAc3M=\n" in proxy.heads[0]
    proxy.status = (407, "Proxy Authentication Required")
    with pytest.raises(registry.Unreachable) as raised:
        ask()
    assert f"407 Proxy Authentication Required (through the proxy {proxy.address})" in raised.value.why
    assert "p%40ss" not in str(raised.value)


def test_names_a_proxy_that_does_not_answer(trusted, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", UNREACHABLE)
    with pytest.raises(registry.Unreachable, match=r"refused \(through the proxy 127\.0\.0\.1:1\)"):
        ask()


@pytest.mark.parametrize(
    ("host", "excluded", "direct"),
    [
        (NAME, "", False),
        (NAME, NAME, True),
        (NAME, "ecr.aws", True),
        (NAME, ".ecr.aws", True),
        (NAME, "example.com, public.ecr.aws", True),
        (NAME, "*", True),
        (NAME, "r.aws", False),
        (NAME, "10.0.0.0/8", False),
        ("10.1.2.3:5000", "10.0.0.0/8", True),
        ("10.1.2.3:5000", "example.com,192.168.0.0/16", False),
        ("10.1.2.3:5000", "10.1.2.3", True),
        ("localhost:5000", "", True),
        ("127.0.0.1:5000", "", True),
        ("127.9.9.9", "", True),
    ],
)
@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
def test_reaches_excluded_hosts_without_the_proxy(monkeypatch, variable, host, excluded, direct):
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    monkeypatch.setenv(variable, excluded)
    for scheme in ("http", "https"):
        assert (connection.proxy_of(scheme, host) is None) == direct


def test_never_reaches_loopback_through_a_proxy(scripted, monkeypatch):
    for name in VARIABLES[:4]:
        monkeypatch.setenv(name, UNREACHABLE)
    scripted.answers = [FOUND]
    assert ask(scripted.address)


@pytest.mark.parametrize("address", ["https://proxy.example", "socks5://proxy.example", "http://", "http://a:port"])
def test_refuses_an_invalid_proxy(monkeypatch, address):
    monkeypatch.setenv("HTTPS_PROXY", address)
    with pytest.raises(UsageError, match="invalid HTTPS_PROXY"):
        ask()


@pytest.mark.parametrize("place", ["SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "docker", "system", None])
def test_trusts_a_company_authority_only_where_docker_and_git_look(
    tls, proxy, certificate, tmp_path, monkeypatch, place
):
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
    directory = tmp_path / ("certs.d" if place == "docker" else "authorities") / NAME
    directory.mkdir(parents=True)
    shutil.copy(certificate[0], directory / "company.crt")
    subprocess.run(["openssl", "rehash", directory], check=True)
    if place == "system":
        monkeypatch.setattr(connection, "BUNDLES", ("/nowhere", certificate[0]))
    elif place not in ("docker", None):
        monkeypatch.setenv(place, str(directory) if place == "SSL_CERT_DIR" else certificate[0])
    tls.answers = [FOUND]
    if place:
        assert ask()
        return
    with pytest.raises(registry.Unreachable, match="certificate"):
        ask()
    assert tls.asked() == []
