"""ECR Public's login in front of a real registry: a bearer challenge, a token service, and a cache of old answers."""

import base64
import http.client
import json

import loopback

BASIC = "Basic " + base64.b64encode(b"AWS:a password").decode()  # as tests/lib/fake_ecr_public.py gives it out
TOKENS = {"Bearer of-aws": True, "Bearer of-anybody": False}  # whether it may write
OWN = {"connection", "transfer-encoding", "content-length", "date", "server"}
JSON = {"Content-Type": "application/json"}


class TokenRegistry:
    """Lets AWS with the password write, and clients without a login read. Speaks TLS if it has a certificate.

    `cached`, unless it is None, keeps the answers to reads of tags, a 404 too. The next `throttle` requests are
    answered 429. `asked` has each (method, path, scheme of the Authorization), in order.
    """

    def __init__(self, upstream, certificate=None, name=None):
        self.upstream, self.cached, self.throttle, self.asked = upstream, None, 0, []
        self.server = loopback.Server(self.answer, certificate).start()
        self.port, self.close = self.server.server_port, self.server.close
        self.scheme = "https" if certificate else "http"
        self.address = name or self.server.address  # as its clients know it

    def answer(self, method, path, headers, body):
        authorization = headers.get("Authorization", "")
        self.asked.append((method, path, authorization.partition(" ")[0]))
        return self.reply(method, path, authorization, dict(headers), body)

    def reply(self, method, path, authorization, headers, body):
        """(status, headers, content) for a request."""
        if self.throttle:
            self.throttle -= 1
            return error(429, "TOOMANYREQUESTS", "Rate exceeded")
        if path.startswith("/token/"):
            if authorization not in ("", BASIC):
                return error(401, "UNAUTHORIZED", "wrong password")
            return 200, JSON, json.dumps({"token": "of-aws" if authorization else "of-anybody"}).encode()
        if authorization not in TOKENS:
            status, told, content = error(401, "UNAUTHORIZED", "Not Authorized")
            challenge = f'Bearer realm="{self.scheme}://{self.address}/token/",service="public.ecr.aws",scope="aws"'
            return status, told | {"WWW-Authenticate": challenge}, content
        read = method in ("GET", "HEAD")
        if not read and not TOKENS[authorization]:
            return error(403, "DENIED", "Not Authorized")
        of_tag = "/manifests/" in path and "/manifests/sha256:" not in path
        if self.cached is None or not (read and of_tag):
            return self.ask(method, path, headers, body)
        key = f"{method} {path}"
        if key not in self.cached:
            self.cached[key] = self.ask(method, path, headers, body)
        return self.cached[key]

    def ask(self, method, path, headers, body):
        """What the real registry answers; it names its clients the address they know."""
        passed = {key: value for key, value in headers.items() if key.lower() not in {"authorization", *OWN}}
        passed |= {"Host": self.address, "X-Forwarded-Proto": self.scheme, "Content-Length": str(len(body))}
        connection = http.client.HTTPConnection(self.upstream, timeout=60)
        connection.request(method, path, body, passed)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        length = {"Content-Length": answer.headers.get("Content-Length") or str(len(content))}  # a HEAD has no content
        told = {key: value for key, value in answer.getheaders() if key.lower() not in OWN}
        return answer.status, told | length, content


def error(status, code, message):
    """An answer in the form of the registry's errors."""
    return status, JSON, json.dumps({"errors": [{"code": code, "message": message}]}).encode()
