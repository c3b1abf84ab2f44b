"""Requests over HTTPS, and DELIVERY_CA_FILE: certificates that the verbs trust in addition."""

import http.server
import ssl
import subprocess
import threading

import pytest
from delivery import http_client, targets
from delivery.cli import UsageError


class Site(http.server.BaseHTTPRequestHandler):
    """/moved redirects to /, whose text is "books"; other pages do not exist."""

    def do_GET(self):
        self.send_response({"/": 200, "/moved": 302}.get(self.path, 404))
        self.send_header("Location", "/")
        self.end_headers()
        self.wfile.write(b"books")

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A file with a certificate for localhost, and one with its key."""
    directory = tmp_path_factory.mktemp("certificate")
    file, key = directory / "ca.crt", directory / "ca.key"
    name = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    form = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    command = ("openssl", "req", *form, *name, "-keyout", key, "-out", file)
    subprocess.run(command, check=True, capture_output=True)
    return file, key


@pytest.fixture(scope="module")
def site(certificate):
    """The address of a Site over HTTPS."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"https://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def without_variable(monkeypatch):
    monkeypatch.delenv("DELIVERY_CA_FILE", raising=False)


@pytest.mark.parametrize("value", [None, ""])
def test_an_unknown_certificate_is_refused(site, monkeypatch, value):
    if value is not None:
        monkeypatch.setenv("DELIVERY_CA_FILE", value)
    assert http_client.get(site) is None
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        http_client.page(site)


def test_a_certificate_in_the_file_is_trusted(site, certificate, monkeypatch):
    monkeypatch.setenv("DELIVERY_CA_FILE", str(certificate[0]))
    assert http_client.get(site) == b"books"
    assert http_client.page(f"{site}/none") == (404, "books", f"{site}/none")
    assert http_client.page(f"{site}/moved") == (200, "books", f"{site}/")


def test_another_host_name_than_that_of_the_certificate_is_refused(site, certificate, monkeypatch):
    monkeypatch.setenv("DELIVERY_CA_FILE", str(certificate[0]))
    assert http_client.get(site.replace("localhost", "127.0.0.1")) is None


def test_a_file_without_certificates_is_refused_before_anything_else(certificate, tmp_path, monkeypatch):
    (tmp_path / "text").write_text("no certificate\n")
    pem = "it has no certificate in PEM format"
    files = {
        tmp_path / "none": "No such file", tmp_path: "", tmp_path / "text": pem, certificate[1]: pem, "/dev/null": pem,
    }  # fmt: skip
    for file, why in files.items():
        monkeypatch.setenv("DELIVERY_CA_FILE", str(file))
        for verb in (lambda: targets.for_environment("dev"), lambda: http_client.get("http://localhost:1")):
            with pytest.raises(UsageError, match=f"invalid DELIVERY_CA_FILE '{file}'") as refused:
                verb()
            assert why in str(refused.value)
            assert "None" not in str(refused.value)
