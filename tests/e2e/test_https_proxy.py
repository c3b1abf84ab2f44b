"""The TLS proxy of the demo: what it caches, forwards and removes, as CloudFront is documented to.

Its container is real; the host behind it is a container that answers with what it received.
"""

import json
import re
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from http.client import HTTPSConnection
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "scripts" / "local" / "https-proxy"
NAME = "book-shop-test-https-proxy"
# Each path's last part names an entry of ANSWERS. A connection that has sent /close is closed without an answer.
HOST = """
import itertools, json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWERS = {
    "hashed": (200, {"Cache-Control": "max-age=315360000, public, immutable"}),
    "never": (200, {"Cache-Control": "max-age=0, no-cache, no-store, must-revalidate, private",
                    "Expires": "Thu, 01 Jan 1970 00:00:00 GMT"}),
    "personal": (200, {"Cache-Control": "max-age=600", "Set-Cookie": "sessionid=a", "Vary": "Cookie, Accept-Language"}),
    "missing": (404, {}),
    "never-error": (404, {"Cache-Control": "max-age=0, no-cache, no-store, must-revalidate, private"}),
    "broken": (503, {"Retry-After": "5"}),
    "kept-error": (404, {"Cache-Control": "max-age=600"}),
    "etag": (200, {"Cache-Control": "max-age=1", "ETag": '"a"'}),
}
numbers = itertools.count(1)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        entry = self.path.split("?")[0].split("/")[-1]
        if entry == "close":
            closed = vars(self.server).setdefault("closed", set())
            if self.path not in closed:
                closed.add(self.path)
                self.close_connection = True
                return
        status, headers = ANSWERS.get(entry, (200, {}))
        if headers.get("ETag", "-") == self.headers.get("If-None-Match"):
            status = 304
        received = {"number": next(numbers), "method": self.command, "path": self.path, "body": body,
                    "headers": {name.lower(): value for name, value in self.headers.items()},
                    "port": self.client_address[1]}
        content = b"" if status == 304 else json.dumps(received).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer


ThreadingHTTPServer(("", 80), Handler).serve_forever()
"""


def docker(*arguments, **options):
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True, **options).stdout.strip()


