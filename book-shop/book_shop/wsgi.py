"""The WSGI application that gunicorn serves: Django, and in front of it the metrics."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver
from prometheus_client import REGISTRY, CollectorRegistry, make_wsgi_app
from prometheus_client.multiprocess import MultiProcessCollector

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "book_shop.settings")


def _metrics():
    """Return the application that answers the metrics: of all workers under gunicorn, else of this process."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return make_wsgi_app(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return make_wsgi_app(registry)


metrics = _metrics()
shop = get_wsgi_application()

# What a request needs is loaded now, before there are workers, and stays. The garbage collector need not look at it:
# once in some hundred pages it would, and hold a request up for a tenth of a second.
_ = get_resolver().url_patterns
gc.collect()
gc.freeze()


def application(environ, start_response):
    """Answer /metrics, which NGINX does not publish, and leave the rest to Django.

    Past Django, because Prometheus asks a pod by its address, which is no allowed host.
    """
    return (metrics if environ["PATH_INFO"] == "/metrics" else shop)(environ, start_response)
