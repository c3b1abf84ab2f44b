"""The bench at its smallest, as far as it needs no engine: what it counts, what it tells, and without its peers."""

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import xml.etree.ElementTree as xml
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import counting
import measure
import oci
import pytest
import report
from parts import PARTS, promotion, swap

ROOT = Path(__file__).parents[2]


@pytest.fixture
def alone(tmp_path):
    """A PATH with what the road itself needs, and none of its peers."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("git", "env", "docker-registry"):
        (tools / tool).symlink_to(shutil.which(tool))
    for name in ("python3", "k6"):  # not links: an interpreter finds its packages by the path it is called with
        (tools / name).write_text(f'#!/bin/sh\nexec "{Path(sys.executable).parent / name}" "$@"\n')
        (tools / name).chmod(0o755)
    return str(tools)


def bench(directory, *arguments, path):
    command = [sys.executable, "tests/bench/road.py", "--small", str(directory), *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ | {"PATH": path}, capture_output=True, text=True)


def test_promotion_at_its_smallest_moves_no_layer_and_says_which_peers_are_missing(tmp_path, alone):
    done = bench(tmp_path / "bench", "promotion", path=alone)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "bench/road.md").read_text()
    rows = re.findall(
        r"^\| promotion \| 1 MB \| ([^|]+) \| [\d.]+ s \([\d.]+ to [\d.]+\) \| 1 \| 1 \| (.+) \|$", text, re.M
    )
    assert len(rows) == 1, text
    assert rows[0][0] == "scripts/promote"
    assert re.fullmatch(r"[2-9] requests, [\d,]+ bytes, 0 of layers; digest kept", rows[0][1])
    assert "- promotion: met: scripts/promote moves 0 bytes of layers: 0" in text
    for way in (way for way in promotion.WAYS if way != promotion.OURS):
        assert f"- promotion, {way}: " in text
    labels = [label.text for label in xml.parse(tmp_path / "bench/road.svg").iter("{http://www.w3.org/2000/svg}text")]
    assert "scripts/promote" in labels


def test_a_part_that_is_measured_anew_leaves_the_others(tmp_path, alone):
    road = tmp_path / "bench/road"
    road.mkdir(parents=True)
    head = {"date": "2026-01-01", "machine": "another", "load": 0.5, "versions": {}, "missing": {}}
    row = {"case": swap.CASE, "way": swap.OURS, "value": 2, "done": 12, "failed": 0, "unsent": 0, "requests": 1200}
    (road / "swap.jsonl").write_text(
        f"{json.dumps(head)}\n{json.dumps(row)}\n{json.dumps(row | {'value': 3, 'failed': 2})}\n"
    )
    done = bench(tmp_path / "bench", "promotion", path=alone)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "bench/road.md").read_text()
    assert "| make deploy-dev | 2.5 s (2 to 3) | 2 | 1 | **2 failed** of 2,400 (2 in the worst run); done after" in text
    assert "- swap: **not met**: no request fails in a swap: 2" in text
    assert "- swap: 2026-01-01, another" in text
    assert "| promotion |" in text


def test_a_part_that_fails_leaves_the_figures_of_before(tmp_path, alone):
    road = tmp_path / "bench/road"
    road.mkdir(parents=True)
    (road / "promotion.jsonl").write_text("before")
    (Path(alone) / "docker-registry").unlink()
    done = bench(tmp_path / "bench", "promotion", path=alone)
    assert done.returncode != 0
    assert (road / "promotion.jsonl").read_text() == "before"


@pytest.fixture
def image(tmp_path):
    """An image of the bench in a registry."""
    registry, address = oci.serve(tmp_path / "registry")
    yield promotion.Image(address, "bench", 1)
    registry.kill()
    registry.wait()


def test_a_layer_that_is_moved_is_counted_whichever_way_it_goes(image):
    manifest = json.loads(oci.manifest(image.source))
    digest, size = manifest["layers"][0]["digest"], manifest["layers"][0]["size"]
    counter = counting.Counter(image.address, image.layers())
    try:
        layer = oci.ask(counter.address, "GET", f"/v2/bench/blobs/{digest}", 200).content
        assert (counter.requests, counter.bytes, counter.layer_bytes) == (1, size, size)
        oci.upload(f"{counter.address}/bench", layer)
        assert (counter.requests, counter.bytes, counter.layer_bytes) == (3, 2 * size, 2 * size)
        oci.upload(f"{counter.address}/bench", b"no layer")
        assert (counter.bytes, counter.layer_bytes) == (2 * size + 8, 2 * size)
        # As docker push does: in pieces of no announced length.
        start = oci.ask(counter.address, "POST", "/v2/bench/blobs/uploads/", 202)
        path = start.headers["Location"].partition(counter.address)[2]
        connection = http.client.HTTPConnection(counter.address, timeout=60)
        connection.request("PATCH", path, iter([layer[:100], layer[100:]]))
        sent = connection.getresponse()
        assert sent.status == 202
        path = sent.headers["Location"].partition(counter.address)[2]
        oci.ask(counter.address, "PUT", f"{path}&digest={digest}", 201)
        assert counter.layer_bytes == 3 * size
    finally:
        counter.close()


def test_a_moved_layer_and_another_digest_are_told_and_miss_the_goal():
    row = {
        "case": "1 MB",
        "way": promotion.OURS,
        "value": 1,
        "kept": False,
        "requests": 9,
        "bytes": 2000,
        "layer_bytes": 1,
    }
    found = report.Found(promotion, {}, [row])
    assert promotion.besides([row]) == "9 requests, 2,000 bytes, 1 of layers; **another digest**"
    assert (False, "scripts/promote moves 0 bytes of layers: 1") in promotion.goals(found)


@pytest.fixture
def flaky(monkeypatch):
    """A server that answers every fifth request 502, and the load's own port."""

    class Handler(BaseHTTPRequestHandler):
        number = 0

        def do_GET(self):
            Handler.number += 1
            self.send_response(200 if Handler.number % 5 else 502)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    free = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    monkeypatch.setenv("K6_API", f"127.0.0.1:{free.server_port}")
    free.server_close()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("settings", [{"rate": 20}, {"visitors": 1}])
