"""The settings of gunicorn, which loads this file from its working directory."""

import atexit
import os
import shutil
import signal
import tempfile

from book_shop.logs import LOGGING

wsgi_app = "book_shop.wsgi"
bind = "0.0.0.0:8000"
# By default, gunicorn believes a client on loopback that it has used HTTPS. Only Django decides this (settings.py).
forwarded_allow_ips = ""

# Synchronous workers close the connection after each request. Threads let NGINX keep its connections open.
worker_class = "gthread"
workers = 2
threads = 4
# Longer than the 2 s for which NGINX keeps an idle connection, so that NGINX, which sends the requests, closes first.
keepalive = 5
timeout = 30
# Docker kills the process after 25 s, Kubernetes after 30 s.
graceful_timeout = 20

# The workers share the memory of the loaded application. A failing import ends the process at once, instead of one
# worker after another.
preload_app = True

# The root file system is read-only, and a heartbeat file on a disk could block.
worker_tmp_dir = "/dev/shm"  # noqa: S108 - gunicorn gives its files unique names
control_socket_disable = True

# Each worker writes its metrics here and reads those of all workers. prometheus_client needs the variable when it is
# imported. Workers inherit the exit handler, so it checks that it runs in the master.
metrics = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="metrics-", dir=worker_tmp_dir)
_master = os.getpid()
atexit.register(lambda: os.getpid() == _master and shutil.rmtree(metrics))

logger_class = "book_shop.logs.GunicornLogger"
logconfig_dict = LOGGING


def post_fork(server, worker):
    """Let SIGTERM end a worker that is still starting.

    Until then the worker has the signal handlers of the master, which only queue the signal. A stop right after the
    start would take the whole graceful_timeout.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def child_exit(server, worker):
    """Remove the gauges of a worker that has exited. Its counters remain."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)
