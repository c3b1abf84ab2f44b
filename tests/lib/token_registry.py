#!/usr/bin/env python3
"""ECR Public's way of letting people in, before a real registry: a bearer challenge, a token service, what it caches.

tests/lib/token_registry.py UPSTREAM [CERTIFICATE KEY]   prints the address; with a certificate it speaks TLS

Whoever comes to /token/ as AWS with the password may write; whoever comes without a name may read. `cached` keeps the
answers to reads of tags, those that say 404 too; `throttle` is how many of the next requests are answered 429.
"""

import base64
import http.client
import http.server
import json
import ssl
import sys
import threading

PASSWORD = "a password"  # as tests/lib/fake_ecr_public.py gives it out
BASIC = "Basic " + base64.b64encode(f"AWS:{PASSWORD}".encode()).decode()
TOKENS = {"Bearer of-aws": True, "Bearer of-anybody": False}  # whether it may write
OWN = {"connection", "transfer-encoding", "content-length", "date", "server"}


class TokenRegistry:
    def __init__(self, upstream, certificate=None, name=None):
        self.upstream, self.cached, self.throttle = upstream, None, 0
        self.asked = []  # (method, path, who), in their order
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.headers.get("Transfer-Encoding") == "chunked":
                    body = b"".join(iter(self.chunk, b""))
                who = self.headers.get("Authorization", "")
                front.asked.append((self.command, self.path, who.partition(" ")[0]))
                self.send(*front.reply(self.command, self.path, who, dict(self.headers), body))

            def chunk(self):
                part = self.rfile.read(int(self.rfile.readline().split(b";")[0], 16))
                self.rfile.readline()
                return part

            def send(self, status, headers, body, length=None):
                self.send_response_only(status)
                for key, value in headers:
                    self.send_header(key, value)
                self.send_header("Content-Length", length or str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.scheme = "https"
        self.address = name or f"127.0.0.1:{self.port}"  # as its callers know it
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def reply(self, method, path, who, headers, body):
        """(status, headers, body, length) for a request."""
        if self.throttle:
            self.throttle -= 1
            return error(429, "TOOMANYREQUESTS", "Rate exceeded")
        if path.startswith("/token/"):
            if who not in ("", BASIC):
                return error(401, "UNAUTHORIZED", "wrong password")
            token = "of-aws" if who else "of-anybody"
            return 200, [("Content-Type", "application/json")], json.dumps({"token": token}).encode(), None
        if who not in TOKENS:
            challenge = f'Bearer realm="{self.scheme}://{self.address}/token/",service="public.ecr.aws",scope="aws"'
            status, told, body, length = error(401, "UNAUTHORIZED", "Not Authorized")
            return status, [*told, ("WWW-Authenticate", challenge)], body, length
        if method not in ("GET", "HEAD") and not TOKENS[who]:
            return error(403, "DENIED", "Not Authorized")
        key = f"{method} {path}"
        kept = "/manifests/" in path and "/manifests/sha256:" not in path and method in ("GET", "HEAD")
        if self.cached is None or not kept:
            return self.ask(method, path, headers, body)
        if key not in self.cached:
            self.cached[key] = self.ask(method, path, headers, body)
        return self.cached[key]

    def ask(self, method, path, headers, body):
        """What the real registry answers; it names its callers the address they know."""
        passed = {key: value for key, value in headers.items() if key.lower() not in {"authorization", *OWN}}
        passed |= {"Host": self.address, "X-Forwarded-Proto": self.scheme, "Content-Length": str(len(body))}
        connection = http.client.HTTPConnection(self.upstream, timeout=60)
        connection.request(method, path, body, passed)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        told = [(key, value) for key, value in answer.getheaders() if key.lower() not in OWN]
        return answer.status, told, content, answer.headers.get("Content-Length")


def error(status, code, message):
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return status, [("Content-Type", "application/json")], body, None


if __name__ == "__main__":
    if len(sys.argv) not in (2, 4):
        sys.exit(__doc__)
    made = TokenRegistry(sys.argv[1], sys.argv[2:] or None)
    print(made.address, flush=True)
    threading.Event().wait()
