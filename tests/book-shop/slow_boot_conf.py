"""The gunicorn settings of the shop with workers that connect to the test and start when it closes the connection."""

import os
import runpy
import socket

_settings = runpy.run_path("gunicorn.conf.py")
globals().update({name: value for name, value in _settings.items() if not name.startswith("_")})


def post_fork(server, worker):
    """Call the hook of the shop, then wait for the test."""
    _settings["post_fork"](server, worker)
    with socket.create_connection(("127.0.0.1", int(os.environ["TEST_PORT"]))) as test:
        test.recv(1)
