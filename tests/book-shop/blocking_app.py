"""A WSGI application that connects to the test when a request begins, and answers when the test hangs up."""

import os
import socket


def application(environ, start_response):
    """Answer once the test lets it."""
    with socket.create_connection(("127.0.0.1", int(os.environ["TEST_PORT"]))) as test:
        test.recv(1)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "8")])
    return [b"finished"]
