"""A WSGI application that connects to the test and responds when the test closes the connection."""

import os
import socket


def application(environ, start_response):
    """Wait for the test, then respond."""
    with socket.create_connection(("127.0.0.1", int(os.environ["TEST_PORT"]))) as test:
        test.recv(1)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "8")])
    return [b"finished"]
