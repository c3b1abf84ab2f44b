"""A slow upload: `slow_upload.py PORT PATH FILE` sends a body byte by byte until FILE exists, then the rest.

Prints the answer.
"""

import socket
import sys
import time
from pathlib import Path

LENGTH = 2 * 1024 * 1024  # as much as NGINX takes

port, path, file = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
with socket.create_connection(("localhost", port), timeout=60) as client:
    client.sendall(
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {LENGTH}\r\n\r\n".encode()
    )
    left = LENGTH
    while not file.exists() and left > 1:
        client.sendall(b"x")
        left -= 1
        time.sleep(0.1)
    client.sendall(b"x" * left)
    while answer := client.recv(65536):
        sys.stdout.write(answer.decode())
