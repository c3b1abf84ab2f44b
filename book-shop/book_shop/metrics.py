"""What is counted of the requests, for Prometheus (the answer to /metrics is in wsgi.py).

The databases' own metrics are left out: django-prometheus counts every query by a database backend of its own, and what
PostgreSQL does is better asked of PostgreSQL.
"""

from django_prometheus.middleware import PrometheusAfterMiddleware


class AfterMiddleware(PrometheusAfterMiddleware):
    """Counts requests, their time and their size by view, method and status."""

    def label_metric(self, metric, request, response=None, **labels):
        """Return the metric with its labels.

        An invented method gets no series of its own: one of django-prometheus' histograms has the method as it came,
        and a visitor could fill the memory with them.
        """
        if "method" in labels:
            labels["method"] = self._method(request)
        return super().label_metric(metric, request, response, **labels)
