"""The WSGI application for gunicorn: Django and the metrics."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver
from prometheus_client import REGISTRY, CollectorRegistry, make_wsgi_app
from prometheus_client.multiprocess import MultiProcessCollector

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "book_shop.settings")


def _metrics():
    """Return the WSGI application for the metrics of all gunicorn workers, or of this process without gunicorn."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return make_wsgi_app(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return make_wsgi_app(registry)


metrics = _metrics()
shop = get_wsgi_application()

# Load all modules before gunicorn forks its workers, and exempt them from garbage collection. Otherwise a full
# collection would delay one in several hundred requests by a tenth of a second.
_ = get_resolver().url_patterns
gc.collect()
gc.freeze()


def application(environ, start_response):
    """Serve /metrics, which NGINX does not publish, and pass other requests to Django.

    Django would reject the requests of Prometheus, whose Host header is the address of the pod.
    """
    return (metrics if environ["PATH_INFO"] == "/metrics" else shop)(environ, start_response)
