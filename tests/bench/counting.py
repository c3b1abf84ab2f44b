"""A registry behind a proxy that counts: requests, the bytes of bodies both ways, and those that were of layers."""

import http.client
import http.server
import re
import threading
from urllib.parse import parse_qs, urlsplit

PIECE = 1 << 18  # bytes
OWN = {"connection", "transfer-encoding", "keep-alive", "expect", "date", "server"}
BLOB = re.compile(r"/blobs/(sha256:[0-9a-f]{64})$")


class Counter:
    """The proxy; `layers` are the digests that count as layers."""

    def __init__(self, upstream: str, layers: set[str]) -> None:
        self.layers = layers
        self.reset()
        counter, lock = self, threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                with lock:
                    counter.requests += 1
                names = {key for key in self.headers if key.lower() not in OWN}
                headers = {name: ", ".join(self.headers.get_all(name)) for name in names}
                chunked = self.headers.get("Transfer-Encoding") == "chunked"
                if chunked:
                    headers["Transfer-Encoding"] = "chunked"
                length = headers.get("Content-Length")
                sent = self.chunks() if chunked else self.pieces(self.rfile, int(length or 0))
                body = self.counting(sent) if chunked or length else None
                asked = http.client.HTTPConnection(upstream, timeout=300)
                asked.request(self.command, self.path, body, headers, encode_chunked=chunked)
                self.send(asked.getresponse())
                asked.close()

            def send(self, answer: http.client.HTTPResponse) -> None:
                self.send_response_only(answer.status)
                for key, value in answer.getheaders():
                    if key.lower() not in OWN:
                        self.send_header(key, value)
                if answer.length is None and self.command != "HEAD":
                    self.send_header("Connection", "close")  # which closes it: the body ends there
                self.end_headers()
                for piece in self.counting(self.pieces(answer, answer.length)):
                    self.wfile.write(piece)

            def pieces(self, source, length: int | None):
                """Yield so many bytes, or all there are."""
                while length != 0 and (piece := source.read(PIECE if length is None else min(PIECE, length))):
                    length = None if length is None else length - len(piece)
                    yield piece

            def chunks(self):
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    yield from self.pieces(self.rfile, size)
                    self.rfile.readline()
                self.rfile.readline()

            def counting(self, pieces):
                for piece in pieces:
                    with lock:
                        counter.count(self.path, len(piece))
                    yield piece
                with lock:
                    counter.end(self.command, self.path)

            do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = answer

            def log_message(self, *_) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def reset(self) -> None:
        """Begin to count anew."""
        self._uploads: dict[str, int] = {}
        self.requests = self.bytes = self.layer_bytes = 0

    def count(self, address: str, size: int) -> None:
        """Count bytes of one body. Of which blob an upload is, only its end tells."""
        self.bytes += size
        path = urlsplit(address).path
        if found := BLOB.search(path):
            self.layer_bytes += size * (found[1] in self.layers)
        elif "/blobs/uploads/" in path:
            self._uploads[path] = self._uploads.get(path, 0) + size

    def end(self, method: str, address: str) -> None:
        """See whether an upload has ended, and whether it was a layer's."""
        digest = parse_qs(urlsplit(address).query).get("digest", [""])[0]
        if method in ("PUT", "POST") and digest:
            self.layer_bytes += self._uploads.pop(urlsplit(address).path, 0) * (digest in self.layers)

    def close(self) -> None:
        """End the proxy."""
        self.server.shutdown()
        self.server.server_close()
