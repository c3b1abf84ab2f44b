"""TCP connections on loopback, a line at a time.

`lines.py serve PORT TEXT` prints "ready" and answers each line with TEXT until its input ends. `lines.py ask PORT`
sends each line of its input through one connection and prints the answers; `lines.py connect PORT` opens a
connection for each.
"""

import socket
import socketserver
import sys
import threading


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for _ in self.rfile:
            self.wfile.write(f"{sys.argv[3]}\n".encode())


class Server(socketserver.ThreadingTCPServer):
    daemon_threads, request_queue_size = True, 100


action, address = sys.argv[1], ("127.0.0.1", int(sys.argv[2]))
if action == "serve":
    threading.Thread(target=Server(address, Handler).serve_forever, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
    sys.exit()
connection = None
for line in sys.stdin:
    if connection is None or action == "connect":
        connection = socket.create_connection(address, timeout=30).makefile("rw")
    connection.write(line)
    connection.flush()
    print(connection.readline(), end="", flush=True)
