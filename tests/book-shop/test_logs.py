"""The format of the log."""

import json
import logging
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from book_shop.logs import GunicornLogger, JsonFormatter
from gunicorn.config import Config


def line_of(**attributes) -> str:
    record = logging.makeLogRecord({"name": "shop", "levelname": "INFO", "msg": "hello"} | attributes)
    return JsonFormatter().format(record)


def test_line_has_time_level_logger_and_message():
    fields = json.loads(line_of())
    assert datetime.fromisoformat(fields.pop("time")).utcoffset() == timedelta(0)
    assert fields == {"level": "INFO", "logger": "shop", "message": "hello"}


def test_exception_is_on_the_same_line():
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        line = line_of(msg="a\nb", exc_info=(ValueError, error, error.__traceback__))
    assert "\n" not in line
    fields = json.loads(line)
    assert fields["message"] == "a\nb"
    assert fields["exc_info"].endswith("ValueError: two\nlines")


def test_request_object_of_django_is_left_out(rf):
    fields = json.loads(line_of(request=rf.get("/?name=private"), server_time="x", status_code=404))
    assert set(fields) == {"time", "level", "logger", "message", "status_code"}


@pytest.fixture
def access():
    """Return a function that logs a request and returns the lines."""
    logger, records, handler = GunicornLogger(Config()), [], logging.Handler()
    handler.emit = records.append
    logger.access_log.handlers = [handler]
    names = ("QUERY_STRING", "REMOTE_ADDR", "HTTP_USER_AGENT", "HTTP_REFERER", "HTTP_COOKIE")
    private = dict.fromkeys(names, "private")

    def log(path, status="200 OK"):
        environ = private | {"REQUEST_METHOD": "GET", "PATH_INFO": path}
        answer = SimpleNamespace(status=status, sent=12)
        logger.access(answer, SimpleNamespace(headers=[]), environ, timedelta(seconds=1, milliseconds=5))
        return [JsonFormatter().format(record) for record in records]

    yield log
    logger.access_log.handlers = []


def test_access_line_has_no_personal_data(access):
    (line,) = access("/book-list")
    fields = json.loads(line)
    assert set(fields) == {"time", "level", "logger", "message", "method", "path", "status", "bytes", "duration_ms"}
    assert (fields["level"], fields["logger"]) == ("INFO", "gunicorn.access")
    assert fields["message"] == "GET /book-list 200"
    assert (fields["method"], fields["path"], fields["status"]) == ("GET", "/book-list", 200)
    assert (fields["bytes"], fields["duration_ms"]) == (12, 1005)


def test_line_break_in_a_path_does_not_forge_a_line(access):
    (line,) = access('/a\n{"level": "ERROR"}')
    assert "\n" not in line
    assert json.loads(line)["path"] == '/a\n{"level": "ERROR"}'


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize("status", ["200 OK", "503 Service Unavailable"])
def test_probes_are_not_logged(access, path, status):
    assert access(path, status) == []
