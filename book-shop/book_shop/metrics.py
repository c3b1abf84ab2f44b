"""Prometheus metrics of requests. wsgi.py serves them at /metrics.

The database backends of django-prometheus are not used: PostgreSQL has better statistics of its own.
"""

from django_prometheus.middleware import PrometheusAfterMiddleware


class AfterMiddleware(PrometheusAfterMiddleware):
    """Measures the number, duration and size of requests by view, method and status."""

    def label_metric(self, metric, request, response=None, **labels):
        """Return the metric with its labels.

        One histogram of django-prometheus has the method of the request as a label. Invented methods share one label
        value here, so that clients cannot fill the memory.
        """
        if "method" in labels:
            labels["method"] = self._method(request)
        return super().label_metric(metric, request, response, **labels)
