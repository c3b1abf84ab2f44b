"""The bench at its smallest, as far as it needs no engine: what it counts and reports, and without its peers."""

import http.client
import itertools
import json
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
def road(tmp_path, monkeypatch):
    """The directory of the figures; the PATH has what the road itself needs, and none of its peers."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("git", "env", "docker-registry"):
        (tools / tool).symlink_to(shutil.which(tool))
    for name in ("python3", "k6"):  # not links: an interpreter finds its packages by the path it is called with
        (tools / name).write_text(f'#!/bin/sh\nexec "{Path(sys.executable).parent / name}" "$@"\n')
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    (tmp_path / "bench/road").mkdir(parents=True)
    return tmp_path / "bench/road"


def measure_promotion(road):
    """Measures this part as small as can be; returns (exit status, stderr)."""
    command = [sys.executable, "tests/bench/road.py", "--small", road.parent, "promotion"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stderr


def test_promotion_moves_no_layer_and_the_report_names_the_missing_peers(road):
    status, stderr = measure_promotion(road)
    assert status == 0, stderr
    text = (road.parent / "road.md").read_text()
    pattern = r"^\| promotion \| 1 MB \| ([^|]+) \| [\d.]+ s \([\d.]+ to [\d.]+\) \| 1 \| 1 \| (.+) \|$"
    ((way, moved),) = re.findall(pattern, text, re.MULTILINE)
    assert way == "scripts/promote"
    assert re.fullmatch(r"[2-9] requests, [\d,]+ bytes, 0 of layers; digest kept", moved)
    assert "- promotion: met: scripts/promote moves 0 bytes of layers: 0" in text
    for peer in promotion.WAYS.keys() - {promotion.OURS}:
        assert f"- promotion, {peer}: " in text
    labels = [label.text for label in xml.parse(road.parent / "road.svg").iter("{http://www.w3.org/2000/svg}text")]
    assert "scripts/promote" in labels


def test_measuring_one_part_keeps_the_others(road):
    head = {"date": "2026-01-01", "machine": "another", "load": 0.5, "versions": {}, "missing": {}}
    row = {"case": swap.CASE, "way": swap.OURS, "value": 2, "done": 12, "failed": 0, "unsent": 0, "requests": 1200}
    lines = [head, row, row | {"value": 3, "failed": 2}]
    (road / "swap.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    status, stderr = measure_promotion(road)
    assert status == 0, stderr
    text = (road.parent / "road.md").read_text()
    assert "| make deploy-dev | 2.5 s (2 to 3) | 2 | 1 | **2 failed** of 2,400 (2 in the worst run); done after" in text
    assert "- swap: **not met**: no request fails in a swap: 2" in text
    assert "- swap: 2026-01-01, another" in text
    assert "| promotion |" in text


def test_a_part_that_fails_keeps_its_previous_figures(road):
    (road / "promotion.jsonl").write_text("before")
    (road.parents[1] / "bin/docker-registry").unlink()
    assert measure_promotion(road)[0] != 0
    assert (road / "promotion.jsonl").read_text() == "before"


@pytest.fixture
def counter(tmp_path):
    """A counting proxy of a registry with an image of the bench; `layer` is (digest, size) of one of its layers."""
    registry, address = oci.serve(tmp_path / "registry")
    image = promotion.Image(address, "bench", 1)
    counter = counting.Counter(image.address, image.layers())
    layer = json.loads(oci.manifest(image.source))["layers"][0]
    counter.layer = layer["digest"], layer["size"]
    yield counter
    counter.close()
    registry.kill()
    registry.wait()


def test_bytes_of_layers_are_counted_in_both_directions(counter):
    def counts():
        return counter.requests, counter.bytes, counter.layer_bytes

    digest, size = counter.layer
    layer = oci.ask(counter.address, "GET", f"/v2/bench/blobs/{digest}", 200).content
    assert counts() == (1, size, size)
    oci.upload(f"{counter.address}/bench", layer)
    assert counts() == (3, 2 * size, 2 * size)
    oci.upload(f"{counter.address}/bench", b"no layer")
    assert counts() == (5, 2 * size + 8, 2 * size)
    # As docker push does: in pieces of no announced length.
    start = oci.ask(counter.address, "POST", "/v2/bench/blobs/uploads/", 202)
    connection = http.client.HTTPConnection(counter.address, timeout=60)
    connection.request(
        "PATCH", start.headers["Location"].partition(counter.address)[2], iter([layer[:100], layer[100:]])
    )
    sent = connection.getresponse()
    assert sent.status == 202
    path = sent.headers["Location"].partition(counter.address)[2]
    oci.ask(counter.address, "PUT", f"{path}&digest={digest}", 201)
    assert counter.layer_bytes == 3 * size


def test_a_moved_layer_and_another_digest_are_reported_and_miss_the_goal():
    row = {"case": "1 MB", "way": promotion.OURS, "value": 1, "kept": False}
    row |= {"requests": 9, "bytes": 2000, "layer_bytes": 1}
    assert promotion.details([row]) == "9 requests, 2,000 bytes, 1 of layers; **another digest**"
    assert (False, "scripts/promote moves 0 bytes of layers: 1") in promotion.goals(report.Found(promotion, {}, [row]))


@pytest.fixture
def flaky(monkeypatch):
    """The address of a server that answers every fifth request 502; the load has a port of its own."""
    statuses = itertools.cycle([200] * 4 + [502])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response_only(next(statuses))
            self.send_header("Content-Length", "0")
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as free:
        monkeypatch.setenv("K6_API", f"127.0.0.1:{free.server_port}")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("settings", [{"rate": 20}, {"visitors": 1}])
def test_a_request_that_fails_under_load_is_counted(flaky, tmp_path, settings):
    with measure.load(flaky, tmp_path, pages="/ /a", seconds=1, **settings) as seen:
        pass
    assert seen["failed"] == seen["requests"] // 5 >= 2
    assert seen["p99"] > 0


def test_requests_that_failed_and_those_that_were_not_sent_are_reported():
    metrics = {"http_reqs": {"count": 90, "rate": 9}, "http_req_duration": {"p(99)": 5}}
    metrics |= {"http_req_failed": {"passes": 1}, "dropped_iterations": {"count": 10}}
    seen = measure.counted(metrics)
    assert seen == {"requests": 90, "failed": 1, "unsent": 10, "rate": 9, "p99": 5}
    assert swap.lost([seen, seen]) == "**2 failed** of 180 (1 in the worst run), 20 could not be sent"
    assert swap.lost([{"requests": 90, "failed": 0, "unsent": 0}]) == "0 failed of 90"


@pytest.mark.parametrize(("small", "ways", "turns"), [(False, "abc", "abccbaabc"), (True, "ab", "ab")])
def test_each_way_has_its_turn_in_each_run_in_alternating_order(tmp_path, small, ways, turns):
    assert "".join(way for _, way in measure.Bench(tmp_path, small, 3).turns(ways)) == turns


def test_every_file_of_parts_is_a_part():
    files = {file.stem for file in (ROOT / "tests/bench/parts").glob("*.py")} - {"__init__"}
    assert set(PARTS) == files
