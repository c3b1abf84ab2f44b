"""The shop under gunicorn with the settings of the image, on a free port of the loopback interface."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from shop_program import LIMIT, run


def get(server, path: str, host: str = "localhost", method: str = "GET") -> tuple[int, bytes]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT)) as connection:
        connection.request(method, path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.fixture(scope="module")
def database_url(tmp_path_factory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('gunicorn') / 'db.sqlite3'}"
    migrated = run("manage.py", "migrate", DATABASE_URL=url)
    assert migrated.returncode == 0, migrated.stderr
    return url


@pytest.fixture
def listener():
    """Return a socket that applications under test connect to, and wait until the test closes the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(LIMIT)
        yield listener


def test_serves_requests_logs_json_and_stops(serve, database_url, tmp_path):
    server = serve(DATABASE_URL=database_url, HOME=str(tmp_path), XDG_RUNTIME_DIR=str(tmp_path))
    assert get(server, "/healthz") == (200, b"ok\n")
    assert get(server, "/readyz")[0] == 200
    assert json.loads(get(server, "/version")[1])["version"] == "1.2.3"
    assert get(server, "/no/such/page?name=private")[0] == 404
    assert get(server, "/version", host="evil.test")[0] == 400
    assert server.stop() == 0

    lines = [json.loads(line) for line in server.lines]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    loggers = {line["logger"] for line in lines}
    assert loggers == {"gunicorn.access", "gunicorn.error", "django.security.DisallowedHost"}
    access = [(line["path"], line["status"]) for line in lines if line["logger"] == "gunicorn.access"]
    assert sorted(access) == [("/no/such/page", 404), ("/version", 200), ("/version", 400)]
    assert "private" not in "".join(server.lines)
    assert len([line for line in lines if line["message"].startswith("Booting worker")]) == 2
    assert list(tmp_path.iterdir()) == []  # the root file system of the image is read-only


def test_is_healthy_but_not_ready_without_the_database(serve):
    # A bound port without a listener: connections are refused, and no other process can take the port.
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        server = serve(DATABASE_URL=f"postgresql://shop:hidden@127.0.0.1:{closed.getsockname()[1]}/books")
        assert get(server, "/healthz")[0] == 200
        status, body = get(server, "/readyz")
        assert (status, json.loads(body)["reason"]) == (503, "the database does not answer")
        status, body = get(server, "/")
        assert (status, b"Something went wrong" in body) == (500, True)
        assert server.stop() == 0
    log = [json.loads(line) for line in server.lines]
    assert any(line["message"].startswith("Not ready: the database does not answer") for line in log)
    assert any("OperationalError" in line.get("exc_info", "") for line in log)
    assert "hidden" not in "".join(server.lines)


def test_stop_waits_for_running_requests(serve, listener):
    port = str(listener.getsockname()[1])
    server = serve("blocking_app:application", PYTHONPATH=os.path.dirname(__file__), TEST_PORT=port)
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT)) as connection:
        connection.request("GET", "/")
        running, _ = listener.accept()
        server.process.send_signal(signal.SIGTERM)
        server.wait_for("Worker exiting")  # the idle worker has received the signal
        running.close()
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"finished")
    assert server.wait() == 0


def test_stop_during_the_start_ends_the_workers_with_sigterm(serve, listener):
    port = str(listener.getsockname()[1])
    server = serve("--config", os.path.join(os.path.dirname(__file__), "slow_boot_conf.py"), TEST_PORT=port)
    starting = [listener.accept()[0] for _ in range(2)]
    assert server.stop() == 0
    for worker in starting:
        worker.close()
    # gunicorn would send SIGKILL after graceful_timeout.
    assert len([line for line in server.lines if "was sent SIGTERM" in line]) == 2


def test_failing_import_ends_the_process():
    result = run("-m", "gunicorn", "--bind", "127.0.0.1:0", "no_such_module")
    assert result.returncode != 0
    assert "no_such_module" in result.stdout + result.stderr


def test_modules_are_loaded_at_the_start_and_exempt_from_garbage_collection():
    script = "import gc, sys, book_shop.wsgi; print(gc.get_freeze_count(), len(gc.get_objects()), *sys.modules)"
    frozen, collectable, *modules = run("-c", script).stdout.split()
    assert int(frozen) > 20 * int(collectable)
    assert {"books.views", "orders.views"} <= {*modules}


def test_has_the_settings_that_deploys_rely_on():
    lines = run("-m", "gunicorn", "--print-config").stdout.splitlines()
    settings = dict(map(str.strip, line.split("=", 1)) for line in lines if "=" in line)
    assert (settings["bind"], settings["worker_class"]) == ("['0.0.0.0:8000']", "gthread")
    assert (settings["workers"], settings["threads"]) == ("2", "4")
    assert (settings["keepalive"], settings["graceful_timeout"]) == ("5", "20")
    assert (settings["worker_tmp_dir"], settings["control_socket_disable"]) == ("/dev/shm", "True")


def test_metrics_cover_all_workers_and_are_removed_at_the_stop(serve, database_url):
    server = serve(DATABASE_URL=database_url)
    for _ in range(20):  # any worker may answer
        assert get(server, "/version")[0] == 200
    assert get(server, "/no/such/page")[0] == 404
    status, metrics = get(server, "/metrics", host="10.42.0.7:8000")  # a name that Django would reject
    assert status == 200
    counted = dict(line.rsplit(" ", 1) for line in metrics.decode().splitlines() if not line.startswith("#"))
    by_status = 'django_http_responses_total_by_status_view_method_total{{method="GET",status="{}",view="{}"}}'
    assert counted[by_status.format(200, "version")] == "20.0"
    assert counted[by_status.format(404, "<unnamed view>")] == "1.0"
    assert counted['django_http_requests_latency_seconds_by_view_method_count{method="GET",view="version"}'] == "20.0"

    mapped_files = Path(f"/proc/{server.process.pid}/maps").read_text()
    directory = Path("/dev/shm", re.search(r"metrics-\w+", mapped_files).group())
    assert directory.is_dir()
    assert server.stop() == 0
    assert not directory.exists()


def test_invented_methods_share_one_metric(serve, database_url):
    server = serve(DATABASE_URL=database_url)
    assert [get(server, "/version", method=method)[0] for method in ("AAA", "BBB")] == [403, 403]
    metrics = get(server, "/metrics")[1]
    assert b'method="<invalid method>"' in metrics
    assert b"AAA" not in metrics and b"BBB" not in metrics


# Slow: hundreds of requests give each thread of both workers a connection that breaks.
def test_restart_of_postgresql_fails_no_request(serve, migrated_database):
    server = serve(DATABASE_URL=migrated_database)

    def statuses(count):
        """Return the statuses of concurrent requests, so many that each thread has a connection."""
        with ThreadPoolExecutor(count) as pool:
            return {answer[0] for answer in pool.map(lambda _: get(server, "/readyz"), range(count))}

    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(migrated_database, autocommit=True) as connection:
        for _ in range(5):
            assert statuses(40) == {200}
        held = connection.execute(f"SELECT count(*) {others}").fetchone()[0]
        assert 2 <= held <= 8
        # A restart would end these connections too.
        assert connection.execute(f"SELECT bool_and(pg_terminate_backend(pid, 10000)) {others}").fetchone()[0]
    assert [get(server, "/readyz")[0] for _ in range(3 * held)] == [200] * 3 * held
    assert statuses(40) == {200}
