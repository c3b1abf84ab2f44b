"""What the tests of the laptop-side modules share: a real registry, a scripted one, AWS, and a git repository."""

import collections
import contextlib
import http.server
import os
import socket
import struct
import subprocess
import threading
from pathlib import Path

import oci
import pytest


@pytest.fixture(scope="session")
def real_registry(tmp_path_factory):
    """(address, directory) of a docker-registry that runs for the whole session."""
    directory = tmp_path_factory.mktemp("registry")
    process, address = oci.serve(directory)
    yield address, directory
    process.terminate()
    process.wait(timeout=30)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """(certificate, key) for public.ecr.aws, trusted where SSL_CERT_FILE names it."""
    files = [str(tmp_path_factory.mktemp("tls") / name) for name in ("certificate", "key")]
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=public.ecr.aws"
    command += " -addext subjectAltName=DNS:public.ecr.aws"
    subprocess.run([*command.split(), "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return files


@pytest.fixture(scope="module")
def cloud():
    """AWS on loopback, empty at the start of each file."""
    import fake_aws  # which most files do not need

    with contextlib.closing(fake_aws.Aws()) as made:
        yield made


Request = collections.namedtuple("Request", "method path headers body")


class Scripted:
    """A server on a loopback port that gives its `answers` one after the other and keeps the `requests`.

    An answer is (status, headers, body). The body RESET resets the connection; CUT announces more than it sends.
    """

    RESET, CUT = object(), object()

    def __init__(self):
        self.answers, self.requests = [], []
        scripted = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                scripted.requests.append(Request(self.command, self.path, dict(self.headers), body))
                unexpected = (501, {"X-Test": "no answer left"}, b"")
                status, headers, content = scripted.answers.pop(0) if scripted.answers else unexpected
                if content is Scripted.RESET:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    os.close(self.connection.detach())  # at once, even if another thread holds the socket
                    return
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if content is Scripted.CUT:
                    self.send_header("Content-Length", "1000")
                    content, self.close_connection = b"{", True
                elif "Content-Length" not in headers:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_HEAD = do_PUT = answer

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # a connection that a test reset
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def asked(self):
        return [f"{request.method} {request.path}" for request in self.requests]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def scripted():
    with contextlib.closing(Scripted()) as server:
        yield server


other = scripted  # a second server, which is not the registry itself


class Repository:
    """A git repository in the current directory."""

    clock = 1700000000

    def git(self, *arguments, **variables):
        settings = {"env": os.environ | variables, "check": True, "capture_output": True, "text": True}
        return subprocess.run(["git", *arguments], **settings).stdout.strip()

    def commit(self, files, message="c"):
        """Writes the files (None removes one), commits all and returns the hash. Each commit is a minute newer."""
        for name, content in files.items():
            if content is None:
                Path(name).unlink()
            else:
                Path(name).parent.mkdir(parents=True, exist_ok=True)
                Path(name).write_text(content)
        Repository.clock += 60
        date = f"@{Repository.clock} +0000"
        self.git("add", "--all")
        self.git("commit", "-q", "--allow-empty", "-m", message, GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """An empty Repository on branch main, in the current directory."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.chdir(tmp_path)
    made = Repository()
    made.git("init", "-q", "-b", "main")
    made.git("config", "user.name", "t")
    made.git("config", "user.email", "t@example.com")
    return made
