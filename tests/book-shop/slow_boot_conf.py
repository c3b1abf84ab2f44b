"""The shop's gunicorn settings, with workers that connect to the test on their way up and go on when it hangs up."""

import os
import runpy
import socket

_settings = runpy.run_path("gunicorn.conf.py")
globals().update({name: value for name, value in _settings.items() if not name.startswith("_")})


def post_fork(server, worker):
    """Do what the shop does, then wait for the test."""
    _settings["post_fork"](server, worker)
    with socket.create_connection(("127.0.0.1", int(os.environ["TEST_PORT"]))) as test:
        test.recv(1)
