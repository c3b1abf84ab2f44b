"""Prometheus metrics of requests. wsgi.py serves them at /metrics.

The database backends of django-prometheus are not used: PostgreSQL has better statistics of its own.
"""

from django_prometheus.middleware import PrometheusAfterMiddleware, PrometheusBeforeMiddleware

from book_shop import smoke


class Uncounted:
    """A metric that ignores its values."""

    def inc(self):
        """Ignore an event."""

    def observe(self, value):
        """Ignore a value."""


class BeforeMiddleware(PrometheusBeforeMiddleware):
    """Measures the number and duration of requests, except those of the smoke test."""

    def __call__(self, request):
        """Return the response."""
        return self.get_response(request) if smoke.is_request(request) else super().__call__(request)


class AfterMiddleware(PrometheusAfterMiddleware):
    """Measures requests by view, method and status, except those of the smoke test."""

    def label_metric(self, metric, request, response=None, **labels):
        """Return the metric with its labels.

        One histogram of django-prometheus has the method of the request as a label. Invented methods share one label
        value here, so that clients cannot fill the memory.
        """
        if smoke.is_request(request):
            return Uncounted()
        if "method" in labels:
            labels["method"] = self._method(request)
        return super().label_metric(metric, request, response, **labels)
