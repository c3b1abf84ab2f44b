"""Logs of Django and gunicorn on standard output, one JSON object per line.

Each line has `time` (ISO 8601, UTC), `level`, `logger` and `message`. Lines of the access log also have `method`,
`path`, `status`, `bytes` and `duration_ms`. They contain no personal data: no client address, query or user agent.
"""

from gunicorn.glogging import Logger
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter as BaseFormatter

PROBES = {"/healthz", "/readyz", "/metrics"}


class JsonFormatter(BaseFormatter):
    """Formats a record as one line of JSON."""

    def __init__(self):
        super().__init__(
            "%(levelname)s %(name)s %(message)s",
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
            # Django adds these objects to its records: the request and the socket of the client.
            reserved_attrs=[*RESERVED_ATTRS, "request", "server_time"],
        )


class GunicornLogger(Logger):
    """The logger of gunicorn, with fields in the access log and without the requests of probes."""

    def access(self, resp, req, environ, request_time):
        """Log a request and its response."""
        path = environ["PATH_INFO"]
        if path in PROBES:
            return
        status = int(str(resp.status).split(maxsplit=1)[0])
        fields = {
            "method": environ["REQUEST_METHOD"],
            "path": path,
            "status": status,
            "bytes": resp.sent,
            "duration_ms": round(request_time.total_seconds() * 1000),
        }
        self.access_log.info("%s %s %d", fields["method"], path, status, extra=fields)


_to_stdout = {"handlers": ["stdout"], "level": "INFO", "propagate": False}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "book_shop.logs.JsonFormatter"}},
    "handlers": {"stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json"}},
    "root": {"handlers": ["stdout"], "level": "INFO"},
    # Django and gunicorn would otherwise configure handlers of their own for these four.
    "loggers": dict.fromkeys(("django", "django.server", "gunicorn.access", "gunicorn.error"), _to_stdout)
    | {
        # The access log already has each 404.
        "django.request": {"level": "ERROR"},
        # gunicorn drops the body of a response to HEAD, and warns about each one.
        "gunicorn.http.wsgi": {"level": "ERROR"},
    },
}
