"""The base of the fakes of AWS: an API (AWS JSON 1.1) on a loopback port."""

import json

import loopback


class Refused(Exception):
    """An error of the API, by its name."""


class Api:
    """Answers an operation with the method on_<Operation>. `calls` has each (operation, request), in order."""

    def __init__(self):
        self.calls = []
        self.server = loopback.Server(self.reply).start()
        self.url = f"http://{self.server.address}"
        self.close = self.server.close

    def reply(self, _method, _path, headers, body):
        operation = headers.get("X-Amz-Target", "").partition(".")[2]
        try:
            status, kind, text = 200, *self.answer(operation, body)
        except Refused as refused:
            error = {"__type": str(refused), "message": f"{refused} in {operation}"}
            status, kind, text = 400, "application/x-amz-json-1.1", json.dumps(error)
        return status, {"Content-Type": kind}, text.encode()

    def answer(self, operation, body):
        """Return the content type and the text of an answer."""
        request = json.loads(body or "{}")
        self.calls.append((operation, request))
        method = getattr(self, f"on_{operation}", None)
        if method is None:
            raise Refused("UnsupportedCommandException")
        return "application/x-amz-json-1.1", json.dumps(method(**request))
