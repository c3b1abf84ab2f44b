"""Logs: one JSON object a line on standard output, for Django and gunicorn alike.

Every line has `time` (ISO 8601, UTC), `level`, `logger` and `message`; a line of the access log has `method`, `path`,
`status`, `bytes` and `duration_ms` too. Nothing that tells a person is in it: no address, no query, no user agent.
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
            # Django hangs whole objects on its records: the request and its client's socket.
            reserved_attrs=[*RESERVED_ATTRS, "request", "server_time"],
        )


class GunicornLogger(Logger):
    """gunicorn's logger with an access log of fields instead of text, and without the health probes."""

    def access(self, resp, req, environ, request_time):
        """Log one answered request."""
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
    # Named, because Django and gunicorn give the first four handlers of their own.
    "loggers": dict.fromkeys(("django", "django.server", "gunicorn.access", "gunicorn.error"), _to_stdout)
    | {
        # Every 404 is in the access log already.
        "django.request": {"level": "ERROR"},
        # gunicorn warns of each HEAD that Django answers with a body; it drops the body, and all is well.
        "gunicorn.http.wsgi": {"level": "ERROR"},
    },
}
