#!/usr/bin/env python3
"""A small EKS: the description of one cluster, and its API server, which knows users by EKS's tokens.

tests/lib/fake_eks.py serve KUBECONFIG NAME DIRECTORY
    serves the cluster of a kubeconfig under this name, until it is killed. The address of EKS is in DIRECTORY/address.

The API server passes requests on to that of the kubeconfig, as a member of the group of deployers: what the access
entry in terraform/cluster/cluster.tf gives to the role. It is enough for kubectl's usual requests, not for exec.
"""

import base64
import hashlib
import hmac
import http.client
import http.server
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import urllib.parse
from pathlib import Path

import yaml

KEY, SECRET = "AKIAOFTHEDEPLOYER", "the-secret-key"  # of the role that deploys
GROUP = "book-shop-deployers"
HOP = {"connection", "transfer-encoding", "content-length", "host", "authorization"}


def signed_by(token, name, secret=SECRET):
    """The access key whose owner has signed a token for the cluster of this name. Raises ValueError for another token.

    As aws-iam-authenticator checks it, but STS computes the signature (AWS Signature Version 4, in the query).
    """
    prefix, _, encoded = token.partition(".")
    if prefix != "k8s-aws-v1" or "=" in encoded:
        raise ValueError("not a token of EKS")
    url = urllib.parse.urlsplit(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode())
    query = dict(urllib.parse.parse_qsl(url.query, strict_parsing=True))
    signature = query.pop("X-Amz-Signature")
    if not re.fullmatch(r"sts\.[a-z0-9-]+\.amazonaws\.com", url.netloc) or (url.scheme, url.path) != ("https", "/"):
        raise ValueError(f"not a request to STS: {url.geturl()}")
    if query["Action"] != "GetCallerIdentity" or not 0 < int(query["X-Amz-Expires"]) <= 900:
        raise ValueError("another request, or valid for too long")
    if query["X-Amz-SignedHeaders"] != "host;x-k8s-aws-id":
        raise ValueError("the name of the cluster is not signed")
    ordered = "&".join(f"{key}={urllib.parse.quote(query[key], safe='')}" for key in sorted(query))
    headers = f"host:{url.netloc}\nx-k8s-aws-id:{name}\n"
    request = "\n".join(["GET", "/", ordered, headers, "host;x-k8s-aws-id", hashlib.sha256(b"").hexdigest()])
    key, *scope = query["X-Amz-Credential"].split("/")
    hashed = hashlib.sha256(request.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", query["X-Amz-Date"], "/".join(scope), hashed])
    signing = f"AWS4{secret}".encode()
    for part in (*scope, text):
        signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
    if signing.hex() != signature:
        raise ValueError("wrong signature, or signed for another cluster")
    return key


class Eks:
    """EKS's API on a loopback port.

    `cluster` is the answer to DescribeCluster, None for an unknown cluster. The roles with an access entry are
    `deployers`. With `denied`, the credentials have no rights.
    """

    def __init__(self, name, cluster=None):
        self.name, self.cluster, self.denied, self.deployers = name, cluster, False, set()
        eks = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, kind, body = eks.answer(self.path, self.headers.get("Authorization", ""))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                if kind:
                    self.send_header("x-amzn-ErrorType", kind)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_):
                pass

        self.server = serve(Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, path, authorization):
        if self.denied or f"Credential={KEY}/" not in authorization:
            return 403, "AccessDeniedException", {"message": f"not authorized to perform this on {path}"}
        _, _, role = path.partition("/access-entries/")
        if role and urllib.parse.unquote(role) in self.deployers:
            return 200, None, {"accessEntry": {"principalArn": urllib.parse.unquote(role), "kubernetesGroups": [GROUP]}}
        if role:
            message = f"The specified principalArn could not be found: {urllib.parse.unquote(role)}."
            return 404, "ResourceNotFoundException", {"message": message}
        if path != f"/clusters/{self.name}" or self.cluster is None:
            name = path.removeprefix("/clusters/")
            return 404, "ResourceNotFoundException", {"message": f"No cluster found for name: {name}."}
        return 200, None, {"cluster": self.cluster}


class ApiServer:
    """The API server of a cluster as its deployers reach it. `cluster` is what EKS says of it."""

    def __init__(self, config, name, directory):
        behind = Behind(config, directory)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self):
                try:
                    key = signed_by(self.headers.get("Authorization", "").removeprefix("Bearer "), name)
                    if key != KEY:
                        raise ValueError(f"no access entry for {key}")
                except (KeyError, ValueError):
                    self.rfile.read(int(self.headers.get("Content-Length", 0)))
                    return self.refuse()
                return behind.request(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on

            def refuse(self):
                body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "Unauthorized"}
                text = json.dumps(body | {"reason": "Unauthorized", "code": 401}).encode()
                self.send_response(401)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        files = [str(Path(directory) / name) for name in ("server.crt", "server.key")]
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=eks"
        command += " -addext subjectAltName=IP:127.0.0.1"
        subprocess.run([*command.split(), "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*files)
        self.server = serve(Handler, context)
        certificate = base64.b64encode(Path(files[0]).read_bytes()).decode()
        address = f"https://127.0.0.1:{self.server.server_port}"
        self.cluster = {"endpoint": address, "certificateAuthority": {"data": certificate}, "status": "ACTIVE"}


class Behind:
    """The API server of a kubeconfig, reached with its client certificate, as a member of GROUP."""

    def __init__(self, config, directory):
        config = yaml.safe_load(Path(config).read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.address = urllib.parse.urlsplit(cluster["server"]).netloc
        files = {}
        for name, values in (("certificate-authority", cluster), ("client-certificate", user), ("client-key", user)):
            files[name] = Path(directory) / name
            files[name].write_bytes(base64.b64decode(values[f"{name}-data"]))
        self.context = ssl.create_default_context(cafile=files["certificate-authority"])
        self.context.load_cert_chain(files["client-certificate"], files["client-key"])

    def request(self, handler):
        """Passes a request on, and its answer back as it arrives: a watch ends late."""
        headers = {name: value for name, value in handler.headers.items() if name.lower() not in HOP}
        headers |= {"Impersonate-User": "deployer", "Impersonate-Group": GROUP}
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        connection = http.client.HTTPSConnection(self.address, context=self.context)
        try:
            connection.request(handler.command, handler.path, body, headers)
            answer = connection.getresponse()
            handler.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in HOP:
                    handler.send_header(name, value)
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            while part := answer.read1(65536):
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                handler.wfile.flush()
            handler.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):  # kubectl has ended its watch
            handler.close_connection = True
        finally:
            connection.close()


def serve(handler, context=None):
    """A server on a loopback port, in threads."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if context:  # the handshake belongs to the thread of the connection
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", config, name, directory]:
            eks = Eks(name, ApiServer(config, name, directory).cluster)
            Path(directory, "pid").write_text(str(os.getpid()))
            Path(directory, "address.new").write_text(eks.url)
            Path(directory, "address.new").rename(Path(directory, "address"))
            threading.Event().wait()
        case _:
            sys.exit(__doc__)