class Proxy:
    """The running proxy."""

    def __init__(self, port, authority):
        self.url, self.port = f"https://127.0.0.1:{port}", port
        self.context = ssl.create_default_context(cafile=authority)

    def connection(self):
        return HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=20)

    def request(self, path, method="GET", data=None, **headers):
        """(status, headers, what the host received) of a request; headers in lower case with "_" for "-"."""
        connection = self.connection()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, data, sent)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        received = json.loads(text) if text.startswith("{") else text
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, received


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    """Return the proxy in front of a host that answers with what it received."""
    directory = tmp_path_factory.mktemp("proxy")
    used = directory / "nginx"
    used.mkdir()
    subprocess.run(["scripts/local/certificate", str(directory)], cwd=ROOT, check=True)
    build = f". scripts/lib/say.sh; . scripts/lib/demo.sh; build --tag {NAME} {SOURCE}"
    subprocess.run(["bash", "-c", build], cwd=ROOT, check=True)
    (directory / "host.py").write_text(HOST)
    python = subprocess.run(
        ["scripts/local/base-image", "app"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    python = python or re.search(r"^FROM (\S+) AS pinned", (ROOT / "book-shop/Dockerfile").read_text(), re.M)[1]
    remove()
    try:
        docker("network", "create", NAME)
        mount = f"{directory}/host.py:/host.py:ro"
        docker("run", "-d", "--name", f"{NAME}-host", "--network", NAME, "-v", mount, python, "python3", "/host.py")
        networks = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        address = docker("inspect", "-f", networks, f"{NAME}-host")
        for file in [*SOURCE.glob("*.conf"), *directory.glob("tls.*")]:
            shutil.copy(file, used)
        (used / "host.conf").write_text((SOURCE / "host.conf").read_text().replace("ADDRESS", address))
        (used / "secret.conf").write_text("proxy_set_header X-Proxy-Secret 0123456789abcdef;\n")
        locations = [SOURCE / "locations", ROOT / "application.json"]
        (used / "locations.conf").write_bytes(subprocess.run(locations, check=True, capture_output=True).stdout)
        publish = ("-p", "127.0.0.1::443", "-v", f"{used}:/etc/book-shop:ro")
        docker("run", "-d", "--name", NAME, "--network", NAME, *publish, NAME)
        started = Proxy(int(docker("port", NAME, "443").rsplit(":", 1)[1]), directory / "ca.crt")
        await_answer(started)
        yield started
    finally:
        remove()
        subprocess.run(["docker", "image", "rm", NAME], capture_output=True)


def await_answer(proxy):
    for _ in range(600):
        if docker("inspect", "-f", "{{.State.Running}}", NAME) != "true":
            pytest.fail(docker("logs", NAME))
        try:
            if proxy.request("/ready")[0] == 200:
                return
        except OSError:
            pass
    pytest.fail(docker("logs", NAME))


def remove():
    subprocess.run(["docker", "rm", "--force", NAME, f"{NAME}-host"], capture_output=True)
    subprocess.run(["docker", "network", "rm", NAME], capture_output=True)


FORGED = {
    "X_Forwarded_For": "198.51.100.7",
    "X_Forwarded_Proto": "http",
    "X_Real_IP": "198.51.100.7",
    "X_Proxy_Secret": "forged",
    "X_HTTP_Method_Override": "DELETE",
}


def test_pages_get_cookies_and_query_and_the_visitors_address(proxy):
    status, headers, host = proxy.request("/account/?a=%2F&a=1", Cookie="sessionid=a", Accept_Language="de", **FORGED)
    assert status == 200
    assert host["path"] == "/account/?a=%2F&a=1"
    received = host["headers"]
    assert received["host"] == f"127.0.0.1:{proxy.port}"
    assert (received["cookie"], received["accept-language"]) == ("sessionid=a", "de")
    assert received["x-proxy-secret"] == "0123456789abcdef"
    forged, address = received["x-forwarded-for"].split(", ")
    assert (forged, address != forged) == ("198.51.100.7", True)
    assert not {"x-forwarded-proto", "x-real-ip", "x-http-method-override"} & set(received)
    assert "x-cache" not in headers


@pytest.mark.parametrize(
    "path", ["/account/hashed", "/personal", "/staticfiles/hashed", "/book-cover", "/static", "/never"]
)
def test_other_paths_are_never_cached(proxy, path):
    answers = [proxy.request(path, Cookie=f"sessionid={number}")[1:] for number in range(3)]
    assert len({host["number"] for _, host in answers}) == 3
    assert [host["headers"]["cookie"] for _, host in answers] == ["sessionid=0", "sessionid=1", "sessionid=2"]
    assert all(("set-cookie" in headers) == (path == "/personal") for headers, _ in answers)


@pytest.mark.parametrize("directory", ["/static/one/", "/book-cover/"])
@pytest.mark.parametrize("entry", ["hashed", "personal", "plain", "kept-error"])
def test_cached_paths_get_no_cookie_and_no_query_and_answer_everyone_the_same(proxy, directory, entry):
    first, second = (
        proxy.request(f"{directory}{entry}?user={user}", Cookie=f"sessionid={user}", Accept_Language=user, **FORGED)
        for user in ("a", "b")
    )
    assert first[2] == second[2]
    assert (first[1]["x-cache"], second[1]["x-cache"]) == ("MISS from the proxy", "HIT from the proxy")
    assert first[2]["path"] == directory + entry
    received = first[2]["headers"]
    assert set(received) == {
        "host",
        "via",
        "x-amz-cf-id",
        "x-forwarded-for",
        "x-proxy-secret",
        "accept-encoding",
        "user-agent",
    } - (set() if "accept-encoding" in received else {"accept-encoding"})
    assert received["x-proxy-secret"] == "0123456789abcdef"
    assert "set-cookie" not in first[1] | second[1]


@pytest.mark.parametrize("entry", ["missing", "never-error", "broken"])
def test_errors_without_max_age_are_not_cached(proxy, entry):
    numbers = {proxy.request(f"/static/{entry}")[2]["number"] for _ in range(2)}
    assert len(numbers) == 2


def test_a_response_that_forbids_caching_is_kept_for_a_second_only(proxy):
    """CachingOptimized has a minimum of one second, whatever the response states."""
    first = proxy.request("/static/short/never")[2]["number"]
    seen = [first]
    for _ in range(2000):
        seen.append(proxy.request("/static/short/never")[2]["number"])
        if seen[-1] != first:
            break
    assert seen[1] == first
    assert seen[-1] != first


def test_an_expired_file_is_confirmed_by_its_etag(proxy):
    first = proxy.request("/static/etag")[2]
    for _ in range(2000):
        _, headers, host = proxy.request("/static/etag")
        assert host["number"] == first["number"]
        if headers["x-cache"].startswith("REVALIDATED"):
            return
    pytest.fail("the proxy never asked the host again")


def test_encodings_are_cached_separately(proxy):
    sent = ["gzip", "gzip, deflate, br", "br;q=1.0, gzip", "identity", "deflate"]
    received = [proxy.request("/static/encoded", Accept_Encoding=value)[2] for value in sent]
    assert [host["headers"].get("accept-encoding") for host in received] == ["gzip", "br,gzip", "br,gzip", None, None]
    assert len({host["number"] for host in received}) == 3


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_cached_paths_accept_no_other_method(proxy, method):
    assert proxy.request("/static/plain", method)[0] == 403


@pytest.mark.parametrize("path", ["/static/../account/", "/static/%2e%2e/account/", "/book-cover/./../account/x"])
def test_a_path_out_of_a_cached_one_is_not_cached(proxy, path):
    numbers = {proxy.request(path, Cookie="sessionid=a")[2]["number"] for _ in range(2)}
    assert len(numbers) == 2


def test_a_get_is_sent_again_and_a_post_is_not(proxy):
    """A host that is reloaded closes idle connections, at worst when a request arrives."""
    assert proxy.request("/first/close")[0] == 200
    assert proxy.request("/static/close")[0] == 200
    assert proxy.request("/second/close", "POST", "a=1")[0] == 502


def test_gets_keep_their_connection_and_a_post_gets_a_new_one(proxy):
    ports = {proxy.request("/kept")[2]["port"] for _ in range(20)}
    assert len(ports) < 20
    for _ in range(5):
        sent = proxy.request("/form", "POST", "a=1", Content_Type="text/plain")[2]
        assert (sent["body"], sent["port"] in ports) == ("a=1", False)
        ports.add(sent["port"])


def test_other_names_unencrypted_requests_and_strangers_certificates_are_refused(proxy):
    for host in ("localhost", f"localhost:{proxy.port}", "evil.example", "127.0.0.2"):
        status, _, text = proxy.request("/", Host=host)
        assert (status, "https://127.0.0.1" in text) == (403, True)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{proxy.port}/", timeout=20)
    assert refused.value.code == 400
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(proxy.url, timeout=20)