def test_a_request_that_fails_under_load_is_counted(flaky, tmp_path, settings):
    with measure.load(flaky, tmp_path, pages="/ /a", seconds=1, **settings) as seen:
        pass
    assert seen["failed"] == seen["requests"] // 5 >= 2
    assert seen["p99"] > 0


def test_what_failed_and_what_could_not_even_be_sent_is_told():
    metrics = {
        "http_reqs": {"count": 90, "rate": 9},
        "http_req_failed": {"passes": 1},
        "http_req_duration": {"p(99)": 5},
        "dropped_iterations": {"count": 10},
    }
    seen = measure.counted(metrics)
    assert seen == {"requests": 90, "failed": 1, "unsent": 10, "rate": 9, "p99": 5}
    assert swap.lost([seen, seen]) == "**2 failed** of 180 (1 in the worst run), 20 could not be sent"
    assert swap.lost([{"requests": 90, "failed": 0, "unsent": 0}]) == "0 failed of 90"


def test_each_way_has_its_turn_in_each_run_and_the_order_alternates(tmp_path):
    turns = [way for _, way in measure.Bench(tmp_path, False, 3).turns(["a", "b", "c"])]
    assert "".join(turns) == "abccbaabc"
    assert len(list(measure.Bench(tmp_path, True, 3).turns(["a", "b"]))) == 2


def test_the_parts_are_all_there_is_under_parts():
    files = {file.stem for file in (ROOT / "tests/bench/parts").glob("*.py")} - {"__init__"}
    assert set(PARTS) == files
