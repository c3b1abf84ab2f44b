"""gunicorn's settings; it finds this file in the directory it starts in."""

import atexit
import os
import shutil
import signal
import tempfile

from book_shop.logs import LOGGING

wsgi_app = "book_shop.wsgi"
bind = "0.0.0.0:8000"

# Threads, because a synchronous worker closes each connection and NGINX in front wants to keep its own open.
worker_class = "gthread"
workers = 2
threads = 4
# Longer than the 2 s for which NGINX keeps an idle connection: the side that may send a request closes first.
keepalive = 5
timeout = 30
# Shorter than the time Docker (25 s) and Kubernetes (30 s) give before they kill.
graceful_timeout = 20

# Loaded once, shared by the workers; a failure at import ends the process at once instead of a worker again and again.
preload_app = True

# The root file system is read-only; a heartbeat file on disk could block.
worker_tmp_dir = "/dev/shm"  # noqa: S108 - gunicorn makes its files there with names of its own
control_socket_disable = True

# Where each worker writes its metrics and reads those of all; fresh at each start. Named before anything that counts is
# imported, and removed by the process that made it: workers run exit handlers too.
metrics = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="metrics-", dir=worker_tmp_dir)
_master = os.getpid()
atexit.register(lambda: os.getpid() == _master and shutil.rmtree(metrics))

logger_class = "book_shop.logs.GunicornLogger"
logconfig_dict = LOGGING


def post_fork(server, worker):
    """Let SIGTERM end a worker that is still starting.

    Until it has handlers of its own it has the master's, which only note the signal for a loop that is not running
    here: a stop right after the start would wait out the whole graceful_timeout.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def child_exit(server, worker):
    """Take a worker that is gone out of the gauges; what it counted stays counted."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)
