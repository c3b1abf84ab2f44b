"""What the fakes of AWS share: an API (AWS JSON 1.1) on a loopback port that answers by the methods `on_<Operation>`.

`calls` holds (operation, request) in their order.
"""

import http.server
import json
import threading


class Refused(Exception):
    """An error of the API, by its name."""


class Api:
    def __init__(self):
        self.calls = []
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                operation = self.headers.get("X-Amz-Target", "").partition(".")[2]
                try:
                    status, kind, answer = 200, *fake.answer(operation, body)
                except Refused as refused:
                    told = {"__type": str(refused), "message": f"{refused} in {operation}"}
                    status, kind, answer = 400, "application/x-amz-json-1.1", json.dumps(told)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(answer.encode())))
                self.end_headers()
                self.wfile.write(answer.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def answer(self, operation, body):
        """Return the content type and the text of an answer."""
        request = json.loads(body or "{}")
        self.calls.append((operation, request))
        method = getattr(self, f"on_{operation}", None)
        if method is None:
            raise Refused("UnsupportedCommandException")
        return "application/x-amz-json-1.1", json.dumps(method(**request))

    def close(self):
        self.server.shutdown()
        self.server.server_close()
