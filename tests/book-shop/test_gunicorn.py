"""The shop as the image runs it: gunicorn with its own settings, on a free port of the loopback interface."""

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


def get(server, path: str, host: str = "localhost") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT)
    try:
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def database_url(tmp_path_factory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('gunicorn') / 'db.sqlite3'}"
    migrated = run("manage.py", "migrate", DATABASE_URL=url)
    assert migrated.returncode == 0, migrated.stderr
    return url


def test_serves_logs_json_and_stops(serve, database_url, tmp_path):
    server = serve(DATABASE_URL=database_url, HOME=str(tmp_path), XDG_RUNTIME_DIR=str(tmp_path))
    assert get(server, "/healthz") == (200, b"ok\n")
    assert get(server, "/readyz")[0] == 200
    assert json.loads(get(server, "/version")[1])["version"] == "1.2.3"
    assert get(server, "/no/such/page?name=private")[0] == 404
    assert get(server, "/version", host="evil.test")[0] == 400
    assert server.stop() == 0

    lines = [json.loads(line) for line in server.lines]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    assert {line["logger"] for line in lines} == {
        "gunicorn.access",
        "gunicorn.error",
        "django.security.DisallowedHost",
    }
    access = [(line["path"], line["status"]) for line in lines if line["logger"] == "gunicorn.access"]
    assert sorted(access) == [("/no/such/page", 404), ("/version", 200), ("/version", 400)]
    assert "private" not in "".join(server.lines)
    # Two workers, and nothing written to the home directory (the root of the image can't be written to).
    assert len([line for line in lines if line["message"].startswith("Booting worker")]) == 2
    assert list(tmp_path.iterdir()) == []


def test_alive_but_not_ready_without_its_database(serve):
    # Bound but not listening: every connection is refused, and nobody else can take the port.
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        server = serve(DATABASE_URL=f"postgresql://shop:hidden@127.0.0.1:{port}/books")
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


def test_a_request_under_way_is_finished_before_the_stop(serve):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(LIMIT)
        port = listener.getsockname()[1]
        server = serve("blocking_app:application", PYTHONPATH=os.path.dirname(__file__), TEST_PORT=str(port))
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT)
        connection.request("GET", "/")
        under_way, _ = listener.accept()
        server.process.send_signal(signal.SIGTERM)
        # The idle one of the two: the stop has reached the workers.
        server.wait_for("Worker exiting")
        under_way.close()
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"finished")
        connection.close()
        assert server.wait() == 0


def test_a_stop_right_after_the_start_takes_no_time(serve):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(LIMIT)
        port = listener.getsockname()[1]
        settings = os.path.join(os.path.dirname(__file__), "slow_boot_conf.py")
        server = serve("--config", settings, TEST_PORT=str(port))
        starting = [listener.accept()[0] for _ in range(2)]
        assert server.stop() == 0
        for worker in starting:
            worker.close()
    # Not SIGKILL, which comes when the time for a graceful stop is over.
    assert len([line for line in server.lines if "was sent SIGTERM" in line]) == 2


def test_a_failure_at_import_ends_the_process():
    result = run("-m", "gunicorn", "--bind", "127.0.0.1:0", "no_such_module")
    assert result.returncode != 0
    assert "no_such_module" in result.stdout + result.stderr


def test_what_requests_need_is_loaded_before_them_and_nothing_the_collector_looks_at():
    result = run(
        "-c", "import gc, sys, book_shop.wsgi; print(gc.get_freeze_count(), len(gc.get_objects()), *sys.modules)"
    )
    frozen, looked_at, *modules = result.stdout.split()
    assert int(frozen) > 20 * int(looked_at)
    assert {"books.views", "orders.views"} <= {*modules}


def test_settings_the_deployment_relies_on():
    result = run("-m", "gunicorn", "--print-config")
    lines = dict(line.split("=", 1) for line in result.stdout.splitlines() if "=" in line)
    settings = {name.strip(): value.strip() for name, value in lines.items()}
    assert settings["bind"] == "['0.0.0.0:8000']"
    assert settings["worker_class"] == "gthread"
    assert (settings["workers"], settings["threads"]) == ("2", "4")
    assert (settings["keepalive"], settings["graceful_timeout"]) == ("5", "20")
    assert settings["worker_tmp_dir"] == "/dev/shm"
    assert settings["control_socket_disable"] == "True"


def test_metrics_are_those_of_all_workers_and_leave_nothing_behind(serve, database_url):
    server = serve(DATABASE_URL=database_url)
    # Each is answered by some worker; the metrics are asked of some worker too, by a name that Django would refuse.
    for _ in range(20):
        assert get(server, "/version")[0] == 200
    assert get(server, "/no/such/page")[0] == 404
    status, metrics = get(server, "/metrics", host="10.42.0.7:8000")
    assert status == 200
    counted = dict(line.rsplit(" ", 1) for line in metrics.decode().splitlines() if not line.startswith("#"))
    by_status = 'django_http_responses_total_by_status_view_method_total{{method="GET",status="{}",view="{}"}}'
    assert counted[by_status.format(200, "version")] == "20.0"
    assert counted[by_status.format(404, "<unnamed view>")] == "1.0"
    assert counted['django_http_requests_latency_seconds_by_view_method_count{method="GET",view="version"}'] == "20.0"

    directory = re.search(r"metrics-\w+", " ".join(open_files(server.process.pid))).group()
    assert os.path.isdir(f"/dev/shm/{directory}")
    assert server.stop() == 0
    assert not os.path.exists(f"/dev/shm/{directory}")


def open_files(pid: int) -> list[str]:
    """Return what a process has mapped."""
    return Path(f"/proc/{pid}/maps").read_text().splitlines()


def test_invented_methods_make_no_metrics_of_their_own(serve, database_url):
    server = serve(DATABASE_URL=database_url)
    for method in ("AAA", "BBB"):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT)
        connection.request(method, "/version", headers={"Host": "localhost"})
        assert connection.getresponse().status == 403
        connection.close()
    metrics = get(server, "/metrics")[1]
    assert b'method="<invalid method>"' in metrics
    assert b"AAA" not in metrics and b"BBB" not in metrics


# Slow: hundreds of requests, so that each thread of both workers has a connection that breaks.
def test_a_restarted_postgresql_costs_no_failed_request(serve, migrated_database):
    server = serve(DATABASE_URL=migrated_database)

    def ask(count):
        """Ask so many times at once, so that every thread has a connection of its own."""
        with ThreadPoolExecutor(count) as pool:
            return {answer[0] for answer in pool.map(lambda _: get(server, "/readyz"), range(count))}

    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(migrated_database, autocommit=True) as connection:
        for _ in range(5):
            assert ask(40) == {200}
        held = connection.execute(f"SELECT count(*) {others}").fetchone()[0]
        assert 2 <= held <= 8
        # What a restart does to them.
        assert connection.execute(f"SELECT bool_and(pg_terminate_backend(pid, 10000)) {others}").fetchone()[0]
    assert [get(server, "/readyz")[0] for _ in range(3 * held)] == [200] * 3 * held
    assert ask(40) == {200}
