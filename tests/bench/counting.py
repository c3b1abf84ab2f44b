"""A proxy in front of a registry that counts requests, bytes of bodies in both directions, and bytes of layers."""

import http.client
import http.server
import re
import threading
from urllib.parse import parse_qs, urlsplit

# Headers that are not passed on: they belong to one connection, or the length of a chunked body is only known here.
OWN = {"connection", "transfer-encoding", "keep-alive", "expect", "date", "server", "content-length"}
BLOB = re.compile(r"/blobs/(sha256:[0-9a-f]{64})$")


class Proxy(http.server.BaseHTTPRequestHandler):
    """Passes requests on to `server.upstream` and reports them to `server.counter`. Bodies are kept in memory."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.body()
        names = {name for name in self.headers if name.lower() not in OWN}
        headers = {name: ", ".join(self.headers.get_all(name)) for name in names}
        connection = http.client.HTTPConnection(self.server.upstream, timeout=300)
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        self.server.counter.count(self.command, self.path, len(body) + len(content))
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in OWN:
                self.send_header(name, value)
        # The answer to HEAD has the length of the content that it leaves out.
        length = answer.headers["Content-Length"] if self.command == "HEAD" else len(content)
        self.send_header("Content-Length", str(length or 0))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = answer

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def log_message(self, *_) -> None:
        pass


class Counter:
    """A running proxy at `address`. `layers` are the digests that count as layers."""

    def __init__(self, upstream: str, layers: set[str]) -> None:
        self.layers, self._lock = layers, threading.Lock()
        self.reset()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        self._server.counter, self._server.upstream = self, upstream
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def reset(self) -> None:
        """Set all counts to zero."""
        self.requests = self.bytes = self.layer_bytes = 0
        self._uploads: dict[str, int] = {}  # bytes by path: only the last request of an upload names its digest

    def count(self, method: str, address: str, size: int) -> None:
        """Count a request with that many bytes in its body and its answer's."""
        url = urlsplit(address)
        digest = parse_qs(url.query).get("digest", [""])[0]
        with self._lock:
            self.requests += 1
            self.bytes += size
            if blob := BLOB.search(url.path):
                self.layer_bytes += size * (blob[1] in self.layers)
            elif "/blobs/uploads/" in url.path:
                sent = self._uploads.pop(url.path, 0) + size
                if digest and method in ("PUT", "POST"):
                    self.layer_bytes += sent * (digest in self.layers)
                else:
                    self._uploads[url.path] = sent

    def close(self) -> None:
        """Stop the proxy."""
        self._server.shutdown()
        self._server.server_close()
