"""An HTTP server on a free loopback port, for the fakes of this directory."""

import http.server
import threading

REDIRECT = """
import socket
connect, ways = socket.create_connection, {ways}
def redirected(address, *rest, **more):
    return connect(("127.0.0.1", ways[address]) if address in ways else address, *rest, **more)
socket.create_connection = redirected
"""


def redirect(directory, ways):
    """Writes a sitecustomize module into a new directory, for PYTHONPATH: Python programs then reach the addresses in
    `ways`, {(name, port): port}, at these loopback ports."""
    directory.mkdir()
    (directory / "sitecustomize.py").write_text(REDIRECT.format(ways=ways))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer takes 40 ms, because it is sent in two parts

    def answer(self):
        status, headers, content = self.server.reply(self.command, self.path, self.headers, self.body())
        self.send_response_only(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            return b"".join(iter(self.chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def chunk(self):
        part = self.rfile.read(int(self.rfile.readline().split(b";")[0], 16))
        self.rfile.readline()
        return part


class Server(http.server.ThreadingHTTPServer):
    """Answers with reply(method, path, headers, body), which returns (status, headers, content).

    With a certificate, the paths (certificate, key), it speaks TLS.
    """

    daemon_threads, handler = True, Handler

    def __init__(self, reply, certificate=None):
        super().__init__(("127.0.0.1", 0), self.handler)
        self.reply = reply
        self.address = f"127.0.0.1:{self.server_port}"
        if certificate:
            import ssl  # slow to load

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def start(self):
        """Serves in a thread until `close`."""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def close(self):
        self.shutdown()
        self.server_close()
