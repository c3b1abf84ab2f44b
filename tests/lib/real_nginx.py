"""A real NGINX with the files of nginx/ in their installed layout, in front of an application that returns what it got.

It listens on free loopback ports. A client on 127.0.0.2 is one from outside; 127.0.0.1 is the host itself.
"""

import http.client
import json
import os
import pwd
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import loopback
from delivery.nginx import Nginx
from delivery.paths import Paths

ROOT = Path(__file__).parents[2]
OUTSIDE, HOST = "127.0.0.2", "127.0.0.1"
MAIN = """
{user}
daemon off;
worker_processes 1;
pid {root}/nginx.pid;
error_log {root}/var/log/nginx/error.log;
events {{}}
http {{
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
    include conf.d/*.conf;
}}
"""


class Answer(NamedTuple):
    """What a client gets. `request` is what the application got: {"line", "headers": [[name, value]]}, or None."""

    status: int
    headers: list
    body: str
    request: dict | None

    def values(self, name):
        """The values of a header of the answer."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def passed(self, name):
        """The values of a header that the application got."""
        return [value for key, value in self.request["headers"] if key.lower() == name.lower()]


def program():
    """The path of nginx."""
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert found, "tests need nginx: make setup installs it"
    return found


def free_port():
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


def echo(method, path, headers, body):
    """The application. It fails on /cut, and answers 404 on /missing and 503 on /busy."""
    if path == "/cut":
        raise ConnectionAbortedError
    got = {"line": f"{method} {path}", "headers": list(headers.items())}
    status = {"/missing": 404, "/busy": 503}.get(path, 200)
    return status, {}, json.dumps(got).encode()


class RealNginx:
    """A host at which only NGINX runs. `secrets` are those of a trusted proxy, `dev` the settings of dev."""

    def __init__(self, root, secrets=(), dev=None):
        self.paths, self.ports = Paths(root), {"prod": free_port(), "dev": free_port()}
        self.nginx = Nginx(self.paths)
        self.log = root / "var/log/nginx/refused.log"
        self.error_log = root / "var/log/nginx/error.log"
        self.log.parent.mkdir(parents=True)
        self.paths.state.mkdir(parents=True)
        self._application = loopback.Server(echo).start()
        self._application.handle_error = lambda *_: None
        self._install(root)
        self.nginx.trust(secrets)
        for name, settings in (("prod", {}), ("dev", dev or {})):
            self.nginx.write(name, {"ALLOWED_HOSTS": "shop.example"} | settings)
        self._process = subprocess.Popen([program(), "-p", root / "etc/nginx", "-c", root / "etc/nginx/nginx.conf"])
        self._wait()

    def _install(self, root):
        etc = root / "etc/nginx"
        shutil.copytree(ROOT / "nginx", etc)
        replaced = {
            r"/(etc|var/log)/nginx": rf"{root}/\1/nginx",
            r"\blisten 80\b": f"listen 127.0.0.1:{self.ports['prod']}",
            r"\blisten 8080\b": f"listen 127.0.0.1:{self.ports['dev']}",
            r"\b8080 dev\b": f"{self.ports['dev']} dev",
            r"\b127\.0\.0\.1:(30080|4000)\b": self._application.address,
        }
        for file in etc.rglob("*.conf"):
            text = file.read_text()
            for pattern, text_of_test in replaced.items():
                text = re.sub(pattern, text_of_test, text)
            file.write_text(text)
        # The directories of a test are its user's own.
        user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
        (etc / "nginx.conf").write_text(MAIN.format(root=root, user=user))

    def _wait(self):
        limit = time.monotonic() + 30
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.ports["prod"])).close()
            except ConnectionRefusedError:
                assert self._process.poll() is None and time.monotonic() < limit, self.error_log.read_text()
                time.sleep(0.01)  # a poll with a limit

    def send(self, environment, request, source=OUTSIDE):
        """The Answer to a request of bytes."""
        address = ("127.0.0.1", self.ports[environment])
        with socket.create_connection(address, timeout=30, source_address=(source, 0)) as client:
            client.sendall(request)
            answer = http.client.HTTPResponse(client)
            answer.begin()
            text = answer.read().decode()
        got = json.loads(text) if text.startswith('{"line"') else None
        return Answer(answer.status, answer.getheaders(), text, got)

    def get(self, *headers, environment="prod", path="/", source=OUTSIDE, method="GET", host="shop.example"):
        """The Answer to a request with these lines of headers."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers, "Connection: close"]
        return self.send(environment, "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1"), source)

    def refused(self):
        """The lines of refused.log. The only worker has written them before it answers the next request."""
        self.get(source=HOST)
        return [json.loads(line) for line in self.log.read_bytes().decode().splitlines()]

    def close(self):
        self._process.terminate()
        self._process.wait(timeout=30)
        self._application.close()
